"""The gate's public keys: fetched from its JWKS, kept, and fetched again when one is unknown.

Whoever sends assertions decides how often a key is unknown, so one fetch runs at a time, whoever waits
for it, and none starts within COOL_DOWN_S of the last. Everything a peer controls has a limit.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import jwt

COOL_DOWN_S = 5.0
REFRESH_S = 600.0  # then a fetch runs beside the requests, so that a key that was withdrawn goes
MAX_AGE_S = 3600.0  # then what was fetched is no longer believed
TIMEOUT_S = 5.0
MAX_BYTES = 64 * 1024
MAX_KEYS = 32

logger = logging.getLogger("gatewarden_fastapi")


class UnknownKeyError(Exception):
    """The gate has no such key."""


class KeysUnavailableError(Exception):
    """The gate's keys cannot be had."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


def fetch(url: str) -> bytes:
    """The body at `url`, within its limits. Proxies of the environment are not asked: the gate is near."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
    deadline = time.monotonic() + TIMEOUT_S
    body = b""
    with opener.open(url, timeout=TIMEOUT_S) as response:
        while part := response.read1(MAX_BYTES + 1 - len(body)):
            body += part
            if len(body) > MAX_BYTES:
                raise ValueError(f"more than {MAX_BYTES} bytes")
            if time.monotonic() > deadline:
                raise TimeoutError("too slow")
    return body


def parse(body: bytes) -> dict[str, jwt.PyJWK]:
    """The keys of a JWKS that verify ES256, by name. Others are passed over, by RFC 7517 section 5."""
    document = json.loads(body)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or len(entries) > MAX_KEYS:
        raise ValueError(f"not a JWKS of at most {MAX_KEYS} keys")
    keys = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("kid"), str):
            continue
        if entry.get("kty") != "EC" or entry.get("crv") != "P-256":
            continue
        if entry.get("use", "sig") == "sig" and entry.get("alg", "ES256") == "ES256":
            public = {name: entry.get(name) for name in ("kty", "crv", "x", "y")}
            keys[entry["kid"]] = jwt.PyJWK.from_dict(public, "ES256")
    if not keys:
        raise ValueError("no key for ES256 in it")
    return keys


class KeySet:
    """The keys at one URL. Belongs to no event loop: any of them may ask."""

    def __init__(
        self,
        url: str,
        fetch: Callable[[str], bytes] = fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched: float | None = None  # the last time it went well
        self._tried: float | None = None  # the last time it was tried
        self._running: Future[None] | None = None

    async def key(self, kid: str) -> jwt.PyJWK:
        found = self._find(kid)
        if found is not None:
            if self._age() > REFRESH_S:
                self._start()
            return found
        running = self._start()
        if running is not None:
            # Whoever goes away leaves the fetch to the others: a future that runs is not cancelled.
            await asyncio.wait([asyncio.wrap_future(running)], timeout=2 * TIMEOUT_S)
            found = self._find(kid)
        if found is not None:
            return found
        if self._fetched is not None and self._fetched == self._tried:
            raise UnknownKeyError(kid)
        raise KeysUnavailableError(self.url)

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._clock() - self._fetched

    def _find(self, kid: str) -> jwt.PyJWK | None:
        return self._keys.get(kid) if self._age() <= MAX_AGE_S else None

    def _start(self) -> Future[None] | None:
        """The fetch that runs, or a new one; None: it is too early for one."""
        with self._lock:
            if self._running is None:
                if self._tried is not None and self._clock() - self._tried < COOL_DOWN_S:
                    return None
                self._running = Future()
                self._running.set_running_or_notify_cancel()
                threading.Thread(
                    target=self._run, args=(self._running,), name="gatewarden-keys", daemon=True
                ).start()
            return self._running

    def _run(self, running: Future[None]) -> None:
        keys = None
        try:
            keys = parse(self._fetch(self.url))
        except Exception as e:  # whatever it was: there are no new keys
            logger.warning("the gate's keys cannot be had from %s: %s: %s", self.url, type(e).__name__, e)
        with self._lock:
            self._tried = self._clock()
            if keys is not None:
                self._keys = keys
                self._fetched = self._tried
            self._running = None
        running.set_result(None)

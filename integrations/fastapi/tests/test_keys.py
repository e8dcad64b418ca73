"""Keys over HTTP: when they are fetched, how often, and what happens when they cannot be had."""

import asyncio
import json
import time

import pytest

from conftest import Server
from gatewarden_fastapi import keys as module
from gatewarden_fastapi.keys import KeySet, KeysUnavailableError, UnknownKeyError, parse
from gatewarden_fastapi.testing import Signer


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def settled(keys: KeySet) -> None:
    end = time.monotonic() + 10
    while keys._running is not None and time.monotonic() < end:
        time.sleep(0.01)
    assert keys._running is None


def test_one_fetch_for_all_who_wait(server: Server) -> None:
    signer = Signer()
    server.body = signer.jwks()
    server.may_answer.clear()
    keys = KeySet(server.url)

    async def run() -> None:
        waiting = [asyncio.create_task(keys.key(signer.kid)) for _ in range(100)]
        while server.count == 0:
            await asyncio.sleep(0.01)
        for task in waiting[:50]:
            task.cancel()  # who goes away does not take the fetch along
        server.may_answer.set()
        found = await asyncio.gather(*waiting, return_exceptions=True)
        assert sum(isinstance(f, asyncio.CancelledError) for f in found) == 50
        assert len({id(f) for f in found[50:]}) == 1
        await keys.key(signer.kid)

    asyncio.run(run())
    assert server.count == 1


def test_keys_outlive_an_event_loop(server: Server) -> None:
    signer = Signer()
    server.body = signer.jwks()
    keys = KeySet(server.url)
    for _ in range(3):
        asyncio.run(keys.key(signer.kid))
    assert server.count == 1


def test_an_unknown_key_is_asked_for_and_then_not_for_a_while(server: Server) -> None:
    signer, clock = Signer(), Clock()
    server.body = signer.jwks()
    keys = KeySet(server.url, clock=clock)
    asyncio.run(keys.key(signer.kid))
    signer.rotate()
    server.body = signer.jwks()
    for _ in range(20):
        with pytest.raises(UnknownKeyError):
            asyncio.run(keys.key(signer.kid))
    assert server.count == 1
    clock.now += module.COOL_DOWN_S
    asyncio.run(keys.key(signer.kid))
    assert server.count == 2
    clock.now += module.COOL_DOWN_S
    for _ in range(20):
        with pytest.raises(UnknownKeyError):
            asyncio.run(keys.key("nobody's"))
    assert server.count == 3
    asyncio.run(keys.key(signer.kid))


def test_a_gate_that_is_away(server: Server) -> None:
    signer, clock = Signer(), Clock()
    server.status = 503
    keys = KeySet(server.url, clock=clock)
    for _ in range(5):
        with pytest.raises(KeysUnavailableError):
            asyncio.run(keys.key(signer.kid))
    assert server.count == 1
    server.status, server.body = 200, signer.jwks()
    clock.now += module.COOL_DOWN_S
    asyncio.run(keys.key(signer.kid))
    server.status = 503
    clock.now += module.REFRESH_S + 1
    asyncio.run(keys.key(signer.kid))  # what is known stays
    settled(keys)
    assert server.count == 3
    with pytest.raises(KeysUnavailableError):  # nobody can say whether there is such a key
        asyncio.run(keys.key("new"))
    clock.now += module.MAX_AGE_S
    with pytest.raises(KeysUnavailableError):  # but not for ever
        asyncio.run(keys.key(signer.kid))


def test_old_keys_are_renewed_beside_the_requests(server: Server) -> None:
    signer, clock = Signer(), Clock()
    server.body = signer.jwks()
    keys = KeySet(server.url, clock=clock)
    asyncio.run(keys.key(signer.kid))
    server.may_answer.clear()
    old = signer.kid
    signer.rotate()
    server.body = signer.jwks()
    clock.now += module.REFRESH_S + 1
    asyncio.run(keys.key(old))  # does not wait
    server.may_answer.set()
    settled(keys)
    with pytest.raises(UnknownKeyError):
        asyncio.run(keys.key(old))
    asyncio.run(keys.key(signer.kid))
    assert server.count == 2


def test_nobody_listens() -> None:
    server = Server()
    server.close()
    with pytest.raises(KeysUnavailableError):
        asyncio.run(KeySet(server.url).key("k"))


def test_a_gate_that_is_silent_does_not_hold_requests(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT_S", 0.1)
    server.may_answer.clear()
    with pytest.raises(KeysUnavailableError):
        asyncio.run(KeySet(server.url).key("k"))


def test_a_redirect_is_not_followed(server: Server) -> None:
    signer, other = Signer(), Server()
    other.body = signer.jwks()
    server.status, server.headers = 302, {"Location": other.url}
    with pytest.raises(KeysUnavailableError):
        asyncio.run(KeySet(server.url).key(signer.kid))
    assert (server.count, other.count) == (1, 0)
    other.close()


def test_a_proxy_of_the_environment_is_not_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    signer, proxy = Signer(), Server()
    monkeypatch.setenv("http_proxy", proxy.url)
    monkeypatch.setenv("no_proxy", "")
    server.body = signer.jwks()
    asyncio.run(KeySet(server.url).key(signer.kid))
    assert (server.count, proxy.count) == (1, 0)
    proxy.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"keys": {}}',
        b'{"keys": []}',
        b'{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k"}]}',
        b'{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": "AA", "y": "AA"}]}',
        b'{"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": 1, "y": []}]}',
        json.dumps({"keys": [json.loads(Signer().jwks())["keys"][0]] * (module.MAX_KEYS + 1)}).encode(),
        b" " * (module.MAX_BYTES + 1),
        b"\xff\xfe",
    ],
)
def test_what_is_no_key_set(server: Server, body: bytes) -> None:
    server.body = body
    with pytest.raises(KeysUnavailableError):
        asyncio.run(KeySet(server.url).key("k"))
    assert server.count == 1


def test_a_failed_fetch_changes_nothing(server: Server) -> None:
    signer, clock = Signer(), Clock()
    server.body = signer.jwks()
    keys = KeySet(server.url, clock=clock)
    asyncio.run(keys.key(signer.kid))
    server.body = b'{"keys": []}'
    clock.now += module.REFRESH_S + 1
    asyncio.run(keys.key(signer.kid))
    settled(keys)
    asyncio.run(keys.key(signer.kid))


def test_the_set_names_its_keys() -> None:
    signer = Signer()
    assert list(parse(signer.jwks())) == [signer.kid]

"""For an application's own tests, where no gate runs.

with as_principal(app, roles=["reader"]):      # without an assertion: quick, and enough for most tests
    client.get("/books")

with Signer() as signer:                       # real assertions, verified as in production
    client.get("/books", headers=signer.headers(roles=["reader"]))
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import FastAPI

from . import gate as default_gate
from .gate import HEADER, Gate
from .keys import KeySet
from .principal import Principal
from .verifier import TYPE, Verifier

__all__ = ["Signer", "as_principal", "principal_of"]

URL = "https://gate.test.invalid"


def _claims(
    subject: str, issuer: str, roles: Iterable[str], scopes: Iterable[str], more: dict[str, Any]
) -> dict[str, Any]:
    now = int(time.time())
    names = [roles] if isinstance(roles, str) else list(roles)
    claims = {"sub": subject, "idp": issuer, "roles": names, "iat": now, "nbf": now, "exp": now + 300}
    if isinstance(more.get("agent"), str):
        more = {**more, "act": {"sub": more["agent"]}}
    more.pop("agent", None)
    words = scopes if isinstance(scopes, str) else " ".join(scopes)
    return {**claims, **({"scope": words} if words else {}), **more}


def principal_of(
    subject: str = "tester",
    *,
    roles: Iterable[str] = (),
    scopes: Iterable[str] = (),
    issuer: str = "test",
    **claims: Any,
) -> Principal:
    """A caller as one would come from an assertion. `claims`: name, email, agent, and any other."""
    return Principal.from_claims(_claims(subject, issuer, roles, scopes, claims))


@contextmanager
def as_principal(
    app: FastAPI,
    subject: str = "tester",
    *,
    roles: Iterable[str] = (),
    scopes: Iterable[str] = (),
    issuer: str = "test",
    gate: Gate = default_gate,
    **claims: Any,
) -> Iterator[Principal]:
    """Within it every request to `app` is this caller's. Roles and scopes are still asked for."""
    who = principal_of(subject, roles=roles, scopes=scopes, issuer=issuer, **claims)
    before = app.dependency_overrides.get(gate)
    app.dependency_overrides[gate] = lambda: who
    try:
        yield who
    finally:
        if before is None:
            del app.dependency_overrides[gate]
        else:
            app.dependency_overrides[gate] = before


class Signer:
    """A gate's signature with a key of its own, thrown away with it. Within it `gate` believes it, and
    nobody else."""

    def __init__(self, gate: Gate = default_gate, url: str = URL, audience: str = "test") -> None:
        self.gate, self.url, self.audience = gate, url, audience
        self.rotate()

    def rotate(self) -> None:
        """A new key in place of the old."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.kid = secrets.token_hex(8)

    def jwks(self) -> bytes:
        """What a gate serves at /.well-known/jwks.json."""
        public = jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        return json.dumps({"keys": [{**public, "kid": self.kid, "use": "sig", "alg": "ES256"}]}).encode()

    def __enter__(self) -> Signer:
        self._before = self.gate._verifier
        keys = KeySet(self.url + "/.well-known/jwks.json", fetch=lambda _: self.jwks())
        self.gate._verifier = Verifier(self.url, self.audience, keys)
        return self

    def __exit__(self, *_: object) -> None:
        self.gate._verifier = self._before

    def assertion(
        self,
        subject: str = "tester",
        *,
        roles: Iterable[str] = (),
        scopes: Iterable[str] = (),
        issuer: str = "test",
        header: dict[str, Any] | None = None,
        **claims: Any,
    ) -> str:
        """`claims` come last, so that a test can make one that must be refused: `exp=0`, `aud="other"`."""
        made = {"iss": self.url, "aud": self.audience, "jti": secrets.token_hex(8)}
        made.update(_claims(subject, issuer, roles, scopes, claims))
        kept = {name: value for name, value in made.items() if value is not None}
        return jwt.encode(kept, self.key, "ES256", {"typ": TYPE, "kid": self.kid, **(header or {})})

    def headers(self, subject: str = "tester", **more: Any) -> dict[str, str]:
        return {HEADER: self.assertion(subject, **more)}

"""What an assertion must be, one deviation at a time."""

import asyncio
import base64
import json
import time
from datetime import datetime, timezone
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from gatewarden_fastapi import ConfigurationError, Gate, Principal
from gatewarden_fastapi.keys import MAX_AGE_S, KeySet
from gatewarden_fastapi.testing import Signer
from gatewarden_fastapi.verifier import MAX_REMEMBERED, InvalidAssertionError, Verifier


def verify(gate: Gate, token: str) -> Principal:
    return asyncio.run(gate.verifier.verify(token))


def refused(gate: Gate, token: str) -> str:
    with pytest.raises(InvalidAssertionError) as e:
        verify(gate, token)
    return str(e.value)


def test_every_claim_arrives(gate: Gate, signer: Signer) -> None:
    end = int(time.time()) + 60
    who = verify(
        gate,
        signer.assertion(
            "ada",
            issuer="corp",
            roles=["reader", "books-admin"],
            scopes=["books:read", "books:write"],
            name="Ada Lovelace",
            email="ada@example.org",
            agent="assistant",
            exp=end,
            department="R&D",
        ),
    )
    assert who == Principal(
        subject="ada",
        issuer="corp",
        roles=frozenset(["reader", "books-admin"]),
        scopes=frozenset(["books:read", "books:write"]),
        expires=datetime.fromtimestamp(end, timezone.utc),
        name="Ada Lovelace",
        email="ada@example.org",
        agent="assistant",
    )
    assert who.claims["department"] == "R&D"
    assert who.claims["aud"] == "books"


def test_a_principal_cannot_be_changed(gate: Gate, signer: Signer) -> None:
    who = verify(gate, signer.assertion(roles=["reader"]))
    with pytest.raises(AttributeError):
        who.subject = "grace"  # type: ignore[misc]
    with pytest.raises(TypeError):
        who.claims["sub"] = "grace"  # type: ignore[index]
    assert hash(who) == hash(who)
    assert "claims" not in repr(who)


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"exp": int(time.time()) - 10}, "the assertion has expired"),
        ({"nbf": int(time.time()) + 60}, "the assertion is not valid yet"),
        ({"iat": int(time.time()) + 60}, "the assertion is not valid yet"),
        ({"aud": "shop"}, "the assertion is for another service"),
        ({"aud": ["books"]}, "the assertion is for another service"),
        ({"aud": ["books", "shop"]}, "the assertion is for another service"),
        ({"aud": "Books"}, "the assertion is for another service"),
        ({"iss": "https://gate.test.invalid/"}, "the assertion is of another gate"),
        ({"iss": "https://other.test.invalid"}, "the assertion is of another gate"),
        *[
            ({name: None}, "the assertion lacks a claim")
            for name in ("iss", "aud", "sub", "iat", "nbf", "exp", "idp")
        ],
        ({"sub": 7}, "the assertion is malformed"),
        ({"idp": 7}, "the assertion is malformed"),
        ({"name": ["Ada"]}, "the assertion is malformed"),
        ({"roles": "reader", "scope": 7}, "the assertion is malformed"),
        ({"roles": [["reader"]]}, "the assertion is malformed"),
        ({"scope": {"reader": True}}, "the assertion is malformed"),
        ({"exp": 10**300}, "the assertion is malformed"),
        ({"exp": "soon"}, "the assertion is malformed"),
    ],
)
def test_a_claim_that_is_not_right(gate: Gate, signer: Signer, claims: dict[str, Any], why: str) -> None:
    token = signer.assertion(**{"roles": ["reader"], **claims})
    assert refused(gate, token) == why


def test_the_leeway_is_small(gate: Gate, signer: Signer) -> None:
    now = int(time.time())
    assert verify(gate, signer.assertion(exp=now - 2, nbf=now + 2)).subject == "tester"
    assert refused(gate, signer.assertion(exp=now - 6)) == "the assertion has expired"


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": "at+jwt"},
        {"typ": None},
        {"typ": 7},
        {"typ": ["gatewarden-assertion+jwt"]},
    ],
)
def test_another_type_of_token_with_the_very_same_key(
    gate: Gate, signer: Signer, header: dict[str, Any]
) -> None:
    assert refused(gate, signer.assertion(header=header)) == "the JWT is not an assertion"


def test_an_extension_that_must_be_understood(gate: Gate, signer: Signer) -> None:
    for names in (["exp"], ["b64"], []):
        refused(gate, signer.assertion(header={"crit": names}))


def test_a_key_that_is_not_named(gate: Gate, signer: Signer) -> None:
    assert refused(gate, with_header(signer.assertion(), kid=None)) == "the assertion names no key"


def with_header(token: str, **changes: Any) -> str:
    head, rest = token.split(".", 1)
    header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    header.update(changes)
    header = {name: value for name, value in header.items() if value is not None}
    return base64.urlsafe_b64encode(json.dumps(header).encode()).decode().rstrip("=") + "." + rest


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS256", "ES384", "EdDSA", "es256", 7])
def test_the_token_does_not_choose_the_algorithm(gate: Gate, signer: Signer, algorithm: Any) -> None:
    assert refused(gate, with_header(signer.assertion(), alg=algorithm)) in (
        "the JWT is not an assertion",
        "the assertion is not a JWT",
    )


def test_the_public_key_as_an_hmac_secret(gate: Gate, signer: Signer) -> None:
    body = jwt.decode(signer.assertion(), options={"verify_signature": False})
    token = jwt.encode(body, "s" * 32, "HS256", {"typ": "gatewarden-assertion+jwt", "kid": signer.kid})
    assert refused(gate, token) == "the JWT is not an assertion"


def test_a_key_in_the_header_is_not_believed(gate: Gate, signer: Signer) -> None:
    verify(gate, signer.assertion())
    other = Signer()
    jwk = json.loads(other.jwks())["keys"][0]
    for header in ({"jwk": jwk}, {"jku": "https://attacker.test.invalid/"}, {"x5c": ["MIIB"]}):
        token = jwt.encode(
            {**jwt.decode(signer.assertion(), options={"verify_signature": False}), "sub": "root"},
            other.key,
            "ES256",
            {"typ": "gatewarden-assertion+jwt", "kid": signer.kid, **header},
        )
        assert refused(gate, token) == "the signature is wrong"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "é",
        "\x00",
        "a" * 20_000,
        "eyJ9.e30.",
        "e30.e30.AAAA",
        "bnVsbA.bnVsbA.AAAA",
        "W10.W10.AA",
    ],
)
def test_what_is_no_token(gate: Gate, signer: Signer, token: str) -> None:
    assert refused(gate, token) in (
        "the assertion is not a JWT",
        "the JWT is not an assertion",
        "the assertion is too long",
    )


def test_every_byte_counts(gate: Gate, signer: Signer) -> None:
    token = signer.assertion(roles=["reader"])
    verify(gate, token)
    head, body, signature = token.split(".")
    for i in range(0, len(signature) - 2, 7):
        letter = "A" if signature[i] != "A" else "B"
        refused(gate, f"{head}.{body}.{signature[:i]}{letter}{signature[i + 1 :]}")
    for i in range(0, len(body), 11):
        letter = "A" if body[i] != "A" else "B"
        refused(gate, f"{head}.{body[:i]}{letter}{body[i + 1 :]}.{signature}")
    refused(gate, f"{head}.{body}.")
    refused(gate, f"{head}.{body}")


def test_what_is_remembered_ends_with_the_assertion(
    gate: Gate, signer: Signer, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = signer.assertion()
    first = verify(gate, token)
    assert verify(gate, token) is first
    later = time.time() + 306
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(InvalidAssertionError):
        verify(gate, signer.assertion(exp=int(later) - 6))
    assert len(gate.verifier._remembered) == 1
    monkeypatch.undo()
    gate.verifier.leeway = -400
    refused(gate, token)
    assert len(gate.verifier._remembered) == 0


def test_what_is_remembered_ends_with_its_key(gate: Gate, signer: Signer) -> None:
    now = [0.0]
    keys = KeySet("https://gate.test.invalid/jwks", lambda _: signer.jwks(), lambda: now[0])
    verifier = Verifier("https://gate.test.invalid", "books", keys)
    token = signer.assertion()

    asyncio.run(verifier.verify(token))
    signer.rotate()
    now[0] = MAX_AGE_S + 1
    with pytest.raises(InvalidAssertionError, match="key is not the gate's"):
        asyncio.run(verifier.verify(token))
    assert len(verifier._remembered) == 0
    assert asyncio.run(verifier.verify(signer.assertion("new"))).subject == "new"


def test_no_more_is_remembered_than_allowed(gate: Gate, signer: Signer) -> None:
    async def run() -> None:
        for i in range(MAX_REMEMBERED + 50):
            await gate.verifier.verify(signer.assertion(f"user {i}"))

    asyncio.run(run())
    assert len(gate.verifier._remembered) == MAX_REMEMBERED


def test_other_keys_in_the_set_are_passed_over(gate: Gate, signer: Signer) -> None:
    more = [
        {"kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB"},
        {"kty": "EC", "crv": "P-384", "kid": "p", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"},
        {"kty": "EC", "crv": "P-256", "kid": "enc", "use": "enc", "x": "AA", "y": "AA"},
        {"kty": "oct", "kid": "o", "k": "AAAA"},
        "text",
        None,
    ]
    body = json.dumps({"keys": more + json.loads(signer.jwks())["keys"]}).encode()
    verifier = Verifier("https://gate.test.invalid", "books", KeySet("x", lambda _: body))
    assert asyncio.run(verifier.verify(signer.assertion())).subject == "tester"


def test_keys_of_other_kinds_never_sign(gate: Gate, signer: Signer) -> None:
    claims = jwt.decode(signer.assertion(), options={"verify_signature": False})
    header = {"typ": "gatewarden-assertion+jwt", "kid": signer.kid}
    for token in (
        jwt.encode(claims, rsa.generate_private_key(65537, 2048), "RS256", header),
        jwt.encode(claims, ec.generate_private_key(ec.SECP384R1()), "ES384", header),
    ):
        assert refused(gate, token) == "the JWT is not an assertion"


@pytest.mark.parametrize("url", ["", "gate", "ftp://gate", "file:///etc/passwd", "http://", "/jwks"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Verifier(url, "books", KeySet("x"))


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GATEWARDEN_URL", "GATEWARDEN_AUDIENCE", "GATEWARDEN_KEYS_URL"):
        monkeypatch.delenv(name, raising=False)
    gate = Gate()
    with pytest.raises(ConfigurationError, match="GATEWARDEN_URL is not set"):
        _ = gate.verifier
    monkeypatch.setenv("GATEWARDEN_URL", "https://gate.example.org/")
    with pytest.raises(ConfigurationError, match="GATEWARDEN_AUDIENCE is not set"):
        _ = gate.verifier
    monkeypatch.setenv("GATEWARDEN_AUDIENCE", "books")
    verifier = gate.verifier
    assert (verifier.issuer, verifier.audience) == ("https://gate.example.org", "books")
    assert verifier.keys.url == "https://gate.example.org/.well-known/jwks.json"
    monkeypatch.setenv("GATEWARDEN_KEYS_URL", "http://gate:8080/.well-known/jwks.json")
    assert Gate().verifier.keys.url == "http://gate:8080/.well-known/jwks.json"
    assert Gate("http://a", "b", keys_url="http://c/keys").verifier.keys.url == "http://c/keys"

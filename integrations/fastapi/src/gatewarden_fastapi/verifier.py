"""Verifies assertions (a JWT, RFC 7519, by the profile of RFC 8725): what must hold."""

from __future__ import annotations

import time
from collections import OrderedDict
from urllib.parse import urlsplit

import jwt

from .keys import KeySet, UnknownKeyError
from .principal import Principal

TYPE = "gatewarden-assertion+jwt"
LEEWAY_S = 5
MAX_TOKEN = 16 * 1024
MAX_REMEMBERED = 1024
REQUIRED = ["iss", "aud", "sub", "iat", "nbf", "exp", "idp"]

_REASONS: list[tuple[type[jwt.InvalidTokenError], str]] = [
    (jwt.ExpiredSignatureError, "the assertion has expired"),
    (jwt.ImmatureSignatureError, "the assertion is not valid yet"),
    (jwt.InvalidAudienceError, "the assertion is for another service"),
    (jwt.InvalidIssuerError, "the assertion is of another gate"),
    (jwt.MissingRequiredClaimError, "the assertion lacks a claim"),
    (jwt.InvalidSignatureError, "the signature is wrong"),
]


class ConfigurationError(RuntimeError):
    """GATEWARDEN_URL or GATEWARDEN_AUDIENCE is missing or no such thing."""


class InvalidAssertionError(Exception):
    """It does not hold; the text says why and quotes nothing of it."""


class Verifier:
    """Of the assertions that one gate makes for one service.

    What was verified is remembered until it ends or its key is gone: the gate sends the same assertion
    for minutes, and a signature costs a hundred microseconds.
    """

    def __init__(self, issuer: str, audience: str, keys: KeySet, leeway: int = LEEWAY_S) -> None:
        if urlsplit(issuer).scheme not in ("http", "https") or not urlsplit(issuer).netloc:
            raise ConfigurationError("the gate's URL must be its public_url, http:// or https://")
        if not audience:
            raise ConfigurationError("the audience must be the service's, as the gate's configuration has it")
        self.issuer = issuer.rstrip("/")
        self.audience = audience
        self.keys = keys
        self.leeway = leeway
        self._remembered: OrderedDict[str, tuple[str, jwt.PyJWK, Principal]] = OrderedDict()

    async def verify(self, token: str) -> Principal:
        """InvalidAssertionError, or KeysUnavailableError."""
        known = self._remembered.get(token)
        kid = known[0] if known else self._kid(token)
        try:
            key = await self.keys.key(kid)
        except UnknownKeyError:
            self._remembered.pop(token, None)
            raise InvalidAssertionError("the assertion's key is not the gate's") from None
        if known and known[1] is key and time.time() < known[2].expires.timestamp() + self.leeway:
            return known[2]
        self._remembered.pop(token, None)
        principal = self._principal(token, key)
        self._remembered[token] = kid, key, principal
        while len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return principal

    def _kid(self, token: str) -> str:
        if len(token) > MAX_TOKEN:
            raise InvalidAssertionError("the assertion is too long")
        try:
            header = jwt.get_unverified_header(token)
        except jwt.InvalidTokenError:
            raise InvalidAssertionError("the assertion is not a JWT") from None
        # Our access tokens are ES256 JWTs too, with keys in the same JWKS: only the type tells them apart.
        if header.get("typ") != TYPE or header.get("alg") != "ES256" or "crit" in header:
            raise InvalidAssertionError("the JWT is not an assertion")
        kid = header.get("kid")
        if not isinstance(kid, str):
            raise InvalidAssertionError("the assertion names no key")
        return kid

    def _principal(self, token: str, key: jwt.PyJWK) -> Principal:
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=["ES256"],
                issuer=self.issuer,
                audience=self.audience,
                leeway=self.leeway,
                options={"require": REQUIRED, "strict_aud": True},
            )
            return Principal.from_claims(claims)
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, OSError) as e:
            raise InvalidAssertionError(_reason(e)) from None


def _reason(e: Exception) -> str:
    return next((why for kind, why in _REASONS if isinstance(e, kind)), "the assertion is malformed")

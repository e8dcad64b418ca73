"""The dependencies: `Gate` reads and verifies the assertion, and everything else stands on it.

This module's annotations are read when the program runs, by FastAPI: hence no `from __future__ import
annotations`, and `Optional` for Python 3.9.
"""

import os
import re
from collections.abc import Awaitable, Iterable, Mapping
from typing import Annotated, Callable, Optional, Union

from fastapi import Depends, HTTPException, Security, WebSocketException
from fastapi.openapi.models import OAuth2, OAuthFlowPassword, OAuthFlows
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from .keys import KeySet, KeysUnavailableError
from .principal import Principal
from .verifier import LEEWAY_S, ConfigurationError, InvalidAssertionError, Verifier

HEADER = "X-Gatewarden-Assertion"

_ROLE = re.compile("[^A-Za-z0-9_-]")
Dependency = Callable[..., Awaitable[Principal]]
OptionalDependency = Callable[..., Awaitable[Optional[Principal]]]


class Gate(SecurityBase):
    """One gate in front of this application. As a dependency it is the caller, or None.

    Tests override this one dependency (`gatewarden_fastapi.testing`); what stands on it stays as it is.
    """

    def __init__(
        self,
        url: Optional[str] = None,
        audience: Optional[str] = None,
        *,
        keys_url: Optional[str] = None,
        scopes: Optional[Mapping[str, Iterable[str]]] = None,
        leeway: int = LEEWAY_S,
        token_url: str = "/token",  # noqa: S107 - a path
    ) -> None:
        """`url`: the gate's public_url (else GATEWARDEN_URL). `audience`: this service's (else
        GATEWARDEN_AUDIENCE). `keys_url`: its JWKS, where the application reaches the gate under another
        address (else GATEWARDEN_KEYS_URL, else below `url`). `scopes`: {"books:write": ["books-admin"]},
        the roles that stand for a scope. `token_url`: for the Authorize button of /docs."""
        self._url, self._audience, self._keys_url, self._leeway = url, audience, keys_url, leeway
        self._scopes = {scope: frozenset(roles) for scope, roles in (scopes or {}).items()}
        self._token_url = token_url
        self._shown = dict.fromkeys(self._scopes, "")
        self._verifier: Optional[Verifier] = None
        self.scheme_name = "gatewarden"
        self.optional: OptionalDependency = self
        self.principal: Dependency = self._make_principal()

    @property
    def model(self) -> OAuth2:  # type: ignore[override]
        """For /openapi.json, which reads it when all routes are known."""
        flow = OAuthFlowPassword(tokenUrl=self._token_url, scopes=self._shown)
        return OAuth2(flows=OAuthFlows(password=flow))

    @property
    def verifier(self) -> Verifier:
        if self._verifier is None:
            url = self._url or _setting("GATEWARDEN_URL")
            audience = self._audience or _setting("GATEWARDEN_AUDIENCE")
            keys = self._keys_url or os.environ.get("GATEWARDEN_KEYS_URL")
            keys = keys or url.rstrip("/") + "/.well-known/jwks.json"
            self._verifier = Verifier(url, audience, KeySet(keys), self._leeway)
        return self._verifier

    async def __call__(self, connection: HTTPConnection) -> Optional[Principal]:
        """None: the gate let somebody pass who has not said who it is, on a public route."""
        given = connection.headers.getlist(HEADER)
        if not given:
            return None
        if len(given) > 1:
            raise _refusal(connection, 401, "invalid_token", "more than one assertion")
        try:
            return await self.verifier.verify(given[0])
        except InvalidAssertionError as e:
            raise _refusal(connection, 401, "invalid_token", str(e)) from None
        except KeysUnavailableError:
            raise _refusal(connection, 503) from None

    def has_scope(self, who: Principal, scope: str) -> bool:
        """By its roles where `scopes` maps it, else by the token's scopes or a role of that name, with
        `-` for what a role's name may not hold, as `gatewarden import openapi` writes it."""
        roles = self._scopes.get(scope)
        if roles is not None:
            return not roles.isdisjoint(who.roles)
        return scope in who.scopes or _ROLE.sub("-", scope) in who.roles

    def require(
        self,
        *any_of: str,
        all_of: Iterable[str] = (),
        scope: Union[str, Iterable[str]] = (),
    ) -> Dependency:
        """A dependency: the caller, who has any of the roles `any_of`, all of `all_of`, and every `scope`."""
        every = frozenset([all_of] if isinstance(all_of, str) else all_of)
        scopes = scope.split() if isinstance(scope, str) else list(scope)
        # OpenAPI knows only "all of these": a choice between roles cannot be written there.
        shown = [*any_of, *sorted(every)] if len(any_of) <= 1 else sorted(every)
        self._shown.update(dict.fromkeys([*shown, *scopes], ""))

        async def required(
            connection: HTTPConnection,
            needed: SecurityScopes,
            who: Annotated[Optional[Principal], Security(self, scopes=[*shown, *scopes])],
        ) -> Principal:
            known = self._somebody(connection, who, [*needed.scopes, *scopes])
            if (any_of and known.roles.isdisjoint(any_of)) or not known.roles >= every:
                raise _refusal(connection, 403, "insufficient_scope", "a role is missing")
            return known

        return required

    def _make_principal(self) -> Dependency:
        async def principal(
            connection: HTTPConnection,
            needed: SecurityScopes,
            who: Annotated[Optional[Principal], Depends(self)],
        ) -> Principal:
            """The caller; 401 without one. With Security(principal, scopes=[...]) it has every scope."""
            return self._somebody(connection, who, needed.scopes)

        return principal

    def _somebody(self, connection: HTTPConnection, who: Optional[Principal], scopes: list[str]) -> Principal:
        asked = " ".join(scopes)
        if who is None:
            raise _refusal(connection, 401, scope=asked)
        if not all(self.has_scope(who, scope) for scope in scopes):
            raise _refusal(connection, 403, "insufficient_scope", "a scope is missing", asked)
        return who


def _setting(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ConfigurationError(f"{name} is not set")
    return value


_DETAILS = {401: "Not authenticated", 403: "Not allowed", 503: "The gate's keys cannot be had"}


def _refusal(
    connection: HTTPConnection, status: int, error: str = "", description: str = "", scope: str = ""
) -> Exception:
    """By RFC 6750 section 3; without `error` where nothing was shown (section 3.1). A WebSocket gets the same
    answer to its handshake, or where the server cannot, a close with 1008."""
    if connection.scope["type"] == "websocket":
        extensions = connection.scope.get("extensions") or {}
        if "websocket.http.response" not in extensions:
            return WebSocketException(1013 if status == 503 else 1008, _DETAILS[status])
    if status == 503:
        return HTTPException(status, _DETAILS[status], {"Retry-After": "5"})
    given = {"error": error, "error_description": description, "scope": scope}
    challenge = ", ".join(f'{name}="{value}"' for name, value in given.items() if value)
    return HTTPException(status, _DETAILS[status], {"WWW-Authenticate": f"Bearer {challenge}".rstrip()})

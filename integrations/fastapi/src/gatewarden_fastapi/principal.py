"""Who is calling.

The annotations are read when the program runs, where an endpoint answers with a Principal: hence
`Optional`, for Python 3.9.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from types import MappingProxyType
from typing import Annotated, Any, Optional

from pydantic import PlainSerializer


@dataclass(frozen=True)
class Principal:
    """A caller whom the gate has proved; read from its assertion (`from_claims`)."""

    subject: str
    """Who it is at the issuer. Only together with `issuer` is it one person."""
    issuer: str
    """The name that the gate's configuration gives to the issuer that proved it: `local`, `corp`."""
    roles: frozenset[str]
    """Of the gate's policy, not of the issuer's token."""
    scopes: frozenset[str]
    """What the caller's token was granted, where it says so."""
    expires: datetime
    """When the assertion ends, in UTC. A long socket may want to look at it."""
    name: Optional[str] = None
    email: Optional[str] = None
    agent: Optional[str] = None
    """Who acts on behalf of `subject` (RFC 8693 `act`), for example a program."""
    claims: Annotated[Mapping[str, Any], PlainSerializer(dict)] = field(
        default_factory=dict, hash=False, compare=False, repr=False
    )
    """All of the assertion, with what `assertion: {claims: [...]}` of the backend adds. Read only."""

    @staticmethod
    def from_claims(claims: Mapping[str, Any]) -> "Principal":
        """Of claims that were verified. ValueError: they are not what a gate writes."""
        act = claims.get("act")
        return Principal(
            subject=_text(claims, "sub") or "",
            issuer=_text(claims, "idp") or "",
            roles=_words(claims.get("roles", ())),
            scopes=_words(claims.get("scope", "")),
            expires=datetime.fromtimestamp(claims["exp"], timezone.utc),
            name=_text(claims, "name"),
            email=_text(claims, "email"),
            agent=_text(act, "sub") if isinstance(act, Mapping) else None,
            claims=MappingProxyType(dict(claims)),
        )


def _text(claims: Mapping[str, Any], name: str) -> Optional[str]:
    value = claims.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is not text")
    return value


def _words(value: Any) -> frozenset[str]:
    """Names as one text with spaces between (`scope`, RFC 8693 section 4.2), or as a list."""
    words: Iterable[Any] = value.split() if isinstance(value, str) else value
    if not isinstance(words, (list, tuple)) or not all(isinstance(word, str) for word in words):
        raise ValueError("not a list of names")
    return frozenset(words)

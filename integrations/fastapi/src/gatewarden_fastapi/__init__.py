"""Who is calling, for a FastAPI application behind Gatewarden.

from typing import Annotated
from fastapi import Depends, FastAPI
from gatewarden_fastapi import CurrentPrincipal, Principal, require

app = FastAPI()

@app.get("/me")
def me(who: CurrentPrincipal) -> str:
    return who.subject

@app.delete("/books/{key}")
def delete(key: int, who: Annotated[Principal, Depends(require("books-admin"))]) -> None: ...

GATEWARDEN_URL (the gate's public_url) and GATEWARDEN_AUDIENCE (the service's `audience` there) are read
from the environment; a `Gate` of your own takes them as arguments.
"""

from typing import Annotated, Optional

from fastapi import Depends

from .gate import Gate
from .principal import Principal
from .verifier import ConfigurationError

__all__ = [
    "ConfigurationError",
    "CurrentPrincipal",
    "Gate",
    "OptionalPrincipal",
    "Principal",
    "gate",
    "optional_principal",
    "principal",
    "require",
]

gate = Gate()
principal = gate.principal
optional_principal = gate.optional
require = gate.require

CurrentPrincipal = Annotated[Principal, Depends(principal)]
OptionalPrincipal = Annotated[Optional[Principal], Depends(optional_principal)]

"""What /openapi.json says of the dependencies."""

from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Security

from gatewarden_fastapi import CurrentPrincipal, Gate, OptionalPrincipal, Principal


@pytest.fixture
def document(gate: Gate) -> dict[str, Any]:
    mapped = Gate(scopes={"books:write": ["books-admin"]}, token_url="/oauth/token")
    mapped.scheme_name = "other"
    app = FastAPI()

    @app.get("/open")
    def nobody() -> None: ...

    @app.get("/me")
    def me(who: Annotated[Principal, Depends(gate.principal)]) -> None: ...

    @app.get("/one", dependencies=[Depends(gate.require("books-admin"))])
    def one() -> None: ...

    @app.get("/any", dependencies=[Depends(gate.require("reader", "books-admin"))])
    def any_of() -> None: ...

    @app.get("/all", dependencies=[Depends(gate.require(all_of=["reader", "auditor"], scope="books:read"))])
    def all_of() -> None: ...

    @app.get("/scope", dependencies=[Security(mapped.principal, scopes=["books:write"])])
    def scope() -> None: ...

    @app.get("/default")
    def default(who: CurrentPrincipal) -> None: ...

    @app.get("/optional")
    def optional(who: OptionalPrincipal) -> None: ...

    return app.openapi()


def security(document: dict[str, Any], path: str) -> Any:
    found = document["paths"][path]["get"].get("security")
    return found and [{name: sorted(scopes) for name, scopes in entry.items()} for entry in found]


def test_what_an_operation_needs(document: dict[str, Any]) -> None:
    assert security(document, "/open") is None
    for path in ("/me", "/default", "/optional"):
        assert security(document, path) == [{"gatewarden": []}]
    assert security(document, "/one") == [{"gatewarden": ["books-admin"]}]
    assert security(document, "/all") == [{"gatewarden": ["auditor", "books:read", "reader"]}]
    assert security(document, "/scope") == [{"other": ["books:write"]}]


def test_a_choice_of_roles_is_not_written_as_all_of_them(document: dict[str, Any]) -> None:
    assert security(document, "/any") == [{"gatewarden": []}]


def test_where_a_token_comes_from(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["gatewarden"]["type"] == "oauth2"
    flow = schemes["gatewarden"]["flows"]["password"]
    assert schemes["other"]["flows"]["password"]["tokenUrl"] == "/oauth/token"
    assert list(schemes["other"]["flows"]["password"]["scopes"]) == ["books:write"]
    assert flow["tokenUrl"] == "/token"


def test_the_assertion_is_no_parameter(document: dict[str, Any]) -> None:
    assert all("parameters" not in path["get"] for path in document["paths"].values())

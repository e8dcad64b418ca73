"""The dependencies in an application: HTTP and WebSocket, roles and scopes, 401, 403 and 503."""

from typing import Annotated, Any, Optional

import pytest
from fastapi import Depends, FastAPI, Security, WebSocket
from fastapi.testclient import TestClient
from starlette.testclient import WebSocketDenialResponse
from starlette.websockets import WebSocketDisconnect

from gatewarden_fastapi import ConfigurationError, Gate, Principal
from gatewarden_fastapi.keys import KeySet
from gatewarden_fastapi.testing import Signer, as_principal
from gatewarden_fastapi.verifier import Verifier

HEADER = "X-Gatewarden-Assertion"


@pytest.fixture
def app(gate: Gate) -> FastAPI:
    mapped = Gate("https://gate.test.invalid", "books", scopes={"books:write": ["books-admin", "owner"]})
    app = FastAPI()
    app.state.mapped = mapped

    @app.get("/me")
    def me(who: Annotated[Principal, Depends(gate.principal)]) -> dict[str, Any]:
        return {"subject": who.subject, "roles": sorted(who.roles)}

    @app.get("/maybe")
    async def maybe(who: Annotated[Optional[Principal], Depends(gate.optional)]) -> Optional[str]:
        return who.subject if who else None

    @app.get("/any", dependencies=[Depends(gate.require("reader", "books-admin"))])
    def any_of() -> str:
        return "ok"

    @app.get("/all")
    def all_of(who: Annotated[Principal, Depends(gate.require(all_of=["reader", "auditor"]))]) -> str:
        return who.subject

    @app.get("/both", dependencies=[Depends(gate.require("a", "b", all_of=["c"], scope="x y"))])
    def both() -> str:
        return "ok"

    @app.get("/scope")
    def scope(who: Annotated[Principal, Security(gate.principal, scopes=["books:read"])]) -> str:
        return who.subject

    @app.get("/mapped")
    def by_role(who: Annotated[Principal, Security(mapped.principal, scopes=["books:write"])]) -> str:
        return who.subject

    @app.get("/dataclass")
    def whole(who: Annotated[Principal, Depends(gate.principal)]) -> Principal:
        return who

    @app.websocket("/socket")
    async def socket(
        websocket: WebSocket, who: Annotated[Principal, Depends(gate.require("reader"))]
    ) -> None:
        await websocket.accept()
        await websocket.send_text(f"hello {who.subject}")
        await websocket.close(4000)

    return app


@pytest.fixture
def client(app: FastAPI) -> TestClient:
    return TestClient(app)


def test_the_caller_arrives(client: TestClient, signer: Signer) -> None:
    answer = client.get("/me", headers=signer.headers("ada", roles=["reader", "a"]))
    assert (answer.status_code, answer.json()) == (200, {"subject": "ada", "roles": ["a", "reader"]})


def test_nobody(client: TestClient, signer: Signer) -> None:
    answer = client.get("/me")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json() == {"detail": "Not authenticated"}
    answer = client.get("/scope")
    assert answer.headers["WWW-Authenticate"] == 'Bearer scope="books:read"'


def test_somebody_or_nobody(client: TestClient, signer: Signer) -> None:
    assert client.get("/maybe").json() is None
    assert client.get("/maybe", headers=signer.headers("ada")).json() == "ada"
    bad = client.get("/maybe", headers=signer.headers("ada", exp=0))
    assert bad.status_code == 401
    assert bad.headers["WWW-Authenticate"] == (
        'Bearer error="invalid_token", error_description="the assertion has expired"'
    )


def test_two_assertions_are_none(client: TestClient, signer: Signer) -> None:
    good = signer.assertion("ada")
    answer = client.get("/maybe", headers=[(HEADER, good), (HEADER, good)])
    assert answer.status_code == 401
    assert "more than one" in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    "name", ["X_Gatewarden_Assertion", "Authorization", "X-Pomerium-Jwt-Assertion", "Cookie"]
)
def test_an_assertion_elsewhere_is_none(client: TestClient, signer: Signer, name: str) -> None:
    assert client.get("/me", headers={name: signer.assertion("ada")}).status_code == 401


@pytest.mark.parametrize(
    ("path", "roles", "scopes", "status"),
    [
        ("/any", [], [], 403),
        ("/any", ["reader"], [], 200),
        ("/any", ["books-admin", "x"], [], 200),
        ("/any", ["Reader", "readers"], [], 403),
        ("/any", [], ["reader"], 403),  # a scope is not a role
        ("/all", ["reader"], [], 403),
        ("/all", ["reader", "auditor"], [], 200),
        ("/both", ["a", "c"], ["x", "y"], 200),
        ("/both", ["a", "c"], ["x"], 403),
        ("/both", ["a", "b"], ["x", "y"], 403),
        ("/both", ["c"], ["x", "y"], 403),
        ("/scope", [], ["books:read"], 200),
        ("/scope", ["books-read"], [], 200),
        ("/scope", ["books_read", "books", "read"], [], 403),
        ("/scope", ["reader"], ["books:write", "books", "books:read:all"], 403),
    ],
)
def test_roles_and_scopes(
    client: TestClient, signer: Signer, path: str, roles: list[str], scopes: list[str], status: int
) -> None:
    answer = client.get(path, headers=signer.headers(roles=roles, scopes=scopes))
    assert answer.status_code == status
    if status == 403:
        assert answer.headers["WWW-Authenticate"].startswith('Bearer error="insufficient_scope"')
        assert answer.json() == {"detail": "Not allowed"}


def test_a_mapped_scope_is_its_roles_and_nothing_else(app: FastAPI, client: TestClient) -> None:
    with Signer(app.state.mapped, audience="books") as signer:
        for roles, scopes, status in (
            (["owner"], [], 200),
            (["books-admin"], [], 200),
            (["reader"], ["books:write"], 403),
            (["books:write"], [], 403),
        ):
            answer = client.get("/mapped", headers=signer.headers(roles=roles, scopes=scopes))
            assert answer.status_code == status
    assert 'scope="books:write"' in answer.headers["WWW-Authenticate"]


def test_a_principal_as_the_answer(client: TestClient, signer: Signer) -> None:
    answer = client.get("/dataclass", headers=signer.headers("ada", roles=["reader"], email="a@b.c")).json()
    assert (answer["subject"], answer["roles"], answer["email"]) == ("ada", ["reader"], "a@b.c")


def test_the_gate_is_away(app: FastAPI, client: TestClient, gate: Gate, signer: Signer) -> None:
    def fail(_: str) -> bytes:
        raise OSError("away")

    gate._verifier = Verifier("https://gate.test.invalid", "books", KeySet("http://x", fail))
    answer = client.get("/me", headers=signer.headers())
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "WWW-Authenticate" not in answer.headers
    assert client.get("/maybe", headers=signer.headers()).status_code == 503
    with (
        pytest.raises(WebSocketDenialResponse) as e,
        client.websocket_connect("/socket", headers=signer.headers()),
    ):
        pass
    assert e.value.status_code == 503


def test_without_settings_it_is_the_operators_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GATEWARDEN_URL", raising=False)
    gate, app = Gate(), FastAPI()

    @app.get("/me")
    def me(who: Annotated[Principal, Depends(gate.principal)]) -> str:
        return who.subject

    with pytest.raises(ConfigurationError):
        TestClient(app).get("/me", headers=Signer().headers())
    assert (
        TestClient(app, raise_server_exceptions=False).get("/me", headers=Signer().headers()).status_code
        == 500
    )


def test_a_websocket_of_somebody(client: TestClient, signer: Signer) -> None:
    with client.websocket_connect("/socket", headers=signer.headers("ada", roles=["reader"])) as socket:
        assert socket.receive_text() == "hello ada"
        with pytest.raises(WebSocketDisconnect) as e:
            socket.receive_text()
    assert e.value.code == 4000


@pytest.mark.parametrize(("roles", "status"), [(None, 401), (["intern"], 403)])
def test_a_websocket_is_refused_at_its_handshake(
    client: TestClient, signer: Signer, roles: Optional[list[str]], status: int
) -> None:
    headers = {} if roles is None else signer.headers(roles=roles)
    with pytest.raises(WebSocketDenialResponse) as e, client.websocket_connect("/socket", headers=headers):
        pass
    assert e.value.status_code == status
    assert e.value.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("assertion", "code"), [(False, 1008), (True, 1013)])
def test_a_server_that_cannot_answer_a_handshake_closes_it(
    app: FastAPI, gate: Gate, signer: Signer, assertion: bool, code: int
) -> None:
    async def without(scope: Any, receive: Any, send: Any) -> None:
        await app({**scope, "extensions": {}}, receive, send)

    def fail(_: str) -> bytes:
        raise OSError("away")

    gate._verifier = Verifier("https://gate.test.invalid", "books", KeySet("http://x", fail))
    headers = signer.headers() if assertion else {}
    with (  # noqa: SIM117
        pytest.raises(WebSocketDisconnect) as e
    ):
        with TestClient(without).websocket_connect("/socket", headers=headers):
            pass
    assert e.value.code == code


def test_as_principal(app: FastAPI, client: TestClient, gate: Gate) -> None:
    with as_principal(app, "ada", roles=["reader"], gate=gate, email="ada@example.org", agent="bot") as who:
        assert (who.subject, who.email, who.agent) == ("ada", "ada@example.org", "bot")
        assert client.get("/me").json()["subject"] == "ada"
        assert client.get("/maybe").json() == "ada"
        assert client.get("/any").status_code == 200
        assert client.get("/all").status_code == 403  # roles are asked for as ever
        with client.websocket_connect("/socket") as socket:
            assert socket.receive_text() == "hello ada"
        with as_principal(app, "grace", gate=gate):
            assert client.get("/me").json()["subject"] == "grace"
        assert client.get("/me").json()["subject"] == "ada"
    assert client.get("/me").status_code == 401
    assert app.dependency_overrides == {}


def test_a_signer_is_believed_only_within(client: TestClient, gate: Gate) -> None:
    before = gate.verifier
    with Signer(gate) as signer:
        assert client.get("/me", headers=signer.headers()).status_code == 200
        assert client.get("/me", headers=Signer().headers()).status_code == 401
    assert gate.verifier is before

"""`gatewarden import openapi` of documents that FastAPI makes: what comes out is checked, run, and decides as they say."""
import json
import pathlib
import secrets
import subprocess
import sys
import tempfile
import urllib.request
from typing import Annotated

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from fastapi import FastAPI, Security  # noqa: E402
from fastapi.security import APIKeyHeader, HTTPBearer, OAuth2PasswordBearer  # noqa: E402

from harness import Gateway, equal, main, test, wait_until  # noqa: E402

from fastapi_books import Application  # noqa: E402

_state = {}


def imported(g, *words, text=None):
    """The configuration that comes out, after `check` has seen it."""
    done = subprocess.run([g.binary, "import", "openapi", *words], input=text, text=True,
                                        capture_output=True, timeout=60, check=False)
    equal((done.returncode, done.stderr), (0, ""), words)
    g.write_config(done.stdout)
    checked = g.cli("check")
    equal(checked.returncode, 0, checked.stdout + checked.stderr + done.stdout)
    return done.stdout


def decision(g, roles, method, path):
    words = [word for role in roles for word in ("--role", role)]
    done = g.cli("explain", *words, method, path)
    return done.stdout.split()[1], done.stdout


def world():
    """The example, its document imported from its URL, and the gate with just that. -> (gate, application, document)"""
    if not _state:
        g = Gateway(start=False)
        application = Application(g.url, audience="service").start()
        text = imported(g, application.url + "/openapi.json")
        listen = "listen: {http: 127.0.0.1:8080}"
        equal(text.count(listen), 1, text)
        g.write_config(text.replace(listen, f"listen: {{http: 127.0.0.1:{g.http_port}, admin: 127.0.0.1:{g.admin_port}}}"))
        password = g.passwords["eve"] = secrets.token_urlsafe(15)
        g.secrets.add(password)
        done = g.cli("user", "add", "eve", "--role", "authenticated", text=password + "\n")
        equal(done.returncode, 0, done.stdout + done.stderr)
        g.start()
        wait_until(lambda: g.get("/healthz").status == 200, 15, "the gate to find the application")
        answer = urllib.request.urlopen(application.url + "/openapi.json", timeout=10)
        _state["world"] = g, application, json.load(answer)
    return _state["world"]


@test
def test_every_operation_is_as_open_as_its_document_says():
    g, _, document = world()
    roles = {None: set(), "ada": {"reader"}, "grace": {"books-admin"}, "eve": {"authenticated"}}
    count = 0
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            needed = {scope for entry in operation.get("security", []) for scope in entry["gatewarden"]}
            for user, has in roles.items():
                if path == "/events" and needed <= has:
                    continue  # it does not end
                answer = g.request(method.upper(), path.replace("{key}", "77"), user)
                if "security" not in operation:
                    expected = answer.status == 200
                elif user is None:
                    expected = answer.status == 401
                elif needed:  # 404, 422: the application was asked
                    expected = (answer.status in (200, 404, 422)) == (needed <= has)
                else:
                    expected = (answer.status == 200) == (user == "eve")
                assert expected, (method, path, user, answer)
                count += 1
    assert count >= 40, count


@test
def test_what_the_document_does_not_name_is_closed():
    g, application, _ = world()
    for path in ("/", "/chat", "/book", "/export/all", "/nothing"):
        assert g.get(path, "ada").status == 403, path
    equal(application.is_up(), True)


@test
def test_a_file_standard_input_a_prefix_and_another_address():
    _, application, document = world()
    g = Gateway(start=False)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "openapi.json"
        file.write_text(json.dumps(document))
        text = imported(g, file, "--backend-url", "http://127.0.0.1:9000", "--prefix", "/shop")
    assert "http://127.0.0.1:9000" in text and "strip: " in text, text
    equal(decision(g, ["reader"], "GET", "/shop/books/1")[0], "allowed")
    equal(decision(g, ["reader"], "DELETE", "/shop/books/1")[0], "denied")
    equal(decision(g, ["reader"], "GET", "/books/1")[0], "denied")
    equal(imported(g, "-", text=json.dumps(document)).count("path:"), len(document["paths"]))
    g.discard()


def tutorial():
    """As FastAPI's own manual has it: scopes of OAuth2, and other schemes beside it."""
    oauth2 = OAuth2PasswordBearer("token", scopes={"me": "Read about oneself.", "items:read": "Read items.",
                                                   "items:write": "Change \"items\".\n# and\r: more"})
    app = FastAPI(title="Tutorial: \"quoted\"\n# not a comment", servers=[{"url": "http://127.0.0.1:7777/api/v1"}])

    def someone(token: Annotated[str, Security(oauth2, scopes=["me"])]):
        return token

    @app.get("/users/me")
    def me(who: Annotated[str, Security(someone)]): ...

    @app.get("/users/me/items/")
    def items(who: Annotated[str, Security(someone, scopes=["items:read"])]): ...

    @app.put("/items/{item}", dependencies=[Security(oauth2, scopes=["items:write"])])
    def put(item: int): ...

    @app.get("/items/{item}")
    def get(item: int): ...

    @app.get("/files/{path:path}", dependencies=[Security(oauth2, scopes=["items:read"])])
    def files(path: str): ...

    @app.get("/bearer", dependencies=[Security(HTTPBearer())])
    def bearer(): ...

    @app.get("/key", dependencies=[Security(APIKeyHeader(name="X-Key"))])
    def key(): ...

    return app.openapi()


@test
def test_the_scopes_of_fastapis_manual():
    g = Gateway(start=False)
    document = tutorial()
    text = imported(g, "-", text=json.dumps(document))
    lines = text.splitlines()
    assert not any(line.startswith(("# and", ": more", "# not a comment")) for line in lines), text
    assert "http://127.0.0.1:7777" in text, text
    roles = sorted(line.strip().split('"')[1] for line in lines if line.startswith('  "') and "granted_by" in line)
    both = [role for role in roles if "me" in role and "items" in role]
    equal(len(both), 1, roles)  # a route that asks for two scopes at once
    for has, method, path, expected in (
            (["me"], "GET", "/users/me", "allowed"),
            (["items-read"], "GET", "/users/me", "denied"),
            (["me"], "GET", "/users/me/items", "denied"),
            (both, "GET", "/users/me/items", "allowed"),
            (["items-write"], "PUT", "/items/5", "allowed"),
            (["items-read"], "PUT", "/items/5", "denied"),
            ([], "GET", "/items/5", "allowed"),
            (["items-read"], "DELETE", "/items/5", "denied"),
            (["items-read"], "GET", "/files/a", "allowed"),
            (["me"], "GET", "/key", "denied")):
        assert set(has) <= set(roles), (has, roles)
        got, why = decision(g, has, method, "/api/v1" + path if "strip" in text or "/api/v1" in text else path)
        equal(got, expected, (has, method, path, why))
    g.discard()


@test
def test_what_is_no_document():
    g = Gateway(start=False)
    for text in ("", "{}", "[]", "null", '{"openapi": "2.0", "paths": {}}', '{"openapi": "3.1.0"', "\0", "{" * 100_000):
        done = subprocess.run([g.binary, "import", "openapi", "-"], input=text, text=True, capture_output=True, timeout=60, check=False)
        assert done.returncode in (1, 2) and done.stderr and not done.stdout, (text[:20], done)
    g.discard()


if __name__ == "__main__":
    main()

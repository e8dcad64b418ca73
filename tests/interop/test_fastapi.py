"""A real FastAPI application (examples/fastapi-books) on uvicorn behind the gate: logins, roles, files, streams, OpenAPI."""
import hashlib
import http.client
import http.server
import json
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import httpx  # noqa: E402
import jwt  # noqa: E402

import harness  # noqa: E402
from harness import equal, free_port, jwt_parts, main, test, wait_until  # noqa: E402

from fastapi_books import gate_before  # noqa: E402

NEW = {"title": "Emma", "author": "Jane Austen", "year": 1815}
_state = {}


class Recorder(http.server.BaseHTTPRequestHandler):
    """A service that keeps what it was sent."""

    protocol_version = "HTTP/1.1"
    seen = []

    def do_GET(self):
        Recorder.seen.append(self.headers)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.send_header("X-Gatewarden-Assertion", "of the service")
        self.end_headers()

    def log_message(self, *_):
        pass


def world():
    """-> (gate, application), with a recording service of the same audience beside it."""
    if not _state:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Recorder)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"

        def change(text):
            text = text.replace("\nroles:", f"  recorder: {{type: http, url: {url}, audience: books}}\n\nroles:", 1)
            return text.replace("\nroutes:", "\nroutes:\n  - {path: /recorded, backend: recorder, public: [GET]}", 1)

        _state["world"] = gate_before(change)
    return _state["world"]


def recorded(**more):
    """The fields of one request as the recording service saw them."""
    g, _ = world()
    before = len(Recorder.seen)
    equal(g.get("/recorded", **more).status, 200)
    equal(len(Recorder.seen), before + 1)
    return Recorder.seen[-1]


@test
def test_each_route_is_for_its_roles():
    g, _ = world()
    for method, path, body, nobody, ada, grace in (
            ("GET", "/hello", None, 200, 200, 200),
            ("GET", "/docs", None, 200, 200, 200),
            ("GET", "/openapi.json", None, 200, 200, 200),
            ("GET", "/whoami", None, 401, 200, 200),
            ("GET", "/books", None, 401, 200, 200),
            ("HEAD", "/books", None, 401, 405, 405),  # the application has no HEAD: its own answer
            ("GET", "/books/1", None, 401, 200, 200),
            ("GET", "/books/99", None, 401, 404, 404),
            ("POST", "/books", NEW, 401, 403, 201),
            ("PUT", "/books/1/manuscript", "text", 401, 403, 200),
            ("GET", "/books/1/manuscript", None, 401, 200, 200),
            ("DELETE", "/books/3", None, 401, 403, 204),
            ("PATCH", "/books/1", {}, 401, 403, 405),
            ("POST", "/whoami", None, 401, 403, 403),
            ("GET", "/v1/books", None, 401, 200, 200),
            ("GET", "/healthz", None, 401, 403, 403),  # stands in no route
            ("GET", "/nothing", None, 401, 403, 403)):
        for who, expected in ((None, nobody), ("ada", ada), ("grace", grace)):
            if method == "DELETE" and who == "grace":
                equal(g.get("/books/3", who).status, 200)
            equal(g.request(method, path, who, body=body).status, expected, (method, path, who))


@test
def test_refusals_are_the_gates_and_have_a_record():
    g, _ = world()
    answer = g.get("/books")
    assert answer.headers["www-authenticate"].startswith("Bearer"), answer.headers
    answer = g.request("DELETE", "/books/1", "ada")
    equal(answer.error()["status"], 403)
    record, = g.record_of(answer.error()["decision"])
    assert "ada" in json.dumps(record) and "/books/*" in json.dumps(record), record
    equal(g.get("/books", "a.b.c").status, 401)
    # A token that is shown must be good, on a public route too.
    equal(g.get("/hello", "a.b.c").status, 401)


@test
def test_the_application_knows_who_is_calling():
    g, _ = world()
    for user, roles in (("ada", ["reader"]), ("grace", ["books-admin", "reader"])):
        who = g.get("/whoami", user).json()
        equal((who["issuer"], sorted(who["roles"])), ("local", roles))
        equal(who["subject"], g.get("/me", user).json()["subject"])
        equal(who["claims"]["aud"], "books")
        equal(who["claims"]["iss"], g.url)
    equal(g.get("/hello").body, b'"Hello, stranger"')
    equal(g.get("/hello", "ada").body, b'"Hello, ada"')
    equal(g.request("POST", "/books", "grace", body=NEW).json()["added_by"], "grace")


@test
def test_the_assertion_is_what_pyjwt_expects():
    g, _ = world()
    token = recorded(token="ada").get_all("X-Gatewarden-Assertion")
    equal(len(token), 1)
    header, claims = jwt_parts(token[0])
    equal((header["typ"], header["alg"]), ("gatewarden-assertion+jwt", "ES256"))
    assert claims["exp"] - claims["iat"] <= 300, claims
    key = jwt.PyJWKClient(g.url + "/.well-known/jwks.json").get_signing_key_from_jwt(token[0])
    jwt.decode(token[0], key, ["ES256"], audience="books", issuer=g.url, options={"strict_aud": True})
    # Each worker makes it once and uses it again, and it opens nothing at the gate.
    seen = {recorded(token="ada")["X-Gatewarden-Assertion"] for _ in range(20)}
    assert len(seen) <= len(g.children("worker")), len(seen)
    equal(g.get("/books", token[0]).status, 401)
    g.secrets.update(each.rsplit(".", 1)[-1] for each in seen)


@test
def test_what_callers_write_about_themselves_is_gone():
    g, application = world()
    real = recorded(token="grace")["X-Gatewarden-Assertion"]
    g.secrets.add(real.rsplit(".", 1)[-1])
    # It is real: past the gate it would be believed, which is why it is nobody's to send.
    with httpx.Client(trust_env=False) as direct:
        answer = direct.get(application.url + "/whoami", headers={"X-Gatewarden-Assertion": real})
        equal(answer.status_code, 200, answer.text)
        equal(direct.get(application.url + "/whoami").status_code, 401)
        equal(direct.get(application.url + "/whoami", headers={"X-Gatewarden-Assertion": real[:-8]}).status_code, 401)
    for name in ("X_Gatewarden_Assertion", "X-GATEWARDEN_ASSERTION"):  # servers that think `_` is `-` never see them
        equal(g.get("/hello", headers={name: real}).status, 400, name)
    for name in ("X-Gatewarden-Assertion", "x-gatewarden-assertion", "X-GATEWARDEN-ASSERTION"):
        equal(g.get("/hello", headers={name: real}).body, b'"Hello, stranger"', name)
        equal(g.get("/whoami", headers={name: real}).status, 401, name)
        who = g.get("/whoami", "ada", headers={name: real, "Connection": "close, " + name})
        equal((who.status, who.json()["roles"]), (200, ["reader"]), name)
    forged = {"X-Gatewarden-Assertion": real, "X-Forwarded-User": "grace", "X-Auth-Request-User": "grace",
              "Remote-User": "grace", "X-Pomerium-Jwt-Assertion": real, "X-MS-CLIENT-PRINCIPAL": "e30=",
              "X-Real-IP": "10.0.0.1", "X-Forwarded-For": "10.0.0.1", "Forwarded": "for=10.0.0.1",
              "X-Forwarded-Groups": "books-admin", "X-Gatewarden-Roles": "books-admin"}
    seen = recorded(headers=forged)
    for name, value in forged.items():
        assert value not in (seen.get_all(name) or []), (name, seen.get_all(name))
    equal(seen.get_all("X-Gatewarden-Assertion"), None)
    assert recorded(token="ada").get("Authorization") is None
    # Nor does a service say anything in our name.
    assert "x-gatewarden-assertion" not in g.get("/recorded").headers


@test
def test_the_applications_own_pages_work_at_the_gate():
    g, _ = world()
    page = g.get("/docs")
    assert b"swagger-ui" in page.body and b"/openapi.json" in page.body, page
    document = g.get("/openapi.json").json()
    equal(document["info"]["title"], "Books")
    scheme = document["components"]["securitySchemes"]["gatewarden"]["flows"]["password"]
    # What its Authorize button does.
    answer = g.form(scheme["tokenUrl"], grant_type="password", username="ada", password=g.passwords["ada"])
    equal(answer.status, 200)
    equal(g.get("/books", answer.json()["access_token"]).status, 200)
    equal(g.get("/docs/oauth2-redirect").status, 200)


@test
def test_a_prefix_is_taken_away():
    g, _ = world()
    equal(g.get("/v1/books/1", "ada").json(), g.get("/books/1", "ada").json())
    equal(g.get("/v1/../whoami", "ada").status, 400)  # nobody has to guess whose path that is
    equal(g.get("/v1/books?author=x&author=Cervantes", "ada").json()[0]["title"], "Don Quixote")


def book_of(g):
    return g.request("POST", "/books", "grace", body=NEW).json()["id"]


@test
def test_a_file_of_20_mb_up_and_down():
    g, _ = world()
    data = random.Random(1).randbytes(20_000_000)
    path = f"/books/{book_of(g)}/manuscript"
    fields = {"Authorization": f"Bearer {g.token('grace')}"}

    def parts():
        for at in range(0, len(data), 100_000):
            yield data[at:at + 100_000]

    with httpx.Client(trust_env=False, base_url=g.url, headers=fields, timeout=60) as client:
        for content in (data, parts()):  # with its length, and chunked
            answer = client.put(path, content=content)
            equal((answer.status_code, answer.json()), (200, {"bytes": len(data)}))
            digest = hashlib.sha256()
            with client.stream("GET", path) as answer:
                equal((answer.status_code, answer.headers["Content-Length"]), (200, str(len(data))))
                for part in answer.iter_bytes():
                    digest.update(part)
            equal(digest.hexdigest(), hashlib.sha256(data).hexdigest())
        answer = client.post(path, files={"file": ("book.txt", data)})
        equal((answer.status_code, answer.json()), (200, {"bytes": len(data)}))
        # A part of it, and what is unchanged.
        answer = client.get(path, headers={"Range": "bytes=19999990-"})
        equal((answer.status_code, answer.content), (206, data[-10:]))


@test
def test_an_upload_that_is_refused_ends_early():
    g, _ = world()
    connection = http.client.HTTPConnection("127.0.0.1", g.http_port, timeout=20)
    connection.putrequest("PUT", "/books/1/manuscript")
    for name, value in (("Authorization", f"Bearer {g.token('ada')}"), ("Content-Length", "1000000000"),
                        ("Expect", "100-continue")):
        connection.putheader(name, value)
    connection.endheaders()
    equal(connection.getresponse().status, 403)
    connection.close()
    # Larger than the route allows.
    fields = {"Content-Length": str(2 << 30), "Expect": "100-continue", "Authorization": f"Bearer {g.token('grace')}"}
    connection.putrequest("PUT", "/books/1/manuscript")
    for name, value in fields.items():
        connection.putheader(name, value)
    connection.endheaders()
    equal(connection.getresponse().status, 413)
    connection.close()


@test
def test_a_download_arrives_while_it_is_made():
    g, _ = world()
    with httpx.Client(trust_env=False, headers={"Authorization": f"Bearer {g.token('ada')}"}, timeout=60) as client:
        count = 100_000
        with client.stream("GET", g.url + f"/export?lines={count}") as answer:
            equal(answer.status_code, 200)
            numbers = (json.loads(line)["line"] for line in answer.iter_lines())
            equal(next(numbers), 0)
            time.sleep(0.5)  # a reader that pauses holds the application up, and loses nothing
            equal(sum(1 for _ in numbers), count - 1)
        # Whoever goes away in the middle leaves nothing behind.
        for _ in range(10):
            with client.stream("GET", g.url + "/export?lines=10000000") as answer:
                next(answer.iter_lines())
        equal(client.get(g.url + "/books").status_code, 200)
    wait_until(lambda: g.get("/export?lines=1", "ada").status == 200, 20, "four at once to be one again")


@test
def test_an_application_that_is_away_and_comes_back():
    g, application = gate_before()
    application.stop()
    for path, user in (("/hello", None), ("/books", "ada")):
        answer = g.get(path, user)
        assert answer.status in (502, 503), answer
    equal(g.get("/books").status, 401)  # who may not ask does not learn whether it is there
    application.start()
    wait_until(lambda: g.get("/books", "ada").status == 200, 30, "the application to be found again")


@test
def test_the_same_application_on_hypercorn_over_http2():
    g, _ = gate_before(lambda text: text.replace("    audience: books", "    protocol: http2\n    audience: books", 1),
                       server="hypercorn")
    equal(g.get("/whoami", "ada").json()["roles"], ["reader"])
    equal(g.get("/books").status, 401)
    equal(g.request("DELETE", "/books/1", "ada").status, 403)
    data = random.Random(2).randbytes(3_000_000)
    answer = g.request("PUT", "/books/1/manuscript", "grace", body=data)
    equal((answer.status, answer.json()), (200, {"bytes": len(data)}))
    assert g.get("/books/1/manuscript", "ada").body == data
    equal(g.get("/export?lines=5000", "ada").body.count(b"\n"), 5000)
    equal(g.request("POST", "/books", "grace", body=NEW).status, 201)


@test
def test_keys_that_cannot_be_had_are_503():
    from fastapi_books import Application

    g, application = world()
    lonely = Application(f"http://127.0.0.1:{free_port()}").start()
    token = recorded(token="ada")["X-Gatewarden-Assertion"]
    with httpx.Client(trust_env=False, base_url=lonely.url) as direct:
        answer = direct.get("/books", headers={"X-Gatewarden-Assertion": token})
        equal((answer.status_code, answer.headers.get("Retry-After")), (503, "5"))
        equal(direct.get("/books").status_code, 401)
    lonely.stop()
    other = Application(g.url, audience="shop").start()
    with httpx.Client(trust_env=False, base_url=other.url) as direct:
        answer = direct.get("/books", headers={"X-Gatewarden-Assertion": token})
        equal(answer.status_code, 401)
        assert "another service" in answer.headers["WWW-Authenticate"], answer.headers
    other.stop()
    harness.equal(application.process.poll(), None)


if __name__ == "__main__":
    main()

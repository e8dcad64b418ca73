"""Lists of attacks that others collected: SQL injection in every parameter, odd JSON as bodies, odd names."""
import http.client
import json
import urllib.parse

from harness import Gateway, corpus, equal, main, shared, test
from rows import NEW

CLEAN = {200, 201, 204, 400, 401, 403, 404, 409, 413, 414, 415, 422, 431}
# Enough of each file to be worth it under the sanitizers, spread over the whole of it.
EACH_FILE_MAX = 60


def gateway():
    return shared()


class Caller:
    """One kept-alive connection."""

    def __init__(self, gateway, user):
        self.port, self.token = gateway.http_port, gateway.token(user)
        self.connection = None

    def __call__(self, method, path, body=None, headers=None):
        fields = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        for last in (False, True):
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
            try:
                self.connection.request(method, path, body=body, headers=fields)
                response = self.connection.getresponse()
                data = response.read()
                if response.getheader("Connection") == "close":
                    self.connection = None
                return response.status, data
            except (ConnectionError, http.client.HTTPException):
                self.connection = None
                if last:
                    raise
        return None


def payloads():
    folder = corpus("sqli-payloadbox")
    found = []
    for path in sorted(folder.rglob("*.txt")):
        if path.name == "SOURCE.txt":
            continue
        lines = [line for line in path.read_bytes().split(b"\n") if line.strip()]
        found += lines[::max(1, len(lines) // EACH_FILE_MAX)]
    assert len(found) > 300
    return found


def table_state(g):
    return g.sql("SELECT count(*), sum(length(title)), group_concat(name) FROM books, sqlite_master")


@test
def test_the_injection_list_in_every_parameter_of_a_read():
    g = gateway()
    call = Caller(g, "ada")
    before = table_state(g)
    for payload in payloads():
        quoted = urllib.parse.quote(payload, safe="")
        literal = urllib.parse.quote(payload.replace(b"'", b"''"), safe="")
        for path in (f"/api/books?$filter={quoted}", f"/api/books?$filter=title%20eq%20'{literal}'", f"/api/books?$orderby={quoted}",
                     f"/api/books?$select={quoted}", f"/api/books?$first={quoted}", f"/api/books?$after={quoted}", f"/api/books/{quoted}",
                     f"/api/{quoted}", f"/api/books/id/{quoted}", f"/api/books/{quoted}/1", f"/api/books?{quoted}=1"):
            if len(path) > 8000:
                continue
            status, body = call("GET", path)
            assert status in CLEAN, (status, path, body[:200])
            assert b"cost" not in body or status == 403, (path, body[:300])
            if status == 200:
                rows = json.loads(body)["value"]
                assert all(r.get("published", True) is True for r in rows), path
            if "title%20eq" in path and status == 200:
                equal(json.loads(body)["value"], [], f"{payload!r} as a title")
    equal(table_state(g), before)


@test
def test_the_injection_list_as_values_of_a_write():
    g = Gateway()
    call = Caller(g, "grace")
    for index, payload in enumerate(payloads()):
        text = payload.decode("utf-8", "replace").replace("\x00", "")
        code = f"BK-6{index:06}"
        status, body = call("POST", "/api/books", json.dumps({**NEW, "code": code, "title": text}), {"Content-Type": "application/json"})
        assert status in (201, 400, 422), (status, text, body)
        if status == 201:
            equal(json.loads(body)["value"][0]["title"], text)
    tables = {r[0] for r in g.sql("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {"books", "authors"} <= tables
    g.check_end()


@test
def test_the_injection_list_as_names_and_passwords():
    g = Gateway()
    for payload in payloads()[::40]:
        for fields in ({"username": payload, "password": "x" * 12}, {"username": "ada", "password": payload}):
            answer = g.form("/token", grant_type="password", **fields)
            assert answer.status in (400, 401, 422, 429), (payload, answer)
    g.check_end()


@test
def test_odd_json_as_bodies():
    g = gateway()
    call = Caller(g, "grace")
    folder = corpus("json-test-suite/test_parsing")
    before = table_state(g)
    count = 0
    for path in sorted(folder.glob("*.json")):
        body = path.read_bytes()
        for data in (body, b'{"title":' + body + b"}"):
            status, answer = call("POST", "/api/books", data, {"Content-Type": "application/json"})
            assert status in (400, 413, 422), (path.name, status, answer[:200])
            if path.name.startswith("n_"):
                assert status in (400, 413) or data is not body, (path.name, status, answer[:200])
            count += 1
    assert count > 600
    equal(table_state(g), before)


@test
def test_deep_json_is_refused_at_once():
    g = gateway()
    for body in (b"[" * 500_000, b'{"a":' * 150_000, b"[" * 100_000 + b"]" * 100_000, b'{"title":' + b"[" * 200_000):
        answer = g.request("POST", "/api/books", "grace", body=body, headers={"Content-Type": "application/json"})
        assert answer.status in (400, 422), answer


@test
def test_odd_json_as_parts_of_a_token():
    import base64
    b64 = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()  # noqa: E731
    g = gateway()
    call = Caller(g, "ada")
    good = b64(b'{"alg":"ES256","kid":"x"}')
    for path in sorted(corpus("json-test-suite/test_parsing").glob("*.json")):
        part = b64(path.read_bytes()[:6000])
        for token in (f"{part}.{good}.AAAA", f"{good}.{part}.AAAA"):
            status, body = call("GET", "/me", headers={"Authorization": f"Bearer {token}"})
            assert status in (401, 431), (path.name, status, body[:200])


@test
def test_names_that_are_hard_to_read():
    g = gateway()
    for name in ("%E2%80%AEskoob", "books%00", "b%C3%B6%C3%B6ks", "books%20", "%20books", "Books", "books.", "books~1", "%F0%9F%93%9A",
                 "books%E2%80%8B", "authors%0A", "x" * 3000, "%2e", "constructor", "__proto__"):
        answer = g.get(f"/api/{name}", "ada")
        assert answer.status in (400, 403), (name, answer)


@test
def test_values_in_filters_that_are_hard_to_read():
    g = gateway()
    for value in ("\u0000", "\ud7ff", "\U0010ffff", "ﷺ" * 50, "'" * 50, "\\", "%", "_", "\u02bc", "a" * 4000, "\r\n", "\u202e", "ı", "K"):
        path = "/api/books?$filter=" + urllib.parse.quote("title eq '" + value.replace("'", "''") + "'", safe="")
        answer = g.get(path, "ada")
        assert answer.status in (200, 400, 414, 431), (value[:10], answer)
        if answer.status == 200:
            equal(answer.json()["value"], [])


main()

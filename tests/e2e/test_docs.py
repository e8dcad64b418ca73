"""/openapi.json, /docs and the documents under /.well-known."""
import gzip
import json
import subprocess
import sys

from harness import ROOT, equal, main, shared, test


def gateway():
    return shared()


def document(user=None):
    answer = gateway().get("/openapi.json", user)
    equal(answer.status, 200, answer)
    equal(answer.headers["content-type"].split(";")[0], "application/json")
    return answer.json()


@test
def test_openapi_3_1_with_a_password_flow():
    d = document("grace")
    assert d["openapi"].startswith("3.1"), d["openapi"]
    flows = [s["flows"]["password"] for s in d["components"]["securitySchemes"].values() if s["type"] == "oauth2"]
    equal(len(flows), 1)
    assert flows[0]["tokenUrl"].endswith("token"), flows


@test
def test_openapi_has_only_what_the_caller_may_do():
    reader, admin = document("ada"), document("grace")
    methods = lambda d, path: {m for m in d["paths"].get(path, {}) if m in ("get", "post", "put", "patch", "delete")}  # noqa: E731
    equal(methods(reader, "/api/books"), {"get"})
    equal(methods(admin, "/api/books"), {"get", "post"})
    key = [p for p in admin["paths"] if p.startswith("/api/books/")][0]
    equal(methods(reader, key), {"get"})
    equal(methods(admin, key), {"get", "put", "patch", "delete"})
    assert "cost" not in json.dumps(reader), "a hidden column"
    assert "cost" in json.dumps(admin)


@test
def test_openapi_without_a_token_tells_of_no_data():
    d = document()
    assert not [p for p in d["paths"] if p.startswith("/api/")], d["paths"].keys()


@test
def test_openapi_refers_to_what_it_holds():
    def refs(value):
        if isinstance(value, dict):
            yield from ([value["$ref"]] if isinstance(value.get("$ref"), str) else [])
            for v in value.values():
                yield from refs(v)
        elif isinstance(value, list):
            for v in value:
                yield from refs(v)
    d = document("grace")
    for ref in refs(d):
        at = d
        assert ref.startswith("#/"), ref
        for step in ref[2:].split("/"):
            at = at[step]
    ids = [o["operationId"] for p in d["paths"].values() for o in p.values() if isinstance(o, dict) and "operationId" in o]
    equal(len(ids), len(set(ids)), "operation ids")


@test
def test_docs_page_and_its_files():
    g = gateway()
    page = g.get("/docs")
    equal(page.status, 200)
    assert b"swagger-ui" in page.body
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "unsafe" not in policy, policy
    assert b"<script>" not in page.body and b" onload=" not in page.body
    for path in ("/docs/docs.js", "/docs/docs.css", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js"):
        answer = g.get(path, headers={"Accept-Encoding": "gzip"})
        equal((answer.status, answer.headers["content-encoding"]), (200, "gzip"), path)
        assert len(gzip.decompress(answer.body)) > 50
        equal(answer.headers.get("x-content-type-options"), "nosniff")


@test
def test_docs_files_are_what_web_holds():
    g = gateway()
    for path, file in (("/docs", "docs.html"), ("/docs/docs.js", "docs.js"), ("/docs/swagger-ui.css", "node_modules/swagger-ui-dist/swagger-ui.css")):
        answer = g.get(path, headers={"Accept-Encoding": "gzip"})
        body = gzip.decompress(answer.body) if answer.headers.get("content-encoding") == "gzip" else answer.body
        equal(body, (ROOT / "web" / file).read_bytes(), path)


@test
def test_docs_files_are_not_sent_twice():
    g = gateway()
    tag = g.get("/docs/docs.js").headers["etag"]
    answer = g.get("/docs/docs.js", headers={"If-None-Match": tag})
    equal((answer.status, answer.body), (304, b""))
    equal(g.get("/docs/docs.js", headers={"If-None-Match": '"other"'}).status, 200)


@test
def test_a_client_without_gzip_gets_text():
    answer = gateway().get("/docs", headers={"Accept-Encoding": "identity"})
    equal(answer.status, 200)
    assert answer.body.startswith(b"<!DOCTYPE html>"), answer


@test
def test_well_known_documents():
    g = gateway()
    jwks = g.get("/.well-known/jwks.json").json()
    assert jwks["keys"]
    for key in jwks["keys"]:
        equal((key["kty"], key["crv"], key["alg"], key["use"]), ("EC", "P-256", "ES256", "sig"))
        assert key["kid"] and not {"d", "p", "q", "k"} & key.keys(), "private parts"
    d = g.get("/.well-known/openid-configuration").json()
    equal(d["issuer"].rstrip("/"), g.url)
    equal(d["jwks_uri"], g.url + "/.well-known/jwks.json")
    equal(d["token_endpoint"], g.url + "/token")


@test
def test_an_unknown_path_is_404_and_tells_nothing():
    for path in ("/", "/admin", "/.env", "/docs/nothing.js", "/.well-known/nothing", "/wp-login.php"):
        answer = gateway().get(path)
        equal(answer.status, 404, path)
        assert "server" not in answer.headers, answer.headers


@test
def test_the_embedding_tool_gives_the_same_bytes_each_time():
    import tempfile
    import pathlib
    with tempfile.TemporaryDirectory() as folder:
        outputs = []
        for name in ("a.c", "b.c"):
            subprocess.run([sys.executable, ROOT / "tools/embed", f"{folder}/{name}", "/docs", "text/html", ROOT / "web/docs.html"], check=True)
            outputs.append(pathlib.Path(folder, name).read_bytes())
        equal(outputs[0], outputs[1])


main()

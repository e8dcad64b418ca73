#!/usr/bin/env python3
"""`gatewarden import openapi`: where the document comes from, and documents that mean ill."""
import http.server
import json
import subprocess
import tempfile
import threading
import pathlib

from harness import BINARY, environment, equal, free_port, main, test

DOCUMENT = {
    "openapi": "3.0.3", "info": {"title": "Pets", "version": "1"},
    "paths": {
        "/pets": {"get": {"operationId": "list_pets"}, "post": {"security": [{"oauth": ["pets:write"]}]}},
        "/pets/{id}": {"get": {"security": [{"oauth": ["pets:read"]}]}},
    },
    "components": {"securitySchemes": {"oauth": {"type": "oauth2", "flows": {"implicit": {
        "authorizationUrl": "https://x.example/a", "scopes": {"pets:read": "Read pets.", "pets:write": "Write pets."}}}}}},
}
YAML = """openapi: "3.1.0"
info: {title: Pets, version: "1"}
security:
  - key: []
paths:
  /pets/{id}/:
    summary: >
      folded
      text
    get:
      responses: {"200": {description: ok}}
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-Key}
"""


def run(*words, text=None):
    return subprocess.run([BINARY, "import", *words], input=text, text=True, capture_output=True, timeout=60, check=False,
                          env=environment(leaks=True))


def checked(text):
    """It must pass as it is. -> the last line of `check`"""
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "gatewarden.yaml"
        file.write_text(text)
        done = subprocess.run([BINARY, "check", "-c", file], text=True, capture_output=True, timeout=60, check=False,
                              env=environment(leaks=True))
        equal((done.returncode, done.stderr), (0, ""), text)
        return done.stdout.splitlines()[-1]


class Site(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "http://127.0.0.2:1/openapi.json")
            self.end_headers()
            return
        body = {"/openapi.json": json.dumps(DOCUMENT), "/huge": "{" + " " * (2 << 20) + "}"}.get(self.path)
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write((body or "").encode())

    def log_message(self, *_):
        pass


def site():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


@test
def test_a_document_is_fetched_from_the_service_it_is_of():
    url = site()
    done = run("openapi", url + "/openapi.json")
    equal((done.returncode, done.stderr), (0, ""))
    assert f'url: "{url}"' in done.stdout, done.stdout
    assert "# Read pets." in done.stdout and '"pets-write": [POST]' in done.stdout, done.stdout
    assert "2 roles, 0 resources, 2 routes" in checked(done.stdout), checked(done.stdout)


@test
def test_what_cannot_be_fetched_is_told():
    url = site()
    for path, why in (("/gone", "no 200"), ("/moved", ""), ("/huge", "")):
        done = run("openapi", url + path)
        equal((done.returncode, done.stdout), (2, ""), path)
        assert done.stderr.startswith("gatewarden import: ") and why in done.stderr, done.stderr
    done = run("openapi", f"http://127.0.0.1:{free_port()}/openapi.json")
    equal((done.returncode, done.stdout), (2, ""))
    done = run("openapi", "http://192.0.2.1/openapi.json")
    equal((done.returncode, done.stdout), (2, ""))  # not https, and not this machine


@test
def test_yaml_is_read_too():
    done = run("openapi", "-", text=YAML)
    equal((done.returncode, done.stderr), (0, ""))
    assert 'path: "/pets/*"' in done.stdout and '"authenticated": [GET]' in done.stdout, done.stdout
    assert "http://127.0.0.1:8000" in done.stdout, done.stdout
    checked(done.stdout)


@test
def test_a_prefix_and_another_service():
    done = run("openapi", "-", "--prefix", "/shop", "--backend-url", "https://pets.example", text=json.dumps(DOCUMENT))
    equal((done.returncode, done.stderr), (0, ""))
    assert 'strip: "/shop"' in done.stdout and 'url: "https://pets.example"' in done.stdout, done.stdout
    checked(done.stdout)


@test
def test_documents_that_mean_ill_end_in_a_message_or_a_good_configuration():
    loop = dict(DOCUMENT, paths={"/a": {"$ref": "#/paths/~1b"}, "/b": {"$ref": "#/paths/~1a"}, "/c": {"$ref": "file:///etc/passwd"}})
    texts = [
        "a: &a [x, x]\nb: &b [*a, *a]\nopenapi: 3.0.0\npaths: *b\n",
        '{"openapi": "3.0.0", "paths": ' + "[" * 5000 + "]" * 5000 + "}",
        json.dumps(loop),
        json.dumps(dict(DOCUMENT, paths={f"/p{i}": {"get": {}} for i in range(5000)})),
        json.dumps(dict(DOCUMENT, info={"title": "x\n\nadmin: evil\r\u2028"}, paths={
            "/a\"]}\n  - path: /b": {"get": {}}, "/x y": {"get": {}}, "/" + "z" * 5000: {"get": {}},
            "/ok": {"get": {"operationId": "a\n- x", "security": [{"o": ["${env:HOME}", "a: b, c]"]}]}}})),
        '{"openapi": "3.0.0", "openapi": "3.1.0", "paths": {}}',
        "\ufeff{}",
        "openapi: !!python/object 3.0.0\n",
    ]
    for text in texts:
        done = run("openapi", "-", text=text)
        assert done.returncode in (0, 2), (text[:80], done)
        assert "HOME" not in done.stdout and "/etc/passwd" not in done.stdout, done.stdout
        if done.returncode == 2:
            assert done.stderr.startswith(("gatewarden import: ", "-:")) and not done.stdout, (text[:80], done)
        else:
            assert not any(line.startswith(("admin", "- x")) for line in done.stdout.splitlines()), done.stdout
            checked(done.stdout)


@test
def test_wrong_use_is_status_2():
    for words in ((), ("swagger", "x"), ("openapi",), ("openapi", "a", "b"), ("openapi", "a", "--prefix"),
                  ("openapi", "a", "--prefix", "shop"), ("openapi", "a", "--nosuch"), ("openapi", "/nowhere"),
                  ("openapi", "-", "--backend-url", "nonsense")):
        done = run(*words, text=json.dumps(DOCUMENT))
        equal((done.returncode, done.stdout), (2, ""), words)


if __name__ == "__main__":
    main()

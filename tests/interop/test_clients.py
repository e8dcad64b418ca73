"""Clients we did not write: curl, requests, PyJWT, npm jose."""
import json
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import jwt  # noqa: E402
import requests  # noqa: E402

from harness import ROOT, Gateway, equal, main, shared, test  # noqa: E402
from rows import NEW  # noqa: E402


def gateway():
    return shared()


@test
def test_npm_jose():
    g = gateway()
    done = subprocess.run(["node", pathlib.Path(__file__).parent / "jose.mjs", g.url], cwd=ROOT / "tests", text=True, capture_output=True,
                          env=dict(os.environ, TOKEN=g.token("ada")), timeout=60, check=False)
    print(done.stdout, end="")
    equal(done.returncode, 0, done.stderr)


@test
def test_pyjwt_finds_our_keys_and_verifies():
    g = gateway()
    for algorithm in ("ES256", "RS256", "EdDSA"):
        other = g if algorithm == "ES256" else Gateway(lambda c: c["issuers"]["local"].update(signing_algorithm=algorithm))
        token = other.token("ada")
        client = jwt.PyJWKClient(other.url + "/.well-known/jwks.json")
        claims = jwt.decode(token, client.get_signing_key_from_jwt(token).key, [algorithm], audience="api://books",
                            issuer=other.get("/.well-known/openid-configuration").json()["issuer"])
        equal(claims["roles"], ["reader"])
        equal(other.get("/api/books/1", token).status, 200)
        if other is not g:
            other.check_end()


@test
def test_requests_with_a_session():
    g = gateway()
    with requests.Session() as s:
        s.trust_env = False
        answer = s.post(g.url + "/token", data={"username": "ada", "password": g.passwords["ada"]}, timeout=20)
        equal(answer.status_code, 200)
        g.keep_secrets(answer.json())
        s.headers["Authorization"] = "Bearer " + answer.json()["access_token"]
        answer = s.get(g.url + "/api/books", params={"$filter": "contains(title, 'War')", "$first": 5}, timeout=20)
        assert "War and Peace" in [b["title"] for b in answer.json()["value"]], answer.text
        equal(s.delete(g.url + "/api/books/1", timeout=20).status_code, 403)
        answer = s.get(g.url + "/docs/swagger-ui-bundle.js", timeout=20)
        assert len(answer.text) > 1_000_000
        s.headers["Authorization"] = "Bearer " + g.token("grace")
        answer = s.post(g.url + "/api/books", json={**NEW, "code": "BK-9900001"}, timeout=20)
        equal(answer.status_code, 201, answer.text)


def curl(*words):
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "-o", "-", "-w", "\n%{http_code}", *words], capture_output=True, text=True, check=False)
    equal(done.returncode, 0, done.stderr)
    body, _, status = done.stdout.rpartition("\n")
    return int(status), body


@test
def test_curl_as_in_the_readme():
    g = gateway()
    status, body = curl(g.url + "/token", "-d", "username=ada", "--data-urlencode", "password=" + g.passwords["ada"])
    equal(status, 200, body)
    g.keep_secrets(json.loads(body))
    bearer = "Authorization: Bearer " + json.loads(body)["access_token"]
    status, body = curl("-H", bearer, "-G", g.url + "/api/books", "--data-urlencode", "$filter=year lt 1700", "--data-urlencode", "$first=5")
    equal((status, len(json.loads(body)["value"])), (200, 5))
    status, body = curl("-X", "DELETE", "-H", bearer, g.url + "/api/books/1")
    equal(status, 403, body)
    status, body = curl("--compressed", g.url + "/docs")
    assert status == 200 and body.startswith("<!DOCTYPE html>")


@test
def test_curl_sends_large_chunked_and_expecting_bodies():
    g = gateway()
    body = json.dumps({**NEW, "code": "BK-9900002", "note": "n" * 300_000})
    bearer = "Authorization: Bearer " + g.token("grace")
    path = g.folder / "body.json"
    path.write_text(body)
    status, answer = curl("-X", "POST", "-H", bearer, "-H", "Content-Type: application/json", "-H", "Transfer-Encoding: chunked",
                          "-H", "Expect: 100-continue", "--data-binary", f"@{path}", g.url + "/api/books")
    equal(status, 201, answer[:300])


main()

"""Our own authorization server with clients that we did not write: npm openid-client and Python authlib."""
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import requests  # noqa: E402
from authlib.integrations.requests_client import OAuth2Session  # noqa: E402
from authlib.oauth2.rfc7523 import PrivateKeyJWT  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from joserfc.jwk import ECKey  # noqa: E402

from harness import ROOT, Gateway, equal, main, test  # noqa: E402
from idp import Key, number  # noqa: E402

REDIRECT = "http://127.0.0.1:9/callback"
_world = {}


def world():
    if not _world:
        key = Key("ES256", "keyed-1")
        g = Gateway(lambda c: c["resources"]["authors"]["allow"].update({"reader": ["read"]}))
        (g.folder / "keyed.json").write_text(json.dumps({"keys": [key.jwk()]}))
        machine = ["--role", "reader", "--grant", "client_credentials"]
        g.add_client("shop", "--public", "--redirect-uri", REDIRECT, "--grant", "code")
        secrets = {"service": g.add_client("service", *machine), "assistant": g.add_client("assistant", "--grant", "exchange"),
                   "site": g.add_client("site", "--redirect-uri", REDIRECT, "--grant", "code")}
        g.add_client("keyed", *machine, "--jwks", str(g.folder / "keyed.json"))
        _world.update(gateway=g, key=key, secrets=secrets)
    return _world["gateway"], _world["key"], _world["secrets"]


@test
def test_npm_openid_client():
    g, key, secrets = world()
    private = {**key.jwk(), "d": number(key.private.private_numbers().private_value, 32)}
    given = {"url": g.url, "redirect": REDIRECT, "user": "ada", "password": g.passwords["ada"], "clients": secrets, "key": private}
    done = subprocess.run(["node", pathlib.Path(__file__).parent / "openid_client.mjs"], cwd=ROOT / "tests", input=json.dumps(given), text=True,
                          capture_output=True, timeout=180, check=False, env=dict(os.environ, NODE_NO_WARNINGS="1"))
    for line in done.stdout.splitlines():
        if line.startswith("secrets "):
            g.secrets.update(json.loads(line[8:]))
        else:
            print(line)
    equal(done.returncode, 0, done.stderr[-1500:])
    records = g.records('"assistant"')
    assert any(r["unmapped"]["agent"] == "assistant" and r["actor"]["user"]["name"] == "ada" for r in records), "a record names both"


def log_in(url, user, password):
    """A browser on the login page. -> where it is sent"""
    with requests.Session() as s:
        s.trust_env = False
        page = s.get(url, headers={"Accept": "text/html"}, timeout=20)
        equal(page.status_code, 200, page.text[:300])
        form = dict(re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', page.text))
        action = re.search(r'<form [^>]*action="([^"]*)"', page.text)[1]
        answer = s.post(urllib.parse.urljoin(url, action), data={**form, "username": user, "password": password}, allow_redirects=False,
                        headers={"Origin": url.split("/authorize")[0]}, timeout=20)
        assert answer.status_code in (302, 303), (answer.status_code, answer.text[:300])
        return answer.headers["location"]


def session(**more):
    s = OAuth2Session(**more)
    s.trust_env = False
    return s


@test
def test_authlib_code_with_pkce():
    g, _, secrets = world()
    for name, authentication in (("shop", "none"), ("site", "client_secret_basic"), ("site", "client_secret_post")):
        s = session(client_id=name, client_secret=secrets.get(name), redirect_uri=REDIRECT, scope="reader offline_access",
                    token_endpoint_auth_method=authentication, code_challenge_method="S256")
        verifier = "v" * 20 + name + "-0123456789-0123456789-0123456789"
        url, state = s.create_authorization_url(g.url + "/authorize", code_verifier=verifier)
        token = s.fetch_token(g.url + "/token", authorization_response=log_in(url, "ada", g.passwords["ada"]), state=state, code_verifier=verifier)
        g.keep_secrets(token)
        equal(s.get(g.url + "/me", timeout=20).json()["roles"], ["reader"], name)
        fresh = s.refresh_token(g.url + "/token", refresh_token=token["refresh_token"])
        g.keep_secrets(fresh)
        assert fresh["access_token"] != token["access_token"]
        equal(s.get(g.url + "/api/books/1", timeout=20).status_code, 200)


@test
def test_authlib_client_credentials():
    g, _, secrets = world()
    for authentication in ("client_secret_basic", "client_secret_post"):
        s = session(client_id="service", client_secret=secrets["service"], scope="reader", token_endpoint_auth_method=authentication)
        g.keep_secrets(s.fetch_token(g.url + "/token", grant_type="client_credentials"))
        equal(s.get(g.url + "/me", timeout=20).json()["roles"], ["reader"])


@test
def test_authlib_private_key_jwt():
    g, key, _ = world()
    pem = key.private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    s = session(client_id="keyed", client_secret=ECKey.import_key(pem), scope="reader", token_endpoint_auth_method="private_key_jwt")
    s.register_client_auth_method(PrivateKeyJWT(g.url + "/token", alg="ES256", headers={"kid": key.kid}))
    g.keep_secrets(s.fetch_token(g.url + "/token", grant_type="client_credentials"))
    equal(s.get(g.url + "/me", timeout=20).json()["roles"], ["reader"])


@test
def test_assertions_that_must_not_count():
    """A gateway for a few of them: who fails often from one address has to wait."""
    key, now = Key("ES256", "keyed-1"), int(time.time())
    bad = {"the same again": lambda name, url, first: first, "for another server": lambda name, *_: key.assertion(name, "https://elsewhere.example/token"),
           "expired": lambda name, url, _: key.assertion(name, url, exp=now - 600), "without exp": lambda name, url, _: key.assertion(name, url, exp=None),
           "of another key": lambda name, url, _: Key("ES256", key.kid).assertion(name, url),
           "of a client with a secret": lambda name, url, _: key.assertion("service", url),
           "of one client for another": lambda name, url, _: key.assertion(name, url, sub="service"),
           "without jti": lambda name, url, _: key.assertion(name, url, jti=None)}
    for number, (what, make) in enumerate(bad.items()):
        if number % 4 == 0:
            g = Gateway()
            (g.folder / "keyed.json").write_text(json.dumps({"keys": [key.jwk()]}))
            for name in ("keyed-0", "keyed-1", "keyed-2", "keyed-3"):
                g.add_client(name, "--role", "reader", "--grant", "client_credentials", "--jwks", str(g.folder / "keyed.json"))
            g.add_client("service", "--role", "reader", "--grant", "client_credentials")

        def ask(assertion):
            answer = g.form("/token", grant_type="client_credentials", client_assertion=assertion,
                            client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
            return answer.status, answer.json().get("error")

        name, url = f"keyed-{number % 4}", g.url + "/token"
        good = key.assertion(name, url)
        equal(ask(good), (200, None), what)
        equal(ask(make(name, url, good)), (401, "invalid_client"), what)
        if number % 4 == 3:
            g.check_end()


main()

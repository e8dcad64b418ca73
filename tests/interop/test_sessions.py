"""Pages that people open: the browser session against a certified provider, through nginx with TLS, in headless
Chromium; and the same provider's tokens for programs. See sessions.mjs for what the browser does."""
import json
import os
import pathlib
import secrets
import shutil
import subprocess
import sys
import time
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import requests  # noqa: E402

from harness import ROOT, Gateway, Skip, equal, free_port, main, test, wait_until  # noqa: E402
from corporate import Corporate, private_jwk  # noqa: E402
from front import Front  # noqa: E402
from load import Load  # noqa: E402

COOKIE, LOCAL_COOKIE = "__Host-gatewarden", "gatewarden"
NAVIGATION = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}
_world = {}


class World:
    def __init__(self):
        if not Front.is_there():
            raise Skip("no nginx")
        port = free_port()
        self.public = f"https://127.0.0.1:{port}"
        self.secret = {name: secrets.token_urlsafe(24) for name in ("login", "robot")}
        clients = [{"client_id": "gateway", "client_secret": self.secret["login"], "redirect_uris": [self.public + "/login/callback"],
                    "post_logout_redirect_uris": [self.public + path for path in ("/", "/account", "/login", "/logout")]},
                   {"client_id": "robot", "client_secret": self.secret["robot"], "grant_types": ["client_credentials"], "redirect_uris": [],
                    "response_types": []}]
        self.provider = Corporate(clients, {"ada": ["reader"], "grace": ["books-admin"], "robot": ["reader"]})

        def change(config):
            config["workers"] = 4
            config["public_url"] = self.public
            config["issuers"]["corp"] = {"type": "oidc", "issuer": self.provider.issuer, "audience": "api://books", "roles_claim": "roles",
                                         "keys_cooldown": "1s",
                                         "login": {"client_id": "gateway", "client_secret": {"file": "login.secret"}, "scope": "openid profile"}}
            config["sessions"] = {"ttl": "1h", "issuer": "corp"}
            config["roles"]["reader"]["granted_by"].append("corp:reader")
            config["roles"]["books-admin"]["granted_by"].append("corp:books-admin")

        self.gateway = Gateway(change, before=lambda at: (at / "login.secret").write_text(self.secret["login"] + "\n"))
        self.gateway.secrets |= set(self.secret.values())
        self.front = Front(port, self.gateway.http_port)
        self.cookie = None

    def ask(self, method, path, cookie=None, headers=None, **more):
        """Through nginx, never following a redirect."""
        fields = dict(headers or {})
        if cookie:
            fields["Cookie"] = cookie if "=" in cookie else f"{COOKIE}={cookie}"
        with requests.Session() as s:
            s.trust_env = False
            return s.request(method, self.public + path, headers=fields, verify=str(self.front.authority.file), allow_redirects=False, timeout=30, **more)

    def robot(self):
        answer = requests.post(self.provider.issuer + "/token", auth=("robot", self.secret["robot"]), timeout=20,
                               data={"grant_type": "client_credentials", "resource": "api://books", "scope": "books"})
        equal(answer.status_code, 200, answer.text)
        self.gateway.keep_secrets(answer.json())
        return answer.json()["access_token"]


def world():
    if not _world:
        _world["it"] = World()
    return _world["it"]


def in_browser(gateway, mode, **given):
    """Its test lines are printed. -> the last cookie it had"""
    chromium = shutil.which("chromium")
    if chromium is None:
        raise Skip("no chromium")
    done = subprocess.run(["node", pathlib.Path(__file__).parent / "sessions.mjs", mode], cwd=ROOT / "tests", text=True, capture_output=True,
                          input=json.dumps({"chromium": chromium, **given}), timeout=240, check=False, env=dict(os.environ))
    cookie = None
    for line in done.stdout.splitlines():
        if line.startswith("cookie "):
            cookie = json.loads(line[7:])["value"]
            gateway.secrets.add(cookie)
        else:
            print(line)
    equal(done.returncode, 0, done.stderr[-1000:])
    return cookie


def session():
    """A living session of ada's."""
    w = world()
    if w.cookie is None:
        w.cookie = in_browser(w.gateway, "stay", url=w.public, provider=w.provider.issuer, user="ada", cookie=COOKIE)
    return w.cookie


# In the browser

@test
def test_a_person_logs_in_and_calls_the_api():
    equal(world().ask("GET", "/me", session()).status_code, 200, "the cookie, on a connection of its own")


@test
def test_a_person_logs_out_and_goes_back():
    w = world()
    in_browser(w.gateway, "leave", url=w.public, provider=w.provider.issuer, user="ada", cookie=COOKIE)


@test
def test_our_own_users_log_in_at_our_own_page():
    def change(config):
        config["issuers"]["local"]["login"] = True

    g = Gateway(change)
    given = {"url": g.url, "user": "ada", "password": g.passwords["ada"], "cookie": LOCAL_COOKIE}
    in_browser(g, "stay", **given)
    in_browser(g, "leave", **given)
    g.check_end()


# The cookie

@test
def test_a_session_works_on_every_worker_and_beside_a_token():
    w = world()
    cookie = session()
    for _ in range(16):
        answer = w.ask("GET", "/me", cookie)
        equal((answer.status_code, answer.json()["roles"]), (200, ["reader"]))
    token = w.gateway.token("grace")
    answer = w.ask("GET", "/me", cookie, {"Authorization": f"Bearer {token}"})
    equal(answer.json()["roles"], ["books-admin"], "the token counts, where there is one")
    equal(w.ask("GET", "/me", cookie, {"Authorization": "Bearer garbage"}).status_code, 401, "also when it is bad")


@test
def test_other_sites_cannot_use_it_for_writes():
    w = world()
    cookie = session()
    body = {"json": {"title": "x"}}
    for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"}, {"Origin": "https://evil.example"},
                    {"Origin": "null"}, {"Origin": w.public + ".evil.example"}, {"Origin": w.public.replace("https", "http")},
                    {"Sec-Fetch-Site": "cross-site", "Origin": w.public}):
        for method, path in (("PATCH", "/api/books/1"), ("DELETE", "/api/books/1"), ("POST", "/logout")):
            answer = w.ask(method, path, cookie, headers, **(body if method == "PATCH" else {}))
            assert answer.status_code in (401, 403), (headers, method, answer.status_code, answer.text[:200])
            if path != "/logout":
                equal(answer.json()["error"]["message"], "the session counts for what our own pages send only", headers)
    equal(w.ask("GET", "/me", cookie).status_code, 200, "nobody logged it out")
    # Decided by roles, not by origin: ada may not write.
    for headers in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": w.public}):
        answer = w.ask("DELETE", "/api/books/1", cookie, headers)
        equal((answer.status_code, answer.json()["error"]["code"] != ""), (403, True), answer.text)
        record = w.gateway.record_of(answer.json()["error"]["decision"])[0]
        assert "ada" in str(record), "the record knows who it was"


@test
def test_cookies_that_are_none():
    w = world()
    cookie = session()
    for value in ("", "x", cookie[:-1], cookie + "A", "A" * len(cookie), "A" * 4000, f"{COOKIE}=", f"{COOKIE}={cookie[:-2]}", f"gatewarden={cookie}"):
        equal(w.ask("GET", "/me", value or f"{COOKIE}=").status_code, 401, value[:20])
    equal(w.ask("GET", "/me", f"{COOKIE}={'A' * len(cookie)}; {COOKIE}={cookie}").status_code, 401, "two of one name are none")
    equal(w.ask("GET", "/me", f"a=b; {COOKIE}={cookie}; c=d").status_code, 200, "among others")


# Redirects

@test
def test_only_a_page_view_is_sent_to_the_login():
    w = world()
    answer = w.ask("GET", "/account", headers=NAVIGATION)
    equal(answer.status_code, 303, answer.text[:200])
    assert answer.headers["location"].startswith(("/login", w.public + "/login")), answer.headers
    equal(w.ask("GET", "/account", headers={"Accept": "text/html"}).status_code, 303, "an old browser")
    for headers in ({"Accept": "application/json"}, {}, {"Accept": "text/html", "Sec-Fetch-Mode": "cors"}, {**NAVIGATION, "Authorization": "Bearer garbage"}):
        equal(w.ask("GET", "/account", headers=headers).status_code, 401, headers)
    for path in ("/api/books/1", "/me", "/api/books"):
        equal(w.ask("GET", path, headers=NAVIGATION).status_code, 401, path)
    equal(w.ask("POST", "/account", headers=NAVIGATION).status_code, 405)


def begin(w, return_to="/account"):
    """-> (the provider's address with its parameters, the pre-login cookie)"""
    answer = w.ask("GET", "/login?" + urllib.parse.urlencode({"issuer": "corp", "return_to": return_to}), headers=NAVIGATION)
    equal(answer.status_code, 303, answer.text[:300])
    query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.headers["location"]).query))
    return answer, query, "; ".join(f"{c.name}={c.value}" for c in answer.cookies)


@test
def test_the_way_to_the_provider_is_bound_to_the_browser():
    w = world()
    answer, query, cookie = begin(w)
    equal(answer.headers["location"].split("?")[0], w.provider.issuer + "/auth")
    equal((query["response_type"], query["code_challenge_method"], query["client_id"], query["redirect_uri"]),
          ("code", "S256", "gateway", w.public + "/login/callback"))
    assert len(query["state"]) >= 32 and len(query["nonce"]) >= 16 and len(query["code_challenge"]) == 43, query
    field = answer.headers["set-cookie"]
    assert all(word in field for word in ("Secure", "HttpOnly", "SameSite=Lax", "__Host-")), field
    callback = "/login/callback?" + urllib.parse.urlencode({"code": "stolen-code", "state": query["state"], "iss": w.provider.issuer})
    for headers, cookies in ((NAVIGATION, None), (NAVIGATION, begin(w)[2])):
        answer = w.ask("GET", callback, cookies, headers)
        assert 400 <= answer.status_code < 500 and "location" not in answer.headers, (answer.status_code, answer.text[:200])
        assert f"{COOKIE}=" not in answer.headers.get("set-cookie", "").replace(f"{COOKIE}=;", ""), "no session"
    answer = w.ask("GET", callback, cookie, NAVIGATION)
    assert answer.status_code >= 400 and "stolen-code" not in answer.text, (answer.status_code, answer.text[:200])
    for query in ("", "?state=x", "?code=x", "?error=access_denied", "?code=x&code=y&state=z", "?code=x&state=" + "A" * 3000):
        answer = w.ask("GET", "/login/callback" + query, cookie, NAVIGATION)
        assert 400 <= answer.status_code < 500, (query[:30], answer.status_code)


@test
def test_an_answer_of_another_issuer_is_refused():
    w = world()
    _, query, cookie = begin(w)
    callback = "/login/callback?" + urllib.parse.urlencode({"code": "some-code", "state": query["state"], "iss": "https://evil.example"})
    answer = w.ask("GET", callback, cookie, NAVIGATION)
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:200])


@test
def test_the_way_back_is_a_path_of_ours():
    w = world()
    for bad in ("https://evil.example/", "//evil.example/", "/\\evil.example/", "\\\\evil.example", "evil", "javascript:alert(1)", "/%0d%0aSet-Cookie:a=b", "/\t/evil.example"):
        answer = w.ask("GET", "/login?" + urllib.parse.urlencode({"issuer": "corp", "return_to": bad}), headers=NAVIGATION)
        assert answer.status_code in (303, 400), (bad, answer.status_code)
        if answer.status_code == 303:
            assert answer.headers["location"].startswith(w.provider.issuer), (bad, answer.headers["location"])
    equal(w.ask("GET", "/login?issuer=nobody", headers=NAVIGATION).status_code // 100, 4)


# The provider's tokens for programs, its keys, its absence

@test
def test_its_tokens_for_programs():
    w = world()
    me = w.gateway.get("/me", w.robot()).json()
    equal((me["issuer"], me["subject"], me["roles"]), ("corp", "robot", ["reader"]))


@test
def test_its_restart_with_other_keys_while_it_is_used():
    w = world()
    cookie = session()
    state = {"token": w.robot()}
    old = state["token"]
    with Load(w.gateway.http_port, 16, lambda: state["token"], pause=0.005) as load:
        time.sleep(0.5)
        for name in ("corporate-2", "corporate-3"):
            w.provider.stop()
            equal(w.ask("GET", "/me", cookie).status_code, 200, "the session, while the provider is away")
            equal(w.gateway.get("/me", state["token"]).status, 200)
            w.provider.start([private_jwk(name)])
            time.sleep(1.2)
            state["token"] = w.robot()
            equal(w.gateway.get("/me", state["token"]).status, 200, "the first request with the new key")
            time.sleep(0.3)
    refused = [status for _, _, status, token in load.answers if status != 200 and token == state["token"]]
    equal(refused, [], "tokens of the new key")
    answer = w.gateway.get("/me", old)
    equal((answer.status, answer.error()["reason"]), (401, "key"), "a token of the key that is gone")
    equal(w.ask("GET", "/me", cookie).status_code, 200)


@test
def test_the_login_while_the_provider_is_away():
    w = world()
    w.provider.stop()
    try:
        _, query, cookie = begin(w)
        callback = "/login/callback?" + urllib.parse.urlencode({"code": "a-code", "state": query["state"], "iss": w.provider.issuer})
        answer = w.ask("GET", callback, cookie, NAVIGATION)
        equal(answer.status_code, 503, answer.text[:200])
    finally:
        w.provider.start()


# Its end

@test
def test_a_session_that_was_revoked_ends_on_every_worker():
    w = world()
    cookie = session()
    w.cookie = None
    equal(w.ask("GET", "/me", cookie).status_code, 200)
    done = w.gateway.cli("revoke", "--issuer", "corp", "--subject", "ada")
    equal(done.returncode, 0, done.stderr)
    wait_until(lambda: w.ask("GET", "/me", cookie).status_code == 401, 2, "its end")
    for _ in range(16):
        answer = w.ask("GET", "/me", cookie)
        equal((answer.status_code, answer.json()["error"]["message"]), (401, "the session has ended"))


@test
def test_logging_out_over_http_ends_it_on_every_worker():
    w = world()
    time.sleep(1.1)
    cookie = session()
    w.cookie = None
    same = {"Origin": w.public, "Sec-Fetch-Site": "same-origin"}
    answer = w.ask("POST", "/logout", cookie, same)
    equal(answer.status_code, 303, answer.text[:200])
    assert answer.headers["location"].startswith(w.provider.issuer + "/session/end"), answer.headers["location"]
    wait_until(lambda: w.ask("GET", "/me", cookie).status_code == 401, 2, "its end")
    for _ in range(16):
        answer = w.ask("GET", "/me", cookie)
        equal((answer.status_code, answer.json()["error"]["message"]), (401, "the session has ended"))


try:
    main()
finally:
    if _world:
        _world["it"].front.stop()
        _world["it"].provider.stop()

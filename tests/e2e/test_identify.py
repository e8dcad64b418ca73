"""What callers show besides a plain token, what they are told when it does not do, and sessions of people with a
browser, step by step. (test_bound_tokens.py, test_outages.py and test_issuers.py go into each of the kinds.)"""
import base64
import hashlib
import html
import http.client
import json
import os
import re
import secrets
import signal
import time
import urllib.parse

from harness import Gateway, equal, main, read_answers, test, wait_until  # first: it says where the others are
from idp import JWKS, METADATA, TOKEN, Key, Provider, hang

_world = {}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class LoginProvider(Provider):
    """Also knows how to log somebody in: authorize() is what a person does there, then a code is changed once."""

    def __init__(self):
        super().__init__()
        self.codes = {}
        self.claims = {}
        self.clients["books"] = "the-secret-of-books"

    def metadata(self):
        return {**super().metadata(), "end_session_endpoint": self.url + "/end?x=1"}

    def authorize(self, location):
        """-> the query of the redirect back"""
        url = urllib.parse.urlsplit(location)
        asked = dict(urllib.parse.parse_qsl(url.query, strict_parsing=True))
        equal(f"{url.scheme}://{url.netloc}{url.path}", self.url + "/authorize")
        equal((asked["response_type"], asked["code_challenge_method"], asked["client_id"]), ("code", "S256", "books"))
        assert "openid" in asked["scope"].split(), asked
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"]}

    def answer(self, h, path, data):
        form = dict(urllib.parse.parse_qsl(data.decode("latin-1")))
        if path != TOKEN or form.get("grant_type") != "authorization_code" or path in self.faults:
            return super().answer(h, path, data)
        asked = self.codes.pop(form.get("code"), None)
        if asked is None or not self.is_client(h, {k: [v] for k, v in form.items()}) or form["redirect_uri"] != asked["redirect_uri"] \
                or b64(hashlib.sha256(form["code_verifier"].encode()).digest()) != asked["code_challenge"]:
            return h.json({"error": "invalid_grant"}, 400)
        claims = {"aud": "books", "nonce": asked["nonce"], "preferred_username": "pia@example.org", **self.claims}
        return h.json({"id_token": self.token(**claims), "access_token": "x", "token_type": "Bearer", "expires_in": 300})


class World:
    def __init__(self):
        self.corp, self.bank = LoginProvider(), Provider()
        self.bank.stop()

        def change(config):
            config["workers"] = 3
            config["issuers"]["local"]["login"] = True
            config["issuers"]["corp"] = {"type": "oidc", "issuer": self.corp.issuer, "audience": "api://books", "keys_cooldown": "1s",
                                         "login": {"client_id": "books", "client_secret": {"file": "corp.secret"}}}
            config["issuers"]["bank"] = {"type": "oidc", "issuer": self.bank.issuer, "audience": "api://books", "bindings": ["dpop"]}
            config["sessions"] = {"ttl": "1h", "issuer": "corp"}
            config["roles"]["reader"]["granted_by"] += ["corp:reader", "bank:reader"]
            config["roles"]["books-admin"]["granted_by"] += ["corp:books-admin"]

        self.gateway = Gateway(change, users={"zoe": ["reader"], "yan": ["books-admin"]},
                               before=lambda folder: (folder / "corp.secret").write_text("the-secret-of-books\n"))
        self.gateway.secrets.add("the-secret-of-books")


def world():
    if not _world:
        _world["it"] = World()
    return _world["it"]


class Browser:
    """Keeps cookies and says what a browser says. It does not follow redirects: each is looked at."""

    def __init__(self, gateway):
        self.gateway, self.cookies = gateway, {}

    def send(self, method, path, form=None, **fields):
        headers = {"Accept": "text/html,*/*", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "same-origin",
                   **{k.replace("_", "-"): v for k, v in fields.items()}}
        headers = {k: v for k, v in headers.items() if v is not None}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        body = None
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = urllib.parse.urlencode(form)
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.http_port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            text = response.read().decode()
            for line in (v for k, v in response.getheaders() if k.lower() == "set-cookie"):
                self.keep(line)
            return response.status, response.getheader("Location"), text
        finally:
            connection.close()

    def keep(self, line):
        name, _, value = line.split(";")[0].partition("=")
        flags = {f.strip().partition("=")[0].lower(): f.strip().partition("=")[2] for f in line.split(";")[1:]}
        assert ("secure" in flags) == name.startswith("__Host-"), line
        assert "httponly" in flags and flags["samesite"] == "Lax" and flags["path"] == "/" and "domain" not in flags, line
        self.cookies.pop(name, None)
        if flags.get("max-age") != "0":
            self.cookies[name] = value
            self.gateway.secrets.add(value)

    def get(self, path, **fields):
        return self.send("GET", path, **fields)

    def me(self):
        status, _, text = self.get("/me", Accept="application/json", Sec_Fetch_Mode="cors")
        return json.loads(text) if status == 200 else status

    def local_login(self, user, password, return_to="/account"):
        status, _, page = self.get(f"/login?issuer=local&return_to={urllib.parse.quote(return_to, safe='')}")
        equal(status, 200, page)
        ticket = html.unescape(re.search(r'name="ticket" value="([^"]*)"', page)[1])
        return self.send("POST", "/login", {"username": user, "password": password, "ticket": ticket})

    def provider_login(self, provider, return_to="/account", **changes):
        status, location, _ = self.get(f"/login?issuer=corp&return_to={urllib.parse.quote(return_to, safe='')}")
        equal(status, 303, location)
        answer = {**provider.authorize(location), **changes}
        return self.get("/login/callback?" + urllib.parse.urlencode({k: v for k, v in answer.items() if v is not None}))


def logged_in(return_to="/account"):
    w = world()
    browser = Browser(w.gateway)
    status, location, text = browser.provider_login(w.corp, return_to)
    equal((status, location), (303, return_to), text)
    return browser


def everywhere(gateway, browser, expected):
    """On every worker: each connection may meet another."""
    def seen():
        return {browser.me() if isinstance(browser.me(), int) else 200 for _ in range(12)}
    wait_until(lambda: seen() == {expected}, 3, f"{expected} everywhere")


# What a caller is told

@test
def test_a_refusal_has_one_code_in_the_challenge_the_body_and_the_record():
    w = world()
    now = int(time.time())
    for path in ("/me", "/api/books/1"):
        for code, token in {"expires": w.corp.token(exp=now - 900), "audience": w.corp.token(aud="api://other"), "form": "garbage",
                            "signature": w.corp.token()[:-20] + "A" * 20, "key": w.corp.token(Key("ES256"))}.items():
            answer = w.gateway.get(path, token)
            equal((answer.status, answer.error()["reason"]), (401, code), path)
            challenge = re.search(r'error="invalid_token", error_description="(\w+): ([^"]+)"', answer.headers["www-authenticate"])
            equal(challenge[1], code)
            record, = w.gateway.record_of(answer.error()["decision"])
            assert f"{code}: {challenge[2]}" in json.dumps(record), record
            equal("corp" in json.dumps(record), code != "form", record)


@test
def test_without_a_token_each_way_that_may_do_is_offered():
    w = world()
    answers, _, raw = w.gateway.raw(b"GET /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    challenges = [line for line in raw.decode().split("\r\n") if line.lower().startswith("www-authenticate: ")]
    equal([c.split(" ")[1] for c in challenges], ["DPoP", "Bearer"], challenges)
    assert "ES256" in challenges[0] and all("error" not in c for c in challenges), challenges
    metadata = re.search(r'resource_metadata="([^"]+)"', challenges[1])[1]
    equal(w.gateway.get(urllib.parse.urlsplit(metadata).path).status, 200)
    equal(answers[0].status, 401)


@test
def test_an_issuer_that_is_away_is_named_to_its_callers_and_to_the_operator():
    w = world()
    answer = w.gateway.get("/me", w.bank.token())
    equal(answer.status, 503, answer)
    assert "bank" in answer.error()["message"] and int(answer.headers["retry-after"]) >= 1, answer
    ready = w.gateway.admin("/readyz")
    equal((ready.status, list(ready.json()["issuers_missing"])), (200, ["bank"]), ready)
    assert len(ready.json()["issuers_missing"]["bank"]) > 5, ready
    assert w.bank.url not in answer.body.decode()


@test
def test_a_key_that_is_new_is_found_by_the_request_that_shows_it():
    w = world()
    for _ in range(3):
        time.sleep(1.2)
        new = Key("ES256")
        w.corp.keys = [new, *w.corp.keys][:3]
        equal(w.gateway.get("/me", w.corp.token(new)).status, 200)


@test
def test_who_waits_for_a_key_may_go_away_and_is_answered_when_the_fetcher_dies():
    w = world()
    g = w.gateway
    w.corp.faults[JWKS] = hang
    time.sleep(1.2)
    try:
        sockets = [g.connect() for _ in range(24)]
        for s in sockets:
            s.sendall(f"GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {w.corp.token(Key('ES256'))}\r\n\r\n".encode())
        time.sleep(0.5)
        for s in sockets[::2]:
            s.close()
        equal(g.get("/me", w.corp.token()).status, 200, "a key that is known, meanwhile")
        fetcher, = g.children("@fetcher")
        os.kill(fetcher, signal.SIGKILL)
        statuses = {answer.status for s in sockets[1::2] for answer in read_answers(s, 4)[0][:1]}
        equal(statuses - {401, 503}, set())
        assert 503 in statuses, statuses
    finally:
        w.corp.faults.clear()
    wait_until(lambda: g.children("@fetcher") not in ([], [fetcher]), 10, "another fetcher")
    new = Key("ES256")
    w.corp.keys = [new, *w.corp.keys][:3]
    wait_until(lambda: g.get("/me", w.corp.token(new)).status == 200, 90, "a new key: fetcher waits up to a minute between two tries")


@test
def test_a_proof_is_for_its_token_address_and_once():
    w = world()
    key, url = Key("ES256"), w.gateway.url + "/me"
    token = w.corp.token(cnf={"jkt": key.thumbprint()})

    def ask(proof, scheme="DPoP"):
        return w.gateway.get("/me", headers={"Authorization": f"{scheme} {token}", **({"DPoP": proof} if proof else {})})

    proof = key.proof("GET", url, token)
    answer = ask(proof)
    equal((answer.status, answer.json()["binding"]), (200, "dpop"), answer)
    again = ask(proof)
    record, = w.gateway.record_of(again.error()["decision"])
    assert record["actor"]["idp"]["name"] == "corp" and "binding: the DPoP proof was used before" in str(record), record
    for bad in (proof, None, key.proof("GET", w.gateway.url + "/api/books", token), key.proof("POST", url, token),
                Key("ES256").proof("GET", url, token)):
        answer = ask(bad)
        equal((answer.status, answer.error()["reason"]), (401, "binding"), answer)
        assert answer.headers["www-authenticate"].startswith("DPoP ") and "invalid_dpop_proof" in answer.headers["www-authenticate"]
    equal(ask(None, "Bearer").status, 401)
    equal(ask(key.proof("GET", url, token)).status, 200)


@test
def test_a_certificate_field_says_nothing_where_no_proxy_is_configured():
    w = world()
    der = secrets.token_bytes(200)
    token = w.corp.token(cnf={"x5t#S256": b64(hashlib.sha256(der).digest())})
    field = f":{base64.b64encode(der).decode()}:"
    equal(w.gateway.get("/me", token, headers={"Client-Cert": field}).status, 401)


# Sessions

@test
def test_a_page_sends_people_to_the_login_and_nobody_else():
    w = world()
    browser = Browser(w.gateway)
    status, location, _ = browser.get("/account?a=b%20c")
    equal((status, location), (303, "/login?return_to=%2Faccount%3Fa%3Db%2520c"))
    for fields in ({"Accept": "application/json"}, {"Accept": None}, {"Sec_Fetch_Mode": "cors"}, {"Authorization": "Bearer garbage"}):
        status, location, _ = browser.get("/account", **fields)
        equal((status, location), (401, None), fields)
    for path in ("/me", "/api/books"):
        status, location, _ = browser.get(path)
        equal((status, location), (401, None), path)
    status, location, _ = browser.send("POST", "/account", {})
    equal((status, location), (405, None))


@test
def test_a_login_at_a_provider_is_a_session_with_the_roles_of_its_claims():
    w = world()
    w.corp.claims = {"roles": ["books-admin"], "sub": "pia"}
    try:
        browser = logged_in("/account?x=1")
    finally:
        w.corp.claims = {}
    me = browser.me()
    equal((me["issuer"], me["subject"], me["roles"], me["shown"]), ("corp", "pia", ["books-admin"], "session"))
    status, _, page = browser.get("/account")
    assert status == 200 and "pia@example.org" in page and "books-admin" in page and "Log out" in page, page
    everywhere(w.gateway, browser, 200)
    record = [r for r in w.gateway.records() if r["class_uid"] == 3002 and "pia" in json.dumps(r)]
    assert record, "the login is recorded"


@test
def test_what_a_cookie_may_change_only_our_own_pages_ask_for():
    w = world()
    w.corp.claims = {"roles": ["books-admin"]}
    try:
        browser = logged_in()
    finally:
        w.corp.claims = {}

    def delete(**fields):
        return browser.send("DELETE", "/api/books/999999", Accept="application/json", Sec_Fetch_Mode="cors", **fields)[0]

    equal(delete(Sec_Fetch_Site="same-origin"), 404, "allowed, and no such row")
    equal(delete(Sec_Fetch_Site=None, Origin=w.gateway.url), 404)
    for fields in ({"Sec_Fetch_Site": "cross-site"}, {"Sec_Fetch_Site": "same-site"}, {"Sec_Fetch_Site": None},
                   {"Sec_Fetch_Site": None, "Origin": "null"}, {"Sec_Fetch_Site": None, "Origin": "https://evil.example"},
                   {"Sec_Fetch_Site": "cross-site", "Origin": w.gateway.url}):
        equal(delete(**fields), 401, fields)
    equal(browser.send("GET", "/api/books", Accept="application/json", Authorization="Bearer garbage")[0], 401, "a token is looked at first")


@test
def test_a_login_ends_on_this_service_only():
    w = world()
    for evil in ("//evil.example", "/\\evil.example", "https://evil.example/", "/%09/evil.example", "javascript:alert(1)", "", "/a\r\nX-Y: z"):
        for issuer in ("corp", "local"):
            status, location, _ = Browser(w.gateway).get(f"/login?issuer={issuer}&return_to={urllib.parse.quote(evil, safe='%')}")
            equal((status, location), (400, None), evil)
    equal(Browser(w.gateway).get("/login?issuer=bank")[0], 400, "an issuer without login")
    equal(Browser(w.gateway).get("/login?issuer=corp&issuer=local")[0], 400)


@test
def test_the_answer_of_a_login_counts_once_in_its_own_browser_and_as_it_was_asked():
    w = world()
    browser = Browser(w.gateway)
    _, location, _ = browser.get("/login?issuer=corp")
    answer = w.corp.authorize(location)
    callback = "/login/callback?" + urllib.parse.urlencode(answer)
    equal(Browser(w.gateway).get(callback)[0], 400, "another browser")
    other = Browser(w.gateway)
    other.get("/login?issuer=corp")
    equal(other.get(callback)[0], 400, "a browser that logs in itself")
    equal(browser.get("/login/callback?code=x&state=" + secrets.token_urlsafe(32))[0], 400)
    equal(browser.get("/login/callback?code=x")[0], 400)
    equal(len(w.gateway.records("this login was begun in another browser, or too long ago")), 2, "what is recorded of it")
    equal(browser.me(), 401)
    equal(browser.get(callback)[0], 303, "its own")
    equal(browser.get(callback)[0], 403, "the provider takes a code once")
    browser = Browser(w.gateway)
    for changes in ({"iss": "https://evil.example"}, {"code": "wrong"}, {"code": None}, {"code": None, "error": "<script>alert(1)</script>"}):
        status, location, page = Browser(w.gateway).provider_login(w.corp, **changes)
        equal((status, location), (403, None), changes)
        assert "script" not in page, page
    equal(Browser(w.gateway).provider_login(w.corp, iss=w.corp.issuer)[0], 303)
    browser = Browser(w.gateway)
    _, location, _ = browser.get("/login?issuer=corp")
    callback = "/login/callback?" + urllib.parse.urlencode(w.corp.authorize(location))
    equal(browser.get(callback)[0], 303)
    equal(browser.get(callback)[0], 403, "the same answer again")


@test
def test_an_id_token_of_something_else_is_no_login():
    w = world()
    now = int(time.time())
    for claims in ({"nonce": "other"}, {"nonce": None}, {"aud": "another"}, {"aud": ["books", "another"]}, {"exp": now - 900}, {"sub": None},
                   {"iss": "https://other.example"}, {"azp": "another"}):
        w.corp.claims = claims
        try:
            status, location, _ = Browser(w.gateway).provider_login(w.corp)
        finally:
            w.corp.claims = {}
        equal((status, location), (403, None), claims)
    keys, w.corp.keys = w.corp.keys, [Key("ES256", w.corp.keys[0].kid)]
    published = w.corp.jwks_url  # the gateway knows the old key of that name
    try:
        equal(Browser(w.gateway).provider_login(w.corp)[0], 403, published)
    finally:
        w.corp.keys = keys


@test
def test_our_own_users_log_in_by_our_form():
    w = world()
    g = w.gateway
    browser = Browser(g)
    status, _, page = browser.local_login("zoe", "wrong")
    equal(status, 403, page)
    assert "password" in page and "Error" in page and "ticket" in page, page
    equal(browser.me(), 401)
    status, location, text = browser.local_login("zoe", g.passwords["zoe"], "/me")
    equal((status, location), (303, "/me"), text)
    me = browser.me()
    equal((me["issuer"], me["roles"], me["shown"]), ("local", ["reader"], "session"))
    everywhere(g, browser, 200)
    # A form that another site, or another browser, sends.
    _, _, page = browser.get("/login?issuer=local")
    ticket = html.unescape(re.search(r'name="ticket" value="([^"]*)"', page)[1])
    form = {"username": "zoe", "password": g.passwords["zoe"], "ticket": ticket}
    equal(browser.send("POST", "/login", form, Sec_Fetch_Site="cross-site")[0], 403)
    equal(Browser(g).send("POST", "/login", form)[0], 400)
    equal(browser.send("POST", "/login", {**form, "ticket": ticket[:-4] + "AAAA"})[0], 400)
    equal(browser.send("POST", "/login", form)[0], 303)


@test
def test_each_login_has_a_secret_of_its_own():
    w = world()
    browser = Browser(w.gateway)
    planted = secrets.token_urlsafe(32)
    browser.cookies["gatewarden"] = planted
    equal(browser.me(), 401)
    equal(browser.provider_login(w.corp)[0], 303)
    first = browser.cookies["gatewarden"]
    assert first != planted
    equal(browser.provider_login(w.corp)[0], 303)
    assert browser.cookies["gatewarden"] not in (planted, first)
    thief = Browser(w.gateway)
    thief.cookies["gatewarden"] = planted
    equal(thief.me(), 401)


@test
def test_two_cookies_of_the_name_are_none():
    w = world()
    browser = logged_in()
    secret = browser.cookies["gatewarden"]
    for field, status in ((f"gatewarden={secret}", 200), (f"gatewarden={secret}; gatewarden={secret}", 401),
                          (f"gatewarden=x; gatewarden={secret}", 401), (f"Gatewarden={secret}", 401), (f"a=b;gatewarden={secret};c", 200),
                          (f'gatewarden="{secret}"', 401), (f"__Host-gatewarden={secret}", 401), ("gatewarden=", 401)):
        equal(w.gateway.get("/me", headers={"Cookie": field}).status, status, field.replace(secret, "SECRET"))


@test
def test_a_logout_ends_the_session_everywhere_and_at_the_provider():
    w = world()
    browser = logged_in()
    everywhere(w.gateway, browser, 200)
    secret = browser.cookies["gatewarden"]
    status, _, page = browser.get("/logout")
    assert status == 200 and "<form" in page, page
    equal(browser.send("POST", "/logout", {}, Sec_Fetch_Site="cross-site")[0], 403)
    equal(browser.send("POST", "/logout", {}, Sec_Fetch_Site=None)[0], 403)
    equal(browser.me()["issuer"], "corp")
    status, location, _ = browser.send("POST", "/logout", {})
    equal(status, 303)
    url = urllib.parse.urlsplit(location)
    equal(f"{url.scheme}://{url.netloc}{url.path}", w.corp.url + "/end")
    equal(dict(urllib.parse.parse_qsl(url.query)), {"x": "1", "client_id": "books", "post_logout_redirect_uri": w.gateway.url + "/logout"})
    assert "gatewarden" not in browser.cookies
    browser.cookies["gatewarden"] = secret
    everywhere(w.gateway, browser, 401)
    del browser.cookies["gatewarden"]
    status, location, _ = browser.send("POST", "/logout", {})
    equal((status, location), (303, "/logout"))
    equal(browser.get("/logout")[0], 200)


@test
def test_a_logout_with_a_token_beside_the_cookie_ends_the_session_all_the_same():
    w = world()
    browser = logged_in()
    secret = browser.cookies["gatewarden"]
    equal(browser.send("POST", "/logout", {}, Authorization="Bearer " + w.gateway.token("ada"))[0], 303)
    assert "gatewarden" not in browser.cookies
    browser.cookies["gatewarden"] = secret
    everywhere(w.gateway, browser, 401)


@test
def test_a_session_ends_with_the_login_that_made_it():
    w = World()
    browser, config = Browser(w.gateway), w.gateway.config
    with w.corp:
        equal(browser.provider_login(w.corp)[0], 303)
        equal(browser.me()["issuer"], "corp")
        del config["issuers"]["corp"]["login"]
        config["sessions"]["issuer"] = "local"
        w.gateway.write_config()
        w.gateway.signal(signal.SIGHUP)
        everywhere(w.gateway, browser, 401)
        equal(w.gateway.get("/me", w.corp.token()).status, 200, "its tokens")
        w.gateway.check_end()


@test
def test_a_user_who_is_disabled_has_no_session_within_a_second():
    w = world()
    g = w.gateway
    browser = Browser(g)
    equal(browser.local_login("yan", g.passwords["yan"])[0], 303)
    everywhere(g, browser, 200)
    equal(g.cli("user", "disable", "yan").returncode, 0)
    wait_until(lambda: {browser.me() if isinstance(browser.me(), int) else 200 for _ in range(6)} == {401}, 10, "the end of the session")


@test
def test_two_tabs_may_log_in_at_once():
    w = world()
    browser = Browser(w.gateway)
    answers = [w.corp.authorize(browser.get(f"/login?return_to=/{tab}")[1]) for tab in "ab"]
    for tab, answer in zip("ab", answers):
        equal(browser.get("/login/callback?" + urllib.parse.urlencode(answer))[:2], (303, "/" + tab))


@test
def test_over_tls_the_cookies_are_of_this_host_alone():
    def change(config):
        config["public_url"] = "https://books.example"
        config["issuers"]["local"]["login"] = True

    g = Gateway(change)
    browser = Browser(g)
    equal(browser.local_login("ada", g.passwords["ada"])[0], 303)
    equal(sorted(browser.cookies), ["__Host-gatewarden", "__Host-gatewarden-login"])
    equal(browser.me()["issuer"], "local")
    secret = browser.cookies["__Host-gatewarden"]
    equal(g.get("/me", headers={"Cookie": f"gatewarden={secret}"}).status, 401, "a name that any host may set")
    g.check_end()


@test
def test_the_first_login_after_a_start_waits_for_what_its_provider_says():
    provider = LoginProvider()

    def answer_late(h):
        time.sleep(1.5)
        h.json(provider.metadata())

    def change(config):
        config["issuers"]["corp"] = {"type": "oidc", "issuer": provider.issuer, "audience": "api://books", "login": {"client_id": "books"}}
        config["roles"]["reader"]["granted_by"].append("corp:reader")

    with provider:
        provider.faults[METADATA] = answer_late
        g = Gateway(change)
        status, location, page = Browser(g).get("/login")
        equal(status, 303, page)
        assert location.startswith(provider.url + "/authorize?"), location
        g.check_end()


@test
def test_what_was_refused_and_found_is_counted():
    metrics = world().gateway.admin("/metrics").body.decode()
    counted = dict(line.rsplit(" ", 1) for line in metrics.splitlines() if not line.startswith("#"))
    for name in ('token_refusals_total{check="binding"}', 'token_refusals_total{check="key"}', "fetcher_waits_total",
                 "session_cache_hits_total", "session_cache_misses_total", "revocations_total"):
        assert int(counted["gatewarden_" + name]) > 0, name


@test
def test_a_provider_that_is_away_is_a_page_that_says_so():
    w = world()
    w.corp.faults[TOKEN] = lambda h: h.answer(500, b"{}")
    try:
        status, location, page = Browser(w.gateway).provider_login(w.corp)
        equal((status, location), (503, None), page)
        assert "<html" in page, page
    finally:
        w.corp.faults.clear()
    equal(Browser(w.gateway).provider_login(w.corp)[0], 303)


try:
    main()
finally:
    if _world:
        _world["it"].corp.stop()

"""Our own authorization server as HTTP sees it: the login page, redirects, errors as RFC 6749 names them,
what clients discover."""
import base64
import contextlib
import hashlib
import html
import os
import re
import secrets
import signal
import threading
import urllib.parse

from harness import Gateway, equal, jwt_parts, main, shared, test, wait_until

BACK = "http://127.0.0.1:9/cb"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_clients = {}


def gateway():
    """One gateway with its clients: {name: secret}."""
    g = shared()
    if not _clients:
        _clients["shop"] = g.add_client("shop", "--public", "--redirect-uri", BACK, "--redirect-uri", BACK + "?x=1", "--grant", "code")
        _clients["robot"] = g.add_client("robot", "--role", "reader", "--grant", "client_credentials")
        _clients["agent"] = g.add_client("agent", "--role", "reader", "--grant", "exchange", "--grant", "client_credentials")
    return g


def basic(name, secret=None):
    quoted = [urllib.parse.quote_plus(part) for part in (name, _clients[name] if secret is None else secret)]
    return {"Authorization": "Basic " + base64.b64encode(":".join(quoted).encode()).decode()}


def post(path, fields, headers=None, g=None):
    body = fields if isinstance(fields, str) else urllib.parse.urlencode(fields)
    answer = (g or gateway()).request("POST", path, body=body, headers={**FORM, **(headers or {})})
    if answer.headers.get("content-type", "").startswith("application/json"):
        gateway().keep_secrets(answer.json())
    return answer


class Login:
    """One authorization request of the client `shop`, in a browser of its own."""

    def __init__(self, g=None, method="GET", cookie=None, **more):
        self.g = g or gateway()
        self.verifier = secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        wanted = {"response_type": "code", "client_id": "shop", "redirect_uri": BACK, "state": "s&t=#",
                  "code_challenge": challenge, "code_challenge_method": "S256", **more}
        query = urllib.parse.urlencode({k: v for k, v in wanted.items() if v is not None})
        headers = {"Cookie": cookie} if cookie else {}
        if method == "GET":
            self.page = self.g.get("/authorize?" + query, headers=headers)
        else:
            self.page = self.g.request("POST", "/authorize", body=query, headers={**FORM, **headers})
        self.read(self.page)

    def read(self, page):
        text = page.body.decode()
        self.hidden = {k: html.unescape(v) for k, v in re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', text)}
        action = re.search(r'<form method="post" action="([^"]*)"', text)
        self.action = action and html.unescape(action[1])
        self.cookie = page.headers.get("set-cookie", "").split(";")[0]

    def send(self, user="ada", password=None, headers=None, cookie=None, **more):
        fields = {**self.hidden, "username": user, "password": self.g.passwords.get(user, "") if password is None else password, **more}
        sent = {"Cookie": self.cookie if cookie is None else cookie, "Sec-Fetch-Site": "same-origin", **(headers or {})}
        return post(self.action, fields, {k: v for k, v in sent.items() if v}, self.g)

    def code(self, **more):
        answer = self.send(**more)
        equal(answer.status, 303, answer)
        back = parameters(answer)
        self.g.secrets.add(back["code"])
        return back["code"]

    def tokens(self, code=None, headers=None, **more):
        fields = {"grant_type": "authorization_code", "client_id": "shop", "code": code or self.code(), "redirect_uri": BACK,
                  "code_verifier": self.verifier, **more}
        return post("/token", {k: v for k, v in fields.items() if v is not None}, headers, self.g)


def parameters(answer):
    """Of the redirect."""
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer.headers["location"]).query, strict_parsing=True))


def last_record(g, action, seen):
    """The newest record of that action; `seen` were there before."""
    return wait_until(lambda: [r for r in g.records()[seen:] if r["unmapped"]["action"] == action], 5, f"a record of {action}")[-1]


# The page


@test
def test_the_login_page_lets_nothing_else_in():
    login = Login()
    page, h = login.page, login.page.headers
    equal((page.status, h["content-type"]), (200, "text/html; charset=utf-8"))
    style = re.search(rb"<style>(.*?)</style>", page.body, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(style).digest()).decode()
    rules = dict(rule.strip().partition(" ")[::2] for rule in h["content-security-policy"].split(";"))
    equal(rules, {"default-src": "'none'", "style-src": f"'sha256-{digest}'", "img-src": "data:",
                  "form-action": "'self' http://127.0.0.1:9", "frame-ancestors": "'none'", "base-uri": "'none'"})
    equal((h["x-frame-options"], h["referrer-policy"], h["cache-control"]), ("DENY", "no-referrer", "no-store"))
    assert b"<script" not in page.body.lower() and b"shop" in page.body and b"127.0.0.1:9" in page.body
    equal(set(h["set-cookie"].split("; ")[1:]), {"Path=/", "Max-Age=600", "HttpOnly", "SameSite=Lax"})


@test
def test_without_a_client_and_its_own_address_nobody_is_redirected():
    for change in ({"client_id": None}, {"client_id": "nobody"}, {"client_id": "robot"}, {"redirect_uri": None}, {"redirect_uri": BACK + "/"},
                   {"redirect_uri": BACK + "?x=2"}, {"redirect_uri": "http://127.0.0.1:9/c"}, {"redirect_uri": "https://evil.example/cb"},
                   {"redirect_uri": "http://127.0.0.1:90/cb"}, {"redirect_uri": BACK + "#f"}, {"redirect_uri": "HTTP://127.0.0.1:9/cb"},
                   {"response_type": "token", "redirect_uri": "https://evil.example/"}):
        login = Login(**change)
        equal((login.page.status, "location" in login.page.headers), (400, False), change)
        equal((login.page.headers["content-type"], login.action), ("text/html; charset=utf-8", None), change)
        assert b'role="alert"' in login.page.body and b"evil" not in login.page.body, login.page


@test
def test_other_mistakes_go_back_to_the_client():
    for change, error in (({"response_type": None}, "invalid_request"), ({"response_type": "token"}, "unsupported_response_type"),
                          ({"code_challenge": None}, "invalid_request"), ({"code_challenge_method": None}, "invalid_request"),
                          ({"code_challenge_method": "plain"}, "invalid_request"), ({"code_challenge": "short"}, "invalid_request"),
                          ({"prompt": "none"}, "login_required"), ({"response_mode": "fragment"}, "invalid_request"),
                          ({"request": "eyJ"}, "request_not_supported"), ({"nonce": "n" * 600}, "invalid_request")):
        page = Login(**change).page
        equal(page.status, 303, change)
        assert page.headers["location"].startswith(BACK + "?"), page.headers
        back = parameters(page)
        equal((back["error"], back["state"], back["iss"]), (error, "s&t=#", gateway().url), change)
    answer = Login(redirect_uri=BACK + "?x=1", prompt="none").page
    assert answer.headers["location"].startswith(BACK + "?x=1&error="), answer.headers


@test
def test_text_of_a_request_stays_text():
    evil = '"><script>alert(1)</script>\r\nSet-Cookie: a=b'
    login = Login(login_hint=evil, state=evil, scope="reader")
    equal(login.page.status, 200)
    assert b"<script" not in login.page.body and b"&quot;&gt;&lt;script&gt;" in login.page.body, login.page.body
    back = Login(state=evil, prompt="none").page
    equal(("set-cookie" in back.headers, parameters(back)["state"]), (False, evil))
    again = login.send(user=evil, password="x")
    assert b"<script" not in again.body and b"&quot;&gt;&lt;script&gt;" in again.body, again.body


# Logging in


@test
def test_the_code_flow_from_page_to_token():
    for method in ("GET", "POST"):
        login = Login(method=method, scope="openid reader", nonce="n-1")
        seen = len(gateway().records())
        answer = login.send()
        equal(answer.status, 303, answer)
        back = parameters(answer)
        equal((set(back), back["state"], back["iss"]), ({"code", "state", "iss"}, "s&t=#", gateway().url))
        record = last_record(gateway(), "authorize", seen)
        equal((record["class_uid"], record["unmapped"]["outcome"], record["actor"]["user"]["name"]), (3002, "allowed", "ada"), record)
        gateway().secrets.add(back["code"])
        tokens = login.tokens(back["code"])
        equal((tokens.status, tokens.headers["cache-control"]), (200, "no-store"), tokens)
        equal(tokens.json()["token_type"].lower(), "bearer")
        equal(jwt_parts(tokens.json()["id_token"])[1]["nonce"], "n-1")
        equal(gateway().get("/me", tokens.json()["access_token"]).status, 200)
        userinfo = gateway().get("/userinfo", tokens.json()["access_token"])
        equal(userinfo.json(), {"sub": jwt_parts(tokens.json()["id_token"])[1]["sub"], "preferred_username": "ada"})


@test
def test_a_code_is_for_its_client_verifier_and_address_and_for_once():
    login = Login()
    code = login.code()
    for change in ({"code_verifier": secrets.token_urlsafe(48)}, {"redirect_uri": BACK + "?x=1"}, {"code": "x"}):
        equal((login.tokens(**{"code": code, **change}).status, login.tokens(**{"code": code, **change}).json()["error"]), (400, "invalid_grant"), change)
    equal(login.tokens(code, code_verifier=None).json()["error"], "invalid_request")
    equal(login.tokens(code).status, 200)
    equal(login.tokens(code).json()["error"], "invalid_grant")


@test
def test_a_wrong_password_shows_the_page_again():
    g = Gateway()
    g.add_client("shop", "--public", "--redirect-uri", BACK, "--grant", "code")
    login = Login(g)
    bodies = set()
    for user in ("ada", "nobody"):
        answer = login.send(user=user, password="not the password")
        equal((answer.status, answer.headers["content-type"]), (400, "text/html; charset=utf-8"), answer)
        assert "www-authenticate" not in answer.headers and "location" not in answer.headers, answer.headers
        assert b'role="alert"' in answer.body and b"<title>Error: " in answer.body, answer.body
        assert f'value="{user}"'.encode() in answer.body and b"not the password" not in answer.body, answer.body
        bodies.add(re.sub(rb'name="request" value="[^"]*"|value="(ada|nobody)"', b"", answer.body))
    equal(len(bodies), 1, "an unknown user shows")
    records = wait_until(lambda: [r for r in g.records() if r["unmapped"]["action"] == "authorize"][1:], 5, "two records")
    equal({r["unmapped"]["outcome"] for r in records}, {"denied"})
    login.read(answer)
    equal(login.send(password="").status, 400)
    equal(login.tokens().status, 200)
    g.check_end()


@test
def test_no_form_is_so_long_that_keeper_cuts_its_worker_off():
    g = Gateway(lambda config: config.update(workers=1))
    g.add_client("shop", "--public", "--redirect-uri", BACK, "--grant", "code")
    login = Login(g)
    for much in (1025, 16385, 20000):
        for fields in ({"user": "u" * much, "password": "p"}, {"password": "p" * much}):
            answer = login.send(**fields)
            equal(answer.status, 400, (much, answer))
            assert b"too long" in answer.body, answer
    equal(g.get("/login/callback?state=" + "s" * 17000).status // 100, 4)
    equal(g.login("ada").status, 200)
    g.check_end()


@test
def test_too_many_attempts_are_told_when_to_come_again():
    g = Gateway()
    g.add_client("shop", "--public", "--redirect-uri", BACK, "--grant", "code")
    login = Login(g)
    for _ in range(40):
        answer = login.send(password="not the password")
        if answer.status != 400:
            break
    equal(answer.status, 429, answer)
    assert int(answer.headers["retry-after"]) >= 1 and b"too many attempts" in answer.body, answer
    g.check_end()


@test
def test_a_page_is_good_in_its_own_browser_only():
    login, other = Login(), Login()
    changed = dict(login.hidden)
    name = next(iter(changed))
    changed[name] = ("A" if changed[name][0] != "A" else "B") + changed[name][1:]
    for status, answer in ((400, login.send(cookie="")), (400, login.send(cookie=other.cookie)), (400, login.send(**changed)), (400, login.send(**{name: ""})),
                           (400, login.send(cookie=login.cookie + "; " + other.cookie)),
                           (403, login.send(headers={"Sec-Fetch-Site": "cross-site"})), (403, login.send(headers={"Sec-Fetch-Site": "same-site"}))):
        equal((answer.status, "location" in answer.headers), (status, False), answer)
        equal(answer.headers["content-type"], "text/html; charset=utf-8")
    equal(login.send().status, 303)
    tab = Login(cookie=login.cookie)
    equal((tab.cookie, tab.send().status), (login.cookie, 303), "two tabs of one browser")
    equal(gateway().get("/authorize/login").status, 405)


@contextlib.contextmanager
def without(g, role):
    """As often as it is started, it is killed."""
    done = threading.Event()

    def kill():
        while not done.wait(0.002):
            for pid in g.children(role):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@test
def test_a_login_that_cannot_be_checked_or_recorded_is_a_page_that_says_so():
    for role in ("keeper", "ledger"):
        g = Gateway()
        g.add_client("shop", "--public", "--redirect-uri", BACK, "--grant", "code")
        login = Login(g)
        with without(g, role):
            for password in (None, "not the password"):
                answer = wait_until(lambda: next((a for a in [login.send(password=password)] if a.status == 503), None), 10, f"a login without {role}")
                equal(answer.headers["content-type"], "text/html; charset=utf-8")
                assert int(answer.headers["retry-after"]) >= 1 and b"not possible right now" in answer.body, answer
                assert b"is wrong" not in answer.body and "location" not in answer.headers, "told what was not recorded"
        wait_until(g.is_ready, 30, "readiness")
        equal(login.send().status, 303)
        g.check_end()


@test
def test_a_cancelled_login_goes_back_as_access_denied():
    answer = Login().send(user="", password="", cancel="yes")
    equal((answer.status, parameters(answer)["error"], parameters(answer)["state"]), (303, "access_denied", "s&t=#"))


# Forms of clients


@test
def test_a_client_that_fails_is_told_in_its_own_way():
    for fields, headers, challenge in (({}, basic("robot", "wrong"), True), ({}, basic("robot", ""), True),
                                       ({"client_id": "robot", "client_secret": "wrong"}, {}, False), ({"client_id": "robot"}, {}, False),
                                       ({"client_id": "nobody", "client_secret": "wrong"}, {}, False), ({}, {}, False)):
        answer = post("/token", {"grant_type": "client_credentials", **fields}, headers)
        equal((answer.status, answer.json()["error"]), (401, "invalid_client"), answer)
        equal(answer.headers.get("www-authenticate", "").startswith("Basic"), challenge, answer.headers)
        assert answer.json()["detail"] == answer.json()["error_description"], answer


@test
def test_a_client_authenticates_in_one_way():
    secret = gateway() and _clients["robot"]
    grant = {"grant_type": "client_credentials"}
    equal(post("/token", grant, basic("robot")).status, 200)
    equal(post("/token", {**grant, "client_id": "robot", "client_secret": secret}).status, 200)
    equal(post("/token", {**grant, "client_id": "robot"}, basic("robot")).status, 200)
    for fields in ({"client_id": "robot", "client_secret": secret}, {"client_id": "other"}, {"client_assertion": "a.b.c"}):
        answer = post("/token", {**grant, **fields}, basic("robot"))
        equal((answer.status, answer.json()["error"]), (400, "invalid_request"), answer)


@test
def test_a_client_gets_no_refresh_token_and_the_scope_it_asked_for():
    answer = post("/token", {"grant_type": "client_credentials", "scope": "reader"}, basic("robot")).json()
    equal((answer["scope"], "refresh_token" in answer, "id_token" in answer, answer["expires_in"]), ("reader", False, False, 900), answer)
    answer = post("/token", {"grant_type": "client_credentials", "scope": "books-admin"}, basic("robot"))
    equal((answer.status, answer.json()["error"]), (400, "invalid_scope"), answer)


@test
def test_an_exchanged_token_says_what_it_is():
    seen = len(gateway().records())
    answer = post("/token", {"grant_type": EXCHANGE, "subject_token": gateway().token("ada"), "scope": "reader", "resource": "books",
                             "subject_token_type": "urn:ietf:params:oauth:token-type:access_token"}, basic("agent"))
    equal(answer.status, 200, answer)
    equal(answer.json()["issued_token_type"], "urn:ietf:params:oauth:token-type:access_token")
    equal(jwt_parts(answer.json()["access_token"])[1]["act"], {"sub": "agent"})
    equal(last_record(gateway(), "exchange", seen)["actor"]["app_uid"], "agent")
    wrong = post("/token", {"grant_type": EXCHANGE, "subject_token": "x", "subject_token_type": "urn:ietf:params:oauth:token-type:saml2"}, basic("agent"))
    equal((wrong.status, wrong.json()["error"]), (400, "invalid_request"))
    assert "subject_token_type" in wrong.json()["error_description"], wrong


@test
def test_parameters_stand_once_and_unknown_ones_do_not_matter():
    password = urllib.parse.quote(gateway().passwords["ada"])
    good = f"grant_type=password&username=ada&password={password}"
    equal(post("/token", good + "&unknown=1&scope=").status, 200)
    for more in ("&username=ada", "&unknown=1&unknown=1", "&scope=reader&scope=reader"):
        answer = post("/token", good + more)
        equal((answer.status, answer.json()["error"]), (400, "invalid_request"), more)
    for body in ("grant_type=%zz", "username=%ff&password=x", "username=" + "x" * 1025 + "&password=x"):
        equal(post("/token", body).json()["error"], "invalid_request", body[:20])


@test
def test_a_wrong_dpop_proof_is_no_login():
    fields = {"grant_type": "client_credentials"}
    for proof in ("", "garbage", "a.b.c", "x" * 9000):
        answer = post("/token", fields, {**basic("robot"), "DPoP": proof})
        equal((answer.status, answer.json()["error"]), (400, "invalid_dpop_proof"), proof[:10])
    two = gateway().raw(("POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n"
                         f"Authorization: {basic('robot')['Authorization']}\r\nDPoP: a\r\nDPoP: b\r\nConnection: close\r\n\r\n"
                         "grant_type=client_credentials").encode())[0][0]
    equal((two.status, two.json()["error"]), (400, "invalid_dpop_proof"), two)


# The rest of it


@test
def test_revoke_and_introspect_ask_who_the_client_is():
    token = post("/token", {"grant_type": "client_credentials"}, basic("robot")).json()["access_token"]
    for path in ("/revoke", "/introspect"):
        equal(post(path, {"token": token}, basic("robot", "wrong")).status, 401, path)
        equal(post(path, {}, basic("robot")).json()["error"], "invalid_request", path)
        equal(gateway().get(path).status, 405)
    known = post("/introspect", {"token": token, "token_type_hint": "access_token"}, basic("robot"))
    equal((known.status, known.json()["active"], known.json()["sub"]), (200, True, jwt_parts(token)[1]["sub"]), known)
    equal(known.headers["cache-control"], "no-store")
    equal(post("/introspect", {"token": "unknown"}, basic("robot")).json(), {"active": False})
    gone = post("/revoke", {"token": token}, basic("robot"))
    equal((gone.status, gone.body), (200, b""))
    equal(post("/introspect", {"token": token}, basic("robot")).json(), {"active": False})
    equal((post("/revoke", {"token": "unknown"}, basic("robot")).status), 200, "RFC 7009 section 2.2")


@test
def test_userinfo_needs_a_token():
    equal(gateway().get("/userinfo").status, 401)
    equal(gateway().get("/userinfo", "x.y.z").status, 401)
    token = gateway().token("ada")
    equal(gateway().request("POST", "/userinfo", token).json(), gateway().get("/userinfo", token).json())


@test
def test_metadata_says_what_is_so():
    g = gateway()
    found = g.get("/.well-known/openid-configuration").json()
    equal(g.get("/.well-known/oauth-authorization-server").json(), found)
    equal(found["issuer"], g.url)
    for name, path in (("authorization", "/authorize"), ("token", "/token"), ("revocation", "/revoke"), ("introspection", "/introspect"), ("userinfo", "/userinfo")):
        equal(found[name + "_endpoint"], g.url + path)
        assert g.get(path).status != 404 or g.request("POST", path).status != 404, path
    for grant in found["grant_types_supported"]:
        assert post("/token", {"grant_type": grant}).json()["error"] != "unsupported_grant_type", grant
    equal(len(found["grant_types_supported"]), 5)
    equal((found["response_types_supported"], found["code_challenge_methods_supported"]), (["code"], ["S256"]))
    equal(found["authorization_response_iss_parameter_supported"], True)
    equal(set(found["scopes_supported"]), {"openid", "profile", "offline_access", "reader", "books-admin"})
    equal(len(found["scopes_supported"]), 5, "each once")
    assert "tls_client_certificate_bound_access_tokens" not in found, "no proxy tells of certificates here"
    assert not [a for a in found["dpop_signing_alg_values_supported"] if a.startswith(("HS", "none"))]


@test
def test_bound_certificates_are_told_where_a_proxy_tells_of_them():
    def change(config):
        config["listen"]["http"] = {"address": config["listen"]["http"], "proxies": ["127.0.0.1"], "client_certificate": "Client-Cert"}

    g = Gateway(change)
    for path in ("openid-configuration", "oauth-protected-resource"):
        equal(g.get("/.well-known/" + path).json()["tls_client_certificate_bound_access_tokens"], True)
    g.check_end()


@test
def test_the_protected_resource_names_all_its_issuers():
    def change(config):
        config["issuers"]["corp"] = {"type": "oidc", "issuer": "https://idp.test.invalid/", "audience": "x", "jwks": {"file": "jwks.json"}}

    def before(folder):
        (folder / "jwks.json").write_bytes(g.get("/.well-known/jwks.json").body)

    g = gateway()
    found = g.get("/.well-known/oauth-protected-resource").json()
    equal((found["resource"], found["authorization_servers"], found["bearer_methods_supported"]), (g.url, [g.url], ["header"]))
    other = Gateway(change, before=before)
    equal(other.get("/.well-known/oauth-protected-resource").json()["authorization_servers"], [other.url, "https://idp.test.invalid/"])
    other.check_end()


@test
def test_openapi_offers_both_flows_and_docs_takes_the_answer():
    flows = [s["flows"] for s in gateway().get("/openapi.json").json()["components"]["securitySchemes"].values()]
    equal(flows, [{"password": {"tokenUrl": "/token", "refreshUrl": "/token", "scopes": {}},
                   "authorizationCode": {"authorizationUrl": "/authorize", "tokenUrl": "/token", "refreshUrl": "/token", "scopes": {}}}])
    for path in ("/docs/oauth2-redirect.html", "/docs/oauth2-redirect.js"):
        equal(gateway().get(path + "?code=x&state=y").status, 200, path)


main()

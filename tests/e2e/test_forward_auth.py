"""/auth: asked by the proxies of deploy/ (the real ones), by their exact requests where they are not at hand, and by
whoever would like to be taken for one of them."""
import base64
import hashlib
import http.client
import json
import re
import socket
import subprocess
import urllib.parse

import jwt

from harness import Answer, Gateway, Skip, equal, free_port, main, test, wait_until  # first: it says where the others are
import fronts
from recorder import Recorder, ok

FORMS = ["assertion", "pomerium", "auth_request", "forwarded", "client_principal"]
IDENTITY = ["x-gatewarden-assertion", "x-pomerium-jwt-assertion", "x-auth-request-user", "x-auth-request-groups",
            "x-auth-request-preferred-username", "x-forwarded-user", "x-forwarded-groups", "x-forwarded-preferred-username",
            "x-ms-client-principal", "x-ms-client-principal-id", "x-ms-client-principal-name", "x-ms-client-principal-idp"]
# What a caller would write to be somebody else, or to ask for something else than it gets.
FORGED = {"X-Gatewarden-Assertion": "forged", "X-Pomerium-Jwt-Assertion": "forged", "X-Auth-Request-User": "forged",
          "X-Auth-Request-Groups": "forged", "X-Auth-Request-Email": "forged", "X-Auth-Request-Preferred-Username": "forged",
          "X-Forwarded-User": "forged", "X-Forwarded-Groups": "forged", "X-Forwarded-Email": "forged",
          "X-Forwarded-Preferred-Username": "forged", "X-MS-CLIENT-PRINCIPAL": "forged", "X-MS-CLIENT-PRINCIPAL-ID": "forged",
          "X-MS-CLIENT-PRINCIPAL-NAME": "forged", "X-MS-CLIENT-PRINCIPAL-IDP": "forged", "Remote-User": "forged",
          "Client-Cert": ":forged:",
          "X-Original-URI": "/open/forged", "X-Original-Method": "GET", "X-Original-URL": "http://forged/open/x",
          "X-Forwarded-Uri": "/open/forged", "X-Forwarded-Method": "GET", "X-Forwarded-Host": "forged",
          "X-HTTP-Method-Override": "forged"}
UNDERSCORED = {name.replace("-", "_"): value for name, value in FORGED.items()}
_world = {}


def configure(config, service, proxies=("127.0.0.1",)):
    config["workers"] = 1
    config["listen"]["http"] = {"address": config["listen"]["http"], "proxies": list(proxies)}
    config["public_url"] = "http://" + config["listen"]["http"]["address"]
    config["issuers"]["local"]["login"] = True
    config["backends"]["app"] = {"type": "http", "url": service.url, "audience": "the-app"}
    rules = {"reader": ["GET"], "books-admin": "all"}
    config["routes"] = [
        {"path": "/app/*", "backend": "app", "allow": rules, "identity": FORMS},
        {"path": "/bare/*", "allow": rules},
        {"path": "/open/*", "public": ["GET"], "allow": rules},
        {"path": "/seen/*", "allow": {"books-admin": "all"}, "observe": True},
        {"path": "/page/*", "allow": rules, "page": True},
        {"path": "/few/*", "allow": rules, "limits": {"requests": "1/h", "burst": 1}},
        {"path": "/host/*", "hosts": ["one.example"], "allow": {"reader": ["GET"]}},
        {"path": "/host/*", "hosts": ["two.example", "::1"], "allow": {"books-admin": ["GET"]}},
    ]


def world():
    if not _world:
        service = Recorder()
        _world.update(service=service, gateway=Gateway(lambda c: configure(c, service)))
    return _world["gateway"], _world["service"]


# Asking as proxies do. Each takes what is asked about, and answers with what Gatewarden says.

def original(g, method, uri, headers=None, host=None):
    """nginx, HAProxy, Apache."""
    return g.request("GET", "/auth", headers={"Host": host or f"127.0.0.1:{g.http_port}", "X-Original-Method": method,
                                              "X-Original-URI": uri, **(headers or {})})


def traefik(g, method, uri, headers=None, host=None):
    """As Traefik's ForwardAuth sends it, with trustForwardHeader: false."""
    return g.request("GET", "/auth", headers={
        "Host": f"127.0.0.1:{g.http_port}", "User-Agent": "curl/7.88.1", "Accept-Encoding": "gzip", "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-Host": host or f"127.0.0.1:{g.http_port}", "X-Forwarded-Method": method, "X-Forwarded-Port": "80",
        "X-Forwarded-Proto": "http", "X-Forwarded-Server": "edge", "X-Forwarded-Uri": uri, "X-Real-Ip": "192.0.2.7",
        **(headers or {})})


def envoy(g, method, uri, headers=None, host=None):
    """As ext_authz of Envoy sends it with path_prefix /auth."""
    return g.request(method, "/auth" + uri, headers={
        "Host": host or f"127.0.0.1:{g.http_port}", "Content-Length": "0", "X-Envoy-Internal": "true", "X-Forwarded-For": "192.0.2.7",
        "X-Envoy-Expected-Rq-Timeout-Ms": "200", **(headers or {})})


ASKERS = {"original": original, "traefik": traefik, "envoy": envoy}


def bearer(g, user):
    return {"Authorization": f"Bearer {g.token(user)}"}


def record_of(g, answer):
    return g.record_of(answer.error()["decision"])[-1]


# The endpoint

@test
def test_each_form_is_answered_as_the_route_would():
    g, _ = world()
    for name, ask in ASKERS.items():
        for user, method, uri, status in (
                ("ada", "GET", "/app/x", 200), ("ada", "HEAD", "/app/x", 200), ("ada", "POST", "/app/x", 403), ("grace", "POST", "/app/x", 200),
                ("grace", "DELETE", "/app/x?y=1&z=%2F", 200), ("ada", "GET", "/app", 200), ("ada", "GET", "/app/", 200),
                ("ada", "GET", "/nothing", 403), ("ada", "GET", "/open/x", 200), ("ada", "GET", "/apps/x", 403),
                ("ada", "GET", "/app/%65%20e", 200), ("ada", "GET", "/APP/x", 403), ("ada", "OPTIONS", "/app/x", 403),
                (None, "GET", "/app/x", 401), (None, "POST", "/app/x", 401), (None, "GET", "/nothing", 401),
                (None, "GET", "/open/x", 200), (None, "POST", "/open/x", 401), (None, "HEAD", "/open/x", 200)):
            answer = ask(g, method, uri, bearer(g, user) if user else None)
            equal(answer.status, status, (name, user, method, uri, answer))
            if status == 401:
                assert answer.headers["www-authenticate"].startswith("Bearer realm="), answer.headers
            if status == 200 and user and uri.startswith("/app"):
                equal([n for n in IDENTITY if n not in answer.headers], [], (name, uri))
            if status != 200 or not user:
                equal([n for n in IDENTITY if n in answer.headers], [], (name, uri))


@test
def test_a_token_that_is_shown_must_be_good_also_where_none_is_needed():
    g, _ = world()
    for ask in ASKERS.values():
        for uri in ("/open/x", "/app/x"):
            answer = ask(g, "GET", uri, {"Authorization": "Bearer x.y.z"})
            equal(answer.status, 401, answer)
            assert 'error="invalid_token"' in answer.headers["www-authenticate"], answer.headers


@test
def test_the_assertion_is_for_the_service_or_for_the_route():
    g, _ = world()
    keys = jwt.PyJWKClient(g.url + "/.well-known/jwks.json")
    for uri, audience in (("/app/x", "the-app"), ("/bare/x", "/bare/*")):
        token = original(g, "GET", uri, bearer(g, "ada")).headers["x-gatewarden-assertion"]
        claims = jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=["ES256"], audience=audience, issuer=g.url)
        equal((claims["name"], claims["roles"]), ("ada", ["reader"]))


@test
def test_what_is_decided_is_recorded_as_of_the_route():
    g, _ = world()
    for name, ask in ASKERS.items():
        answer = ask(g, "POST", "/app/x%20y?secret=1", bearer(g, "ada"))
        equal(answer.status, 403)
        record = record_of(g, answer)
        equal((record["api"]["operation"], record["resources"][0]["name"], record["http_request"]["url"]["path"],
               record["unmapped"]["backend"], record["unmapped"]["rule"]), ("POST", "/app/*", "/app/x%20y", "", "default deny"), name)
        assert "secret=1" not in json.dumps(record)
    count = len(g.records('"/app/*"'))
    equal(original(g, "GET", "/app/x", bearer(g, "ada")).status, 200)
    equal(len(g.records('"/app/*"')), count + 1)


@test
def test_what_can_be_read_in_two_ways_is_refused_with_a_reason():
    g, _ = world()
    paths = ["/app/../app/x", "/app/./x", "/open/../app/x", "/open/%2e%2e/app/x", "/open/%2E./app/x", "/open/..%2fapp", "/open/..%5capp",
             "/open//x", "//open/x", "/open/x;y", "/open/%00", "/open/%zz", "/open/%", "/open/%c0%ae", "/open/%252e%252e/app", "open/x", "",
             "*", "http://other/open/x", "/open/x#y", "/open/%0a"]
    for name, ask in ASKERS.items():
        if name == "envoy":
            continue  # the path is that of the request itself: below
        for uri in paths:
            answer = ask(g, "GET", uri, bearer(g, "grace"))
            equal(answer.status, 403, (name, uri, answer))
            record = record_of(g, answer)
            assert record["status_detail"] and record["status_detail"] != "default deny", (uri, record)
            equal((record["unmapped"]["resource"], record["status_id"]), ("/auth", 2), uri)
    for uri in paths:
        if uri.startswith("/") and uri.isprintable():
            assert envoy(g, "GET", uri, bearer(g, "grace")).status in (400, 403), uri


@test
def test_only_a_listed_proxy_can_ask():
    service = Recorder()
    g = Gateway(lambda c: configure(c, service, ["192.0.2.1"]))
    for name, ask in ASKERS.items():
        for user in (None, "grace"):
            for uri in ("/open/x", "/app/x"):
                answer = ask(g, "GET", uri, bearer(g, user) if user else None)
                equal(answer.status, 403, (name, user, uri))
                equal([n for n in IDENTITY if n in answer.headers], [])
    equal(record_of(g, answer)["status_detail"], "only a listed proxy may tell of another's request")
    g.check_end()


@test
def test_a_caller_cannot_add_another_form():
    g, _ = world()
    who = bearer(g, "ada")
    for extra in ({"X-Original-URI": "/open/x"}, {"X-Original-Method": "GET"}, {"X-Original-URL": "http://127.0.0.1/open/x"}):
        equal(traefik(g, "POST", "/app/x", {**who, **extra}).status, 403, extra)
        equal(traefik(g, "GET", "/app/x", {**who, **extra}).status, 403, extra)
        equal(envoy(g, "GET", "/app/x", {**who, **extra}).status, 403, extra)
    for extra in ({"X-Forwarded-Uri": "/open/x"}, {"X-Forwarded-Method": "GET"}):
        equal(original(g, "GET", "/app/x", {**who, **extra}).status, 403, extra)
        equal(envoy(g, "GET", "/app/x", {**who, **extra}).status, 403, extra)
    equal(original(g, "GET", "/app/x", {**who, "X-Original-URL": f"http://127.0.0.1:{g.http_port}/app/x"}).status, 403)
    equal(original(g, "GET", "/app/x", {**who, "X-Forwarded-Host": "two.example"}).status, 200)
    # Nothing is read from the query.
    equal(g.get("/auth?uri=/open/x&method=GET&X-Original-URI=/open/x", "ada").status, 403)
    # Nor is a form half there, or a field there twice.
    for fields in ({}, {"X-Original-Method": "GET"}, {"X-Original-URI": "/open/x"}, {"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/open/x"},
                   {"X-Original-Method": "PROPFIND", "X-Original-URI": "/open/x"}, {"X-Original-Method": "get", "X-Original-URI": "/open/x"},
                   {"X-Original-Method": "", "X-Original-URI": "/open/x"}, {"X-Forwarded-Uri": "/open/x", "X-Forwarded-Host": "a"}):
        equal(g.request("GET", "/auth", headers=fields).status, 403, fields)
    twice = b"GET /auth HTTP/1.1\r\nHost: x\r\nX-Original-Method: GET\r\nX-Original-URI: /open/x\r\nX-Original-URI: /open/x\r\n\r\n"
    equal(g.raw(twice, 0.3)[0][0].status, 403)


@test
def test_routes_of_hosts_are_found_by_the_host_that_is_told():
    g, _ = world()
    for ask in ASKERS.values():
        for host, user, status in (("one.example", "ada", 200), ("ONE.example:8443", "ada", 200), ("two.example", "ada", 403),
                                   ("two.example", "grace", 200), ("one.example", "grace", 403), ("three.example", "grace", 403),
                                   ("[::1]:80", "grace", 200)):
            equal(ask(g, "GET", "/host/x", bearer(g, user), host).status, status, (host, user))
    who = bearer(g, "ada")
    for url, status in (("https://one.example/host/x", 200), ("http://one.example:80/host/x?y", 200), ("https://two.example/host/x", 403),
                        ("https://one.example@two.example/host/x", 403), ("ftp://one.example/host/x", 403), ("//one.example/host/x", 403),
                        ("https://one.example", 403), ("https:///host/x", 403)):
        answer = g.request("GET", "/auth", headers={**who, "X-Original-Method": "GET", "X-Original-URL": url})
        equal(answer.status, status, url)


@test
def test_a_route_that_observes_lets_through_and_says_so_in_the_record():
    g, _ = world()
    for ask in ASKERS.values():
        for headers in (None, bearer(g, "ada"), {"Authorization": "Bearer bad"}):
            count = len(g.records('"/seen/*"'))
            answer = ask(g, "POST", "/seen/x", headers)
            equal(answer.status, 200, answer)
            equal("x-gatewarden-assertion" in answer.headers, headers == bearer(g, "ada"))
            records = g.records('"/seen/*"')
            equal(len(records), count + 1)
            equal((records[-1]["unmapped"]["observed"], records[-1]["status_id"]), (True, 2), records[-1])


@test
def test_limits_hold_for_what_is_asked_about():
    g, _ = world()
    equal(original(g, "GET", "/few/x", bearer(g, "ada")).status, 200)
    answer = original(g, "GET", "/few/x", bearer(g, "ada"))
    equal(answer.status, 429, answer)
    assert int(answer.headers["retry-after"]) > 0


def login(g, return_to="/account"):
    """As a browser: the cookie of a session."""
    page = g.get("/login?" + urllib.parse.urlencode({"return_to": return_to}), headers={"Accept": "text/html"})
    equal(page.status, 200, page)
    fields = dict(re.findall(r'name="([a-z_]+)" value="([^"]*)"', page.body.decode()))
    fields.update(username="ada", password=g.passwords["ada"])
    cookies = "; ".join(c.split(";")[0] for k, c in [("set-cookie", page.headers.get("set-cookie", ""))] if c)
    answer = g.request("POST", "/login", body=urllib.parse.urlencode(fields),
                       headers={"Content-Type": "application/x-www-form-urlencoded", "Origin": g.url, "Cookie": cookies})
    equal(answer.status, 303, answer)
    g.secrets.add(answer.headers["set-cookie"].split(";")[0].split("=", 1)[1])
    return answer.headers["set-cookie"].split(";")[0]


NAVIGATION = {"Accept": "text/html,*/*;q=0.8", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Site": "none"}


@test
def test_people_on_the_way_to_a_page_are_sent_to_the_login_and_come_back():
    g, _ = world()
    uri = "/page/x%20y?a=1&b=%2F"
    expected = g.url + "/login?return_to=" + urllib.parse.quote(uri, safe="")
    for name, status in (("traefik", 302), ("envoy", 302), ("original", 401)):
        ask = ASKERS[name]
        answer = ask(g, "GET", uri, NAVIGATION)
        equal((answer.status, urllib.parse.unquote(answer.headers.get("location", ""))), (status, urllib.parse.unquote(expected)), name)
        record = wait_until(lambda: [r for r in g.records("/page/") if r["status_code"] == str(status)], 5, "its record")[-1]
        equal((record["unmapped"]["outcome"], record["unmapped"]["resource"]), ("denied", "/page/*"), name)
        # Everybody else gets the 401: programs, changes, other routes, and who has shown something.
        for method, path, headers in (("GET", uri, {"Accept": "application/json"}), ("GET", uri, {**NAVIGATION, "Sec-Fetch-Mode": "cors"}),
                                      ("POST", uri, NAVIGATION), ("GET", "/app/x", NAVIGATION), ("GET", "/nothing", NAVIGATION),
                                      ("GET", uri, {**NAVIGATION, "Authorization": "Bearer bad"})):
            answer = ask(g, method, path, headers)
            equal((answer.status, answer.headers.get("location")), (401, None), (name, method, path, headers))
        # A page of another host could not use the session.
        for host in ("evil.example", f"127.0.0.1.evil.example:{g.http_port}", "127.0.0.1", f"127.0.0.1:{g.http_port + 1}"):
            answer = ask(g, "GET", uri, NAVIGATION, host)
            equal((answer.status, answer.headers.get("location")), (401, None), (name, host))


@test
def test_the_cookie_of_a_session_counts_and_changes_need_our_own_pages():
    g, _ = world()
    cookie = login(g)
    own = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
    foreign = {"Cookie": cookie, "Sec-Fetch-Site": "cross-site"}
    for ask in ASKERS.values():
        equal(ask(g, "GET", "/page/x", {**NAVIGATION, "Cookie": cookie}).status, 200)
        equal(ask(g, "GET", "/app/x", own).headers["x-auth-request-preferred-username"], "ada")
        equal(ask(g, "POST", "/app/x", own).status, 403)     # a reader
        equal(ask(g, "POST", "/app/x", foreign).status, 401)  # nobody, although the question is a GET
        equal(ask(g, "GET", "/app/x", foreign).status, 200)


@test
def test_a_question_may_come_by_http_2():
    g, _ = world()
    for path, fields, status in (("/auth/app/x?y=1", {}, 200), ("/auth/app/../x", {}, 400), ("/auth/nothing", {}, 403),
                                 ("/auth", {"X-Original-Method": "GET", "X-Original-URI": "/app/x?y=1"}, 200),
                                 ("/auth", {"X-Original-Method": "DELETE", "X-Original-URI": "/app/x"}, 403),
                                 ("/auth", {"X-Forwarded-Method": "HEAD", "X-Forwarded-Uri": "/app/x", "X-Forwarded-Host": "x"}, 200)):
        words = [w for k, v in {**fields, **bearer(g, "ada")}.items() for w in ("-H", f"{k}: {v}")]
        done = subprocess.run(["curl", "-s", "--http2-prior-knowledge", "--path-as-is", "-D", "-", "-m", "20", *words, g.url + path], capture_output=True,
                              text=True, check=True)
        equal(done.stdout.split()[:2], ["HTTP/2", str(status)], (path, fields, done.stdout))
        equal("\nx-gatewarden-assertion: ey" in done.stdout, status == 200, path)


@test
def test_where_there_are_no_routes_there_is_nothing_to_ask():
    g = Gateway(lambda c: c["listen"].update(http={"address": c["listen"]["http"], "proxies": ["127.0.0.1"]}))
    for ask in ASKERS.values():
        answer = ask(g, "GET", "/api/books", bearer(g, "grace"))
        assert answer.status in (403, 404), answer
    g.check_end()


# Real proxies

class Front:
    """A proxy before an application, with Gatewarden beside it."""

    def __init__(self, name):
        if not fronts.is_here(name):
            raise Skip(f"{name} is not here")
        self.name = name
        self.gateway, self.service = world()
        self.port = free_port()
        self.running = fronts.front(name, self.gateway.http_port, self.service.port, self.port)

    def __enter__(self):
        self.running.__enter__()
        self.service.forget()
        return self

    def __exit__(self, *error):
        self.service.answer = ok
        return self.running.__exit__(*error)

    def request(self, method, path, user=None, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        fields = {**(headers or {}), **(bearer(self.gateway, user) if user else {})}
        try:
            connection.request(method, path, body=body, headers=fields)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def passes(self, method, path, user=None, body=None, headers=None):
        """The head that the application got."""
        count = len(self.service.requests)
        answer = self.request(method, path, user, body, headers)
        equal((answer.status, answer.body), (200, b"" if method == "HEAD" else b"hello"), (self.name, method, path, answer))
        equal(len(self.service.requests), count + 1, (self.name, method, path))
        return self.service.requests[-1]

    def refuses(self, status, method, path, user=None, body=None, headers=None):
        count = len(self.service.requests)
        answer = self.request(method, path, user, body, headers)
        equal(answer.status, status, (self.name, method, path, answer))
        equal(len(self.service.requests), count, (self.name, method, path, "the application was reached"))
        return answer


def check_decisions(f):
    head = f.passes("GET", "/app/x?y=1", "ada")
    equal((head.method, head.target), ("GET", "/app/x?y=1"))
    f.passes("HEAD", "/app/x", "ada")
    answer = f.refuses(401, "GET", "/app/x")
    assert answer.headers["www-authenticate"].startswith("Bearer realm="), (f.name, answer.headers)
    answer = f.refuses(401, "GET", "/app/x", headers={"Authorization": "Bearer x.y.z"})
    assert "invalid_token" in answer.headers["www-authenticate"], (f.name, answer.headers)
    f.refuses(403, "DELETE", "/app/x", "ada")
    f.refuses(403, "POST", "/app/x", "ada", body=b"x")
    f.refuses(403, "GET", "/nothing", "ada")
    f.refuses(401, "GET", "/nothing")
    f.passes("DELETE", "/app/x", "grace")
    f.passes("GET", "/open/x")
    f.refuses(401, "POST", "/open/x", body=b"x")


def check_identity(f):
    head = f.passes("GET", "/app/x", "ada")
    equal([n for n in IDENTITY if len(head.all(n)) != 1], [], f.name)
    keys = jwt.PyJWKClient(f.gateway.url + "/.well-known/jwks.json")
    token = head.get("X-Gatewarden-Assertion")
    claims = jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=["ES256"], audience="the-app", issuer=f.gateway.url)
    equal((head.get("X-Auth-Request-User"), head.get("X-Forwarded-Groups"), head.get("X-MS-CLIENT-PRINCIPAL-NAME")),
          (claims["sub"], "reader", "ada"))
    equal(f.passes("GET", "/app/x", "grace").get("X-Auth-Request-Groups"), "books-admin")


def check_forgery(f):
    """Whatever callers write, alone or with a token, only Gatewarden's words arrive."""
    for forged in (FORGED, UNDERSCORED, {k.lower(): v for k, v in FORGED.items()}):
        for path, user in (("/open/x", None), ("/app/x", "ada")):
            head = f.passes("GET", path, user, headers=forged)
            left = [(n, v) for n, v in head.fields if "forged" in v]
            equal(left, [], (f.name, path))
            equal([n for n in IDENTITY if len(head.all(n)) != (1 if user else 0)], [], (f.name, path))
        f.refuses(403, "DELETE", "/app/x", "ada", headers=forged)
        f.refuses(401, "GET", "/app/x", headers=forged)


def check_paths(f):
    equal(f.passes("GET", "/app/a%20b%3Fc/?q=%2F..%2F", "ada").target, "/app/a%20b%3Fc/?q=%2F..%2F")
    for path in ("/open/../app/x", "/open/%2e%2e/app/x", "/open/..%2fapp/x", "/open/..%5capp/x", "/open//x", "/open/./x", "/open/x;/../app",
                 "/open/%252e%252e/app", "/open/%00", "/open/%c0%ae%c0%ae/app"):
        count = len(f.service.requests)
        answer = f.request("GET", path)
        # A proxy may refuse it itself, or write it plainly first: then that is what was asked about.
        assert answer.status in (400, 401, 403, 404), (f.name, path, answer)
        equal(len(f.service.requests), count, (f.name, path))


def check_bodies(f):
    for size in (0, 1, 100_000, 3_000_000):
        body = bytes(i % 251 for i in range(size))
        got = []

        def answer(connection, request, got=got):
            got.append(connection.body(request))
            connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        f.service.answer = answer
        f.passes("POST", "/app/x", "grace", body=body)
        equal(got == [body], True, (f.name, size, [len(b) for b in got]))
    f.service.answer = ok
    f.passes("PUT", "/app/x", "grace", body=iter([b"chunk one ", b"chunk two"]))


def check_upgrade(f):
    """WebSocket: asked for like everything else, then bytes pass both ways."""
    def answer(connection, request):
        accept = base64.b64encode(hashlib.sha1((request.get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        connection.send(connection.take(4)[::-1])
    f.service.answer = answer
    shown = f"Authorization: Bearer {f.gateway.token('ada')}\r\n"
    for path, fields, status in (("/app/ws", shown, 101), ("/app/ws", "", 401), ("/nothing/ws", shown, 403)):
        with socket.create_connection(("127.0.0.1", f.port), timeout=20) as s:
            s.sendall((f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{fields}"
                       "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())
            got = b""
            while b"\r\n\r\n" not in got:
                got += s.recv(4096) or b"\r\n\r\n"
            equal(got.split()[1], str(status).encode(), (f.name, path, got))
            if status == 101:
                s.sendall(b"abcd")
                while not got.endswith(b"dcba"):
                    more = s.recv(4096)
                    assert more, (f.name, got)
                    got += more
                equal(len(f.service.last().all("X-Gatewarden-Assertion")), 1)
    f.service.answer = ok


def check_pages(f):
    uri = "/page/x?a=1"
    own = {"Host": f"127.0.0.1:{f.gateway.http_port}"}
    answer = f.refuses(302, "GET", uri, headers={**NAVIGATION, **own})
    equal(urllib.parse.unquote(answer.headers["location"]), f.gateway.url + "/login?return_to=" + uri, f.name)
    f.refuses(401, "GET", uri, headers=NAVIGATION)  # of another origin
    f.refuses(401, "GET", uri, headers={"Accept": "application/json", **own})
    # The application has the caller's other cookies, and neither its session nor its token.
    session = login(f.gateway)
    for sent, left in ((session, []), (f"a=b; {session}", ["a=b"]), (f"{session}; xgatewarden=1; c=d", ["xgatewarden=1", "c=d"])):
        head = f.passes("GET", uri, headers={**NAVIGATION, "Cookie": sent})
        equal(len(head.all("X-Gatewarden-Assertion")), 1)
        got = [c.strip() for v in head.all("Cookie") for c in v.split(";") if c.strip()]
        equal(got, left, (f.name, sent))
    for name in ("Authorization", "DPoP"):
        equal(f.passes("GET", "/app/x", "ada").all(name), [], f.name)
    f.passes("GET", "/open/x", headers={"Cookie": "a=b"})


def check_outage(f):
    f.gateway.stop()
    try:
        count = len(f.service.requests)
        answer = f.request("GET", "/open/x")
        assert answer.status in (500, 502, 503, 504), (f.name, answer)
        equal(len(f.service.requests), count)
    finally:
        f.gateway.start()
    f.passes("GET", "/open/x")


def check_front(name):
    with Front(name) as f:
        for check in (check_decisions, check_identity, check_forgery, check_paths, check_bodies, check_upgrade, check_pages, check_outage):
            check(f)


@test
def test_nginx_asks_before_it_passes_on():
    check_front("nginx")


@test
def test_haproxy_asks_before_it_passes_on():
    check_front("haproxy")


@test
def test_caddy_asks_before_it_passes_on():
    check_front("caddy")


@test
def test_apache_asks_before_it_passes_on():
    check_front("apache")


main()

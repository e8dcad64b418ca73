"""What a service is told of its caller, checked as an application checks it: with a library, from our key set."""
import base64
import contextlib
import json
import os
import pathlib
import signal
import sqlite3
import threading
import time

import jwt
from joserfc import jwt as joserfc_jwt
from joserfc.jwk import KeySet

from harness import Gateway, equal, main, test, wait_until
from idp import Key
from recorder import Recorder

TYPE = "gatewarden-assertion+jwt"
FORMS = ["assertion", "pomerium", "auth_request", "forwarded", "client_principal"]
CORP = "https://corp.test.invalid/"
ROLES = {"reader": {"granted_by": ["corp:reader"]}, "books-admin": {"granted_by": ["corp:books-admin"]}}


class App:
    """An application behind the gate that trusts the assertion and nothing else."""

    def __init__(self, gateway, service):
        self.gateway, self.service = gateway, service

    def read(self, token, audience="app"):
        keys = jwt.PyJWKClient(self.gateway.url + "/.well-known/jwks.json", cache_keys=False)
        equal(jwt.get_unverified_header(token)["typ"], TYPE)
        return jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=["ES256"], audience=audience,
                          issuer=self.gateway.url, leeway=5, options={"require": ["exp", "iat", "nbf", "sub", "jti"]})

    def ask(self, path="/app/x", who="ada", **headers):
        """The head that the service got."""
        before = len(self.service.requests)
        answer = self.gateway.get(path, who, headers=headers)
        equal(answer.status, 200, answer)
        equal(len(self.service.requests), before + 1)
        return self.service.requests[-1]

    def assertion(self, path="/app/x", who="ada"):
        head = self.ask(path, who)
        equal(len(head.all("X-Gatewarden-Assertion")), 1)
        return head.get("X-Gatewarden-Assertion")


def start(change=None, **more):
    service = Recorder()

    def configure(config):
        config["workers"] = 1
        config["backends"]["app"] = {"type": "http", "url": service.url}
        config["backends"]["other"] = {"type": "http", "url": service.url, "audience": "https://other.example",
                                       "assertion": {"ttl": "60s", "claims": ["department", "no-such"]}}
        both = {"reader": ["GET"], "books-admin": "all"}
        config["routes"] = [{"path": "/app/*", "backend": "app", "allow": both},
                            {"path": "/other/*", "backend": "other", "allow": both, "identity": FORMS},
                            {"path": "/plain/*", "backend": "app", "allow": both, "identity": ["none"]},
                            {"path": "/open/*", "backend": "app", "public": ["GET"], "allow": both}]
        if change:
            change(config)
    gateway = Gateway(configure, **more)
    return App(gateway, service)


def with_corp(config):
    """Only another issuer: nothing of ours signs tokens here."""
    config["issuers"] = {"corp": {"type": "oidc", "issuer": CORP, "audience": "app", "algorithms": ["ES256"],
                                  "jwks": {"file": "jwks.json"}}}
    config["roles"] = json.loads(json.dumps(ROLES))


_world = {}


def world():
    if not _world:
        _world["app"] = start()
    return _world["app"]


def kids(gateway):
    answer = gateway.get("/.well-known/jwks.json")
    equal(answer.status, 200, answer)
    return [key["kid"] for key in answer.json()["keys"]]


@test
def test_an_application_verifies_it_from_our_key_set():
    app = world()
    token = app.assertion()
    claims = app.read(token)
    me = app.gateway.get("/me", "ada").json()
    equal((claims["iss"], claims["aud"], claims["roles"], claims["idp"], claims["name"], claims["scope"]),
          (app.gateway.url, "app", ["reader"], "local", "ada", "reader"))
    equal(claims["sub"], me["subject"])
    equal(claims["exp"] - claims["iat"], 300)
    equal(claims["nbf"], claims["iat"])
    assert abs(claims["iat"] - time.time()) < 60
    assert "act" not in claims and "email" not in claims
    keys = KeySet.import_key_set(app.gateway.get("/.well-known/jwks.json").json())
    read = joserfc_jwt.decode(token, keys, algorithms=["ES256"])
    equal((read.header["typ"], read.claims["sub"]), (TYPE, claims["sub"]))


@test
def test_it_is_for_one_service_only():
    app = world()
    token = app.assertion()
    for audience in ("other", "https://other.example", "api://books"):
        try:
            app.read(token, audience)
        except jwt.InvalidAudienceError:
            continue
        raise AssertionError(f"taken by {audience}")
    other = app.read(app.assertion("/other/x"), "https://other.example")
    equal((other["aud"], other["exp"] - other["iat"]), ("https://other.example", 60))


@test
def test_nobody_can_show_it_as_a_token():
    app = world()
    token = app.assertion()
    for path in ("/me", "/api/books/1", "/app/x", "/open/x"):
        answer = app.gateway.get(path, token)
        equal(answer.status, 401, path)
    for audience in ("api://books", app.gateway.url):
        # Not with the right audience either: its keys are not those that verify tokens.
        service = start(lambda c, a=audience: c["backends"]["app"].update(audience=a)) if audience == "api://books" else None
        if service:
            equal(service.gateway.get("/me", service.assertion()).status, 401)
            service.gateway.check_end()
    answer = app.gateway.form("/introspect", token=token, client_id="x")
    assert answer.status != 200 or answer.json() == {"active": False}, answer
    answer = app.gateway.form("/token", grant_type="urn:ietf:params:oauth:grant-type:token-exchange", subject_token=token,
                              subject_token_type="urn:ietf:params:oauth:token-type:access_token", client_id="x")
    assert answer.status in (400, 401), answer


@test
def test_an_access_token_is_no_assertion():
    app = world()
    token = app.gateway.token("ada")
    assert jwt.get_unverified_header(token)["typ"] != TYPE
    try:
        keys = jwt.PyJWKClient(app.gateway.url + "/.well-known/jwks.json")
        jwt.decode(token, keys.get_signing_key_from_jwt(token).key, algorithms=["ES256"], audience="app")
    except jwt.InvalidAudienceError:
        return
    raise AssertionError("taken")


@test
def test_what_a_caller_writes_in_its_place_never_arrives():
    app = world()
    own = app.assertion()
    for name in ("X-Gatewarden-Assertion", "x-gatewarden-assertion", "X-GATEWARDEN-ASSERTION"):
        head = app.ask(**{name: "forged"})
        equal(head.all("X-Gatewarden-Assertion"), [own])
    head = app.ask("/plain/x", **{"X-Gatewarden-Assertion": "forged", "X-Auth-Request-User": "root", "X-Forwarded-User": "root",
                                  "X-MS-CLIENT-PRINCIPAL": "e30=", "Remote-User": "root", "X-Pomerium-Jwt-Assertion": "x",
                                  "X-Forwarded-Email": "root@x", "X-Original-URI": "/x", "X-HTTP-Method-Override": "DELETE"})
    for name in head.names():
        assert not name.startswith(("x-gatewarden", "x-auth-", "x-ms-", "remote-", "x-pomerium", "x-original", "x-http")), name
        assert name not in ("x-forwarded-user", "x-forwarded-email"), name
    # `Connection` cannot name ours away, either.
    head = app.ask(Connection="close, X-Gatewarden-Assertion")
    equal(head.all("X-Gatewarden-Assertion"), [own])


@test
def test_who_shows_no_token_is_nobody_to_a_public_route():
    app = world()
    head = app.ask("/open/x", None, **{"X-Gatewarden-Assertion": "forged"})
    equal(head.all("X-Gatewarden-Assertion"), [])
    app.read(app.assertion("/open/x"))


@test
def test_every_form_says_the_same():
    app = world()
    head = app.ask("/other/x", "grace")
    claims = app.read(head.get("X-Gatewarden-Assertion"), "https://other.example")
    equal(head.get("X-Pomerium-Jwt-Assertion"), head.get("X-Gatewarden-Assertion"))
    for prefix in ("X-Auth-Request", "X-Forwarded"):
        equal([head.get(f"{prefix}-{part}") for part in ("User", "Groups", "Preferred-Username", "Email")],
              [claims["sub"], "books-admin", "grace", None])
    equal([head.get(f"X-MS-CLIENT-PRINCIPAL-{part}") for part in ("ID", "NAME", "IDP")], [claims["sub"], "grace", "local"])
    principal = json.loads(base64.b64decode(head.get("X-MS-CLIENT-PRINCIPAL"), validate=True))
    equal(principal["auth_typ"], "local")
    values = {}
    for claim in principal["claims"]:
        values.setdefault(claim["typ"], []).append(claim["val"])
    equal((values[principal["name_typ"]], values[principal["role_typ"]]), (["grace"], ["books-admin"]))


@test
def test_one_is_made_for_many_requests():
    app = world()
    seen = []

    def ask():
        seen.append(app.gateway.get("/app/x", "grace").status)
    threads = [threading.Thread(target=ask) for _ in range(16)]
    app.service.forget()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(seen, [200] * 16)
    equal(len({r.get("X-Gatewarden-Assertion") for r in app.service.requests}), 1)
    one, another = app.assertion(who="ada"), app.assertion(who="grace")
    assert app.read(one)["sub"] != app.read(another)["sub"]
    # Another login of the same person is no other caller.
    again = app.gateway.login("ada").json()["access_token"]
    equal(app.assertion(who=again), one)


@test
def test_with_keeper_away_the_young_ones_serve_on():
    app = start()
    g = app.gateway
    kept = app.assertion()
    stranger = g.token("grace")
    keeper = g.children("keeper")[0]
    os.kill(keeper, signal.SIGSTOP)
    try:
        equal(app.assertion(), kept)
        got = []
        waiting = threading.Thread(target=lambda: got.append(g.get("/app/x", stranger, timeout=60)))
        waiting.start()
        time.sleep(0.3)
        equal(got, [])
        equal(app.assertion(), kept)
    finally:
        os.kill(keeper, signal.SIGKILL)
    waiting.join()
    equal(got[0].status, 503, got)
    assert "retry-after" in got[0].headers
    wait_until(lambda: len(g.children("keeper")) == 1 and g.is_ready(), 20, "a new keeper")
    equal(app.assertion(), kept)
    app.read(app.assertion(who="grace"))
    g.check_end()


@test
def test_keys_change_ahead_and_old_assertions_stay_good():
    app = start()
    g = app.gateway
    old = app.assertion()
    old_kid = jwt.get_unverified_header(old)["kid"]
    equal(len(kids(g)), 2)  # the issuer's, and ours

    def date(kid, ago_s):
        with contextlib.closing(sqlite3.connect(g.folder / "state/state.db", timeout=10)) as db:
            equal(db.execute("UPDATE signing_key SET active_s = ? WHERE issuer = '@assertion' AND id = ?",
                             (int(time.time()) - ago_s, kid)).rowcount, 1)
            db.commit()
    date(old_kid, 29.5 * 86400)
    g.signal(signal.SIGHUP)
    wait_until(lambda: len(kids(g)) == 3, 15, "the next key to be published")
    wait_until(g.is_ready, 15, "readiness")
    equal(jwt.get_unverified_header(app.assertion())["kid"], old_kid)  # it does not sign yet
    new_kid = next(k for k in kids(g)[1:] if k != old_kid)
    date(new_kid, 5)
    g.stop()
    g.start()
    token = app.assertion()
    equal(jwt.get_unverified_header(token)["kid"], new_kid)
    app.read(token)
    app.read(old)
    assert {old_kid, new_kid} <= set(kids(g))
    events = [r for r in g.records("key.rotate")]
    equal(len(events), 3)
    g.check_end()


@test
def test_it_is_made_without_a_local_issuer_too():
    key = Key("ES256")
    claims = {"iss": CORP, "aud": "app", "sub": "u7", "exp": int(time.time()) + 600, "iat": int(time.time()), "email": "ada@example.com",
              "roles": ["reader"], "department": ["it", 7], "preferred_username": "J\u00f6rg", "scp": ["a", "b"], "act": {"sub": "agent"}}
    app = start(with_corp, before=lambda at: pathlib.Path(at / "jwks.json").write_text(json.dumps({"keys": [key.jwk()]})))
    g = app.gateway
    equal(len(kids(g)), 1)
    token = key.sign({"typ": "JWT"}, claims)
    head = app.ask("/other/x", token)
    told = app.read(head.get("X-Gatewarden-Assertion"), "https://other.example")
    equal({k: told.get(k) for k in ("sub", "idp", "name", "email", "scope", "department", "act", "roles", "no-such")},
          {"sub": "u7", "idp": "corp", "name": "J\u00f6rg", "email": "ada@example.com", "scope": "a b", "department": ["it", 7],
           "act": {"sub": "agent"}, "roles": ["reader"], "no-such": None})
    assert told["exp"] - told["iat"] == 60
    equal(head.get("X-Auth-Request-Preferred-Username"), "J%C3%B6rg")
    equal(head.get("X-Auth-Request-Email"), "ada@example.com")
    # Text of a token ends no line.
    evil = "a\r\nX-Evil: 1"
    head = app.ask("/other/x", key.sign({"typ": "JWT"}, {**claims, "sub": "100% Zo\u00eb", "email": evil, "department": evil,
                                                         "preferred_username": evil, "scp": evil}))
    assert "x-evil" not in head.names(), head.head
    equal([head.get(f"X-Auth-Request-{part}") for part in ("User", "Email", "Preferred-Username")],
          ["100%25 Zo%C3%AB", None, None])
    equal(app.read(head.get("X-Gatewarden-Assertion"), "https://other.example")["department"], evil)
    equal(g.get("/other/x", key.sign({"typ": "JWT"}, {**claims, "sub": evil})).status, 401)
    # An address that nobody has looked at is not told.
    head = app.ask("/other/x", key.sign({"typ": "JWT"}, {**claims, "email_verified": False}))
    equal(head.get("X-Auth-Request-Email"), None)
    # What is too long for a field is refused, not cut.
    answer = g.get("/other/x", key.sign({"typ": "JWT"}, {**claims, "department": "x" * 5000}))
    equal(answer.status, 503, answer)
    equal(g.record_of(answer.error()["decision"])[-1]["status_detail"], "the caller's assertion would be too long")
    g.check_end()


@test
def test_where_there_are_no_services_there_are_no_keys_for_them():
    g = Gateway()
    equal(len(kids(g)), 1)
    with contextlib.closing(sqlite3.connect(g.folder / "state/state.db", timeout=10)) as db:
        equal(db.execute("SELECT count(*) FROM signing_key WHERE issuer = '@assertion'").fetchone(), (0,))
    # With the first service they are made, and every worker has them.
    service = Recorder()
    g.config["backends"]["app"] = {"type": "http", "url": service.url}
    g.config["routes"] = [{"path": "/app/*", "backend": "app", "allow": {"reader": ["GET"]}}]
    g.write_config()
    g.signal(signal.SIGHUP)
    wait_until(lambda: g.get("/app/x", "ada").status == 200, 20, "the new route")
    app = App(g, service)
    app.read(app.assertion())
    equal(len(kids(g)), 2)
    g.check_end()


main()

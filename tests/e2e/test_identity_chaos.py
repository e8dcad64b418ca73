"""Callers whose identity must be asked for (unknown keys, introspection, groups, proofs, sessions, logins) and who break
off anywhere, while the processes that are asked are killed, stand still or are given a new configuration.

Whatever happens, no process but those killed ends, no report is written, everybody is let in again afterwards, and the
audit log verifies.
"""
import contextlib
import html
import os
import random
import re
import secrets
import signal
import socket
import struct
import threading
import time
import urllib.parse

from harness import Gateway, equal, jwt_parts, main, test, wait_until  # first: it says where the others are
import shapes
from idp import INTROSPECT, JWKS, Key, Provider, status

SECONDS = float(os.environ.get("GATEWARDEN_CHAOS_SECONDS", "6"))
CALLERS = 20


class World:
    def __init__(self, **limits):
        self.lab, self.corp = Provider(), Provider([Key("RS256")], issuer=f"https://login.microsoftonline.com/{shapes.TENANT}/v2.0")
        self.corp.clients["graph"] = self.lab.clients["gateway"] = "only-for-this-test"
        self.corp.groups = {shapes.PERSON: ["group-of-readers"]}
        self.key = Key("ES256")

        def change(config):
            config["issuers"]["local"]["login"] = True
            config["issuers"].update({
                "lab": {"type": "oidc", "issuer": self.lab.issuer, "audience": "api://books", "keys_cooldown": "1s",
                        "login": {"client_id": "gateway", "client_secret": {"file": "asking.secret"}}},
                "corp": {"type": "entra", "tenant": shapes.TENANT, "audience": shapes.API, "metadata": self.corp.metadata_url,
                         "roles_claim": ["roles", "groups"],
                         "graph": {"client_id": "graph", "client_secret": {"file": "asking.secret"}, "endpoint": self.corp.url,
                                   "token_endpoint": self.corp.url + "/token"}},
                "opaque": {"type": "introspection", "endpoint": self.lab.url + INTROSPECT, "client_id": "gateway",
                           "client_secret": {"file": "asking.secret"}, "audience": "api://books", "cache": "1s"},
            })
            config["sessions"] = {"ttl": "1h", "issuer": "local"}
            config["outbound"] = {"timeout": "2s"}
            config["limits"] = {"head_timeout": "1s", "idle_timeout": "1s", "write_timeout": "2s", **limits}
            config["roles"]["reader"]["granted_by"] += ["lab:reader", "corp:group-of-readers", "opaque:reader"]

        self.gateway = Gateway(change, before=lambda folder: (folder / "asking.secret").write_text("only-for-this-test\n"))
        self.gateway.secrets.add("only-for-this-test")
        self.url = self.gateway.url
        self.browser, self.session = self.log_in()

    def log_in(self):
        """Cookies of our own user's session."""
        g = self.gateway
        page = g.get("/login?issuer=local")
        browser = page.headers["set-cookie"].split(";")[0]
        ticket = html.unescape(re.search(r'name="ticket" value="([^"]*)"', page.body.decode())[1])
        answer = g.request("POST", "/login", body=urllib.parse.urlencode({"username": "ada", "password": g.passwords["ada"], "ticket": ticket}),
                           headers={"Content-Type": "application/x-www-form-urlencoded", "Cookie": browser})
        equal(answer.status, 303, answer)
        session = answer.headers["set-cookie"].split(";")[0]
        g.secrets.add(session.partition("=")[2])
        return browser, session

    def opaque(self, active=True):
        token = secrets.token_urlsafe(32)
        self.gateway.secrets.add(token)
        if active:
            self.lab.introspected[token] = {"active": True, "aud": "api://books", "sub": "opaque-1", "roles": ["reader"], "exp": int(time.time()) + 60}
        return token

    def bound(self):
        return self.lab.token(jti=secrets.token_hex(8), cnf={"jkt": self.key.thumbprint()})

    def overage(self):
        return self.corp.keys[0].sign({}, shapes.entra_overage(uti=secrets.token_hex(8)))

    # What the callers send

    def fields(self, rng, method, path):
        """How somebody says who they are, such that somebody must be asked, mostly."""
        def proof(token):
            return f"Authorization: DPoP {token}\r\nDPoP: {self.key.proof(method, self.url + path, token)}\r\n"
        bearer = "Authorization: Bearer {}\r\n".format
        return rng.choice([
            lambda: bearer(self.lab.token(Key("ES256"))), lambda: bearer(self.lab.token(sub=secrets.token_hex(4))),
            lambda: bearer(self.opaque()), lambda: bearer(self.opaque(False)), lambda: bearer(self.overage()),
            lambda: proof(self.bound()), lambda: proof(self.bound()),
            lambda: f"Cookie: {self.session}\r\nSec-Fetch-Site: same-origin\r\n",
            lambda: f"Cookie: gatewarden={secrets.token_urlsafe(32)}\r\nSec-Fetch-Site: same-origin\r\n",
            lambda: f"Cookie: {self.session}\r\n" + bearer(self.lab.token(Key("ES256"))),
        ])()

    def request(self, rng):
        form = "Content-Type: application/x-www-form-urlencoded\r\n"
        body, more = b"", ""
        method, path, wants_identity = rng.choice([
            ("GET", "/me", True), ("HEAD", "/me", True), ("GET", "/api/books/1", True), ("GET", "/api/books", True),
            ("GET", "/account", True), ("GET", "/openapi.json", True), ("GET", "/userinfo", True), ("PATCH", "/api/books/1", True),
            ("PATCH", "/api/books/2", True), ("GET", "/login?issuer=lab", False), ("GET", "/login", False), ("POST", "/logout", True),
            ("GET", f"/login/callback?state={secrets.token_urlsafe(32)}&code=x", False), ("POST", "/introspect", False),
        ])
        if method == "PATCH":
            body, more = b'{"stock": 1}', "Content-Type: application/json\r\n" + rng.choice(["", "Expect: 100-continue\r\n"])
        elif path == "/introspect":
            body, more = b"token=abc&client_id=nobody&client_secret=nothing", form
        if wants_identity:
            more += self.fields(rng, method, path)
        if method == "PATCH" and rng.random() < 0.3:
            return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{more}Transfer-Encoding: chunked\r\n\r\n".encode() + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        return f"{method} {path} HTTP/1.1\r\nHost: x\r\n{more}".encode() + (b"Content-Length: %d\r\n" % len(body) if body else b"") + b"\r\n" + body

    def caller(self, seed, end):
        rng = random.Random(seed)
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.socket() as s:
                s.settimeout(3)
                s.connect(("127.0.0.1", self.gateway.http_port))
                data = b"".join(self.request(rng) for _ in range(rng.choice([1, 1, 2, 8])))
                data = data[:rng.randrange(len(data) + 1)] if rng.random() < 0.3 else data
                while data:
                    cut = rng.choice([len(data), rng.randrange(1, len(data) + 1)])
                    s.sendall(data[:cut])
                    data = data[cut:]
                if rng.random() < 0.2:
                    s.shutdown(socket.SHUT_WR)
                s.settimeout(rng.choice([0.01, 0.1, 0.5]))
                while s.recv(65536):
                    pass
                if rng.random() < 0.5:
                    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def meddle(self, rng):
        """Something happens to the providers."""
        fault = rng.choice([None, None, status(500), status(429, Retry_After=1), lambda h: (time.sleep(0.5), h.json({}, 500))])
        for provider, path in ((self.lab, JWKS), (self.lab, INTROSPECT), (self.corp, "/v1.0/")):
            provider.faults.pop(path, None)
            if fault:
                provider.faults[path] = fault

    # What must hold afterwards

    def everybody_is_let_in(self):
        g = self.gateway
        for provider in (self.lab, self.corp):
            provider.faults.clear()
        self.lab.keys = [Key("ES256")]
        token = self.bound()
        ways = {
            "a key that is new": lambda: g.get("/me", self.lab.token()),
            "introspection": lambda: g.get("/me", self.opaque()),
            "groups": lambda: g.get("/me", self.overage()),
            "a proof": lambda: g.get("/me", headers={"Authorization": f"DPoP {token}", "DPoP": self.key.proof("GET", self.url + "/me", token)}),
            "a session": lambda: g.get("/me", headers={"Cookie": self.session}),
            "a login": lambda: g.login("ada"),
        }
        self.session = self.log_in()[1]
        for name, ask in ways.items():
            wait_until(lambda: ask().status == 200, 30, name)
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.left(), 15)
        equal(self.left(), [], "what is left behind")

    def descriptors(self):
        """The most that a process of each kind holds; fetcher's differ with the connections it keeps to providers."""
        g = self.gateway
        pids = {"supervisor": [g.pid()], **{role: g.children(role) for role in ("@worker", "@keeper", "@ledger")}}
        return {role: max(len(os.listdir(f"/proc/{p}/fd")) for p in all_of) for role, all_of in pids.items()}

    def grown(self, held):
        """More than the connections of somebody who looks on, which come and go."""
        return {role: (count, held[role]) for role, count in self.descriptors().items() if count > held[role] + 2}

    def left(self):
        names = ("connections_open", "audit_waiting", "keeper_waiting", "fetcher_waiting")
        lines = self.gateway.admin("/metrics").body.decode().splitlines()
        return [line for line in lines if line.startswith(tuple(f"gatewarden_{n} " for n in names)) and not line.endswith(" 0")]

    def run(self, disturb, at_end=lambda: None):
        held = self.descriptors()
        end = time.monotonic() + SECONDS
        threads = [threading.Thread(target=self.caller, args=(seed, end)) for seed in range(CALLERS)]
        for t in threads:
            t.start()
        rng = random.Random(1)
        while time.monotonic() < end:
            time.sleep(0.3)
            self.meddle(rng)
            disturb(self.gateway, rng)
        for t in threads:
            t.join()
        at_end()
        wait_until(self.gateway.is_ready, 20, "readiness")
        self.everybody_is_let_in()
        wait_until(lambda: len(self.gateway.children("@worker")) == 2, 40, "the old workers to be gone")
        with contextlib.suppress(AssertionError):
            wait_until(lambda: not self.grown(held), 10)
        equal(self.grown(held), {}, "descriptors that are left open")


@test
def test_whoever_is_asked_may_be_killed_or_stand_still():
    w = World()
    workers = sorted(w.gateway.children("worker"))

    def disturb(g, rng):
        for pid in g.children("@" + rng.choice(["fetcher", "fetcher", "keeper", "ledger"])):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, rng.choice([signal.SIGKILL, signal.SIGSTOP]))
                time.sleep(0.3)
                os.kill(pid, signal.SIGCONT)

    with w.lab, w.corp:
        w.run(disturb)
        equal(sorted(w.gateway.children("worker")), workers, "the workers")
        w.gateway.check_end()


@test
def test_reloads_while_everybody_waits():
    w = World(drain_timeout="3s")
    issuers = w.gateway.config["issuers"]
    opaque = issuers["opaque"]

    def disturb(g, rng, wanted=None):
        """The issuer of opaque tokens comes and goes."""
        time.sleep(0.5)
        is_wanted = wanted or rng.random() < 0.5
        grants = [r for r in g.config["roles"]["reader"]["granted_by"] if r != "opaque:reader"]
        issuers.pop("opaque", None)
        if is_wanted:
            issuers["opaque"] = opaque
        g.config["roles"]["reader"]["granted_by"] = grants + ["opaque:reader"] * is_wanted
        g.write_config()
        g.signal(signal.SIGHUP)

    with w.lab, w.corp:
        w.run(disturb, lambda: disturb(w.gateway, None, True))
        w.gateway.check_end()


main()

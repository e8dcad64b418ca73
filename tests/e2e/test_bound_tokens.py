"""Tokens that are bound to a key (RFC 9449) or to a certificate (RFC 8705): no use without it."""
import base64
import http.client
import pathlib
import secrets
import time
import urllib.parse

from harness import Gateway, Skip, equal, free_port, main, test  # first: it says where the others are
from front import Front, thumbprint
from idp import Key, Provider, b64

_world = {}


class World:
    """A gateway behind a real nginx, whose issuers accept any token (`any`), bound ones only (`dpop`, `mtls`, `both`)."""

    def __init__(self):
        if not Front.is_there():
            raise Skip("no nginx")
        self.providers = {name: Provider() for name in ("any", "dpop", "mtls", "both")}
        bindings = {"any": None, "dpop": ["dpop"], "mtls": ["mtls"], "both": ["dpop", "mtls"]}
        port = free_port()

        def change(config):
            config["listen"]["http"] = {"address": config["listen"]["http"], "proxies": ["127.0.0.1"], "client_certificate": "Client-Cert"}
            config["public_url"] = f"https://127.0.0.1:{port}"
            config["workers"] = 4
            for name, provider in self.providers.items():
                config["issuers"][name] = {"type": "oidc", "issuer": provider.issuer, "audience": "api://books",
                                           **({"bindings": bindings[name]} if bindings[name] else {})}
                config["roles"]["reader"]["granted_by"].append(f"{name}:reader")

        self.gateway = Gateway(change)
        self.front = Front(port, self.gateway.http_port)
        self.public = self.front.url
        self.client = self.front.authority.certificate("client")
        self.other = self.front.authority.certificate("other")

    def token(self, issuer, key=None, certificate=None):
        cnf = {**({"jkt": key.thumbprint()} if key else {}), **({"x5t#S256": thumbprint(certificate[0])} if certificate else {})}
        token = self.providers[issuer].token(jti=secrets.token_hex(8), cnf=cnf or None)
        self.gateway.secrets.add(token.rsplit(".", 1)[-1])
        return token

    def ask(self, token, proof=None, scheme="DPoP", path="/me", method="GET", headers=None):
        fields = {"Authorization": f"{scheme} {token}", **({"DPoP": proof} if proof else {}), **(headers or {})}
        return self.gateway.request(method, path, headers=fields)

    def through_front(self, token, client=None, headers=None):
        connection = http.client.HTTPSConnection("127.0.0.1", self.front.port, context=self.front.tls(client), timeout=30)
        try:
            connection.request("GET", "/me", headers={"Authorization": f"Bearer {token}", **(headers or {})})
            response = connection.getresponse()
            response.read()
            return response.status
        finally:
            connection.close()


def world():
    if not _world:
        _world["it"] = World()
    return _world["it"]


def refused(answer, reason="binding"):
    equal(answer.status, 401, answer)
    equal(answer.error()["reason"], reason, answer.headers["www-authenticate"])
    return answer


# DPoP

@test
def test_a_proof_lets_its_token_in():
    w = world()
    for algorithm in ("ES256", "EdDSA", "RS256", "PS256"):
        key = Key(algorithm)
        for issuer in ("any", "dpop", "both"):
            token = w.token(issuer, key)
            answer = w.ask(token, key.proof("GET", w.public + "/me", token))
            equal((answer.status, answer.json().get("issuer")), (200, issuer), (algorithm, answer.headers))


@test
def test_without_its_proof_a_bound_token_is_no_use():
    w = world()
    key = Key("ES256")
    for issuer in ("any", "dpop", "both"):
        token = w.token(issuer, key)
        proof = key.proof("GET", w.public + "/me", token)
        refused(w.ask(token, scheme="Bearer"))
        refused(w.ask(token, proof, scheme="Bearer"))
        refused(w.ask(token))
        equal(w.ask(token, proof).status, 200, "and with it is")


@test
def test_a_token_that_is_not_bound_where_it_must_be():
    w = world()
    key = Key("ES256")
    for issuer in ("dpop", "mtls", "both"):
        token = w.token(issuer)
        refused(w.ask(token, scheme="Bearer"))
        refused(w.ask(token, key.proof("GET", w.public + "/me", token)))
    equal(w.ask(w.token("any"), scheme="Bearer").status, 200)


@test
def test_a_wrong_proof_of_every_kind():
    w = world()
    key, other = Key("ES256"), Key("ES256")
    token, second = w.token("any", key), w.token("any", key)
    url, now = w.public + "/me", int(time.time())
    wrong = {
        "of another key": other.proof("GET", url, token),
        "another key, our key in its header": other.proof("GET", url, token, {"jwk": key.public()}),
        "for another method": key.proof("POST", url, token),
        "for another path": key.proof("GET", w.public + "/api/books", token),
        "for another host": key.proof("GET", "https://elsewhere.example/me", token),
        "for the address behind the proxy": key.proof("GET", w.gateway.url + "/me", token),
        "for another token": key.proof("GET", url, second),
        "for no token": key.proof("GET", url),
        "old": key.proof("GET", url, token, iat=now - 1000),
        "of the future": key.proof("GET", url, token, iat=now + 1000),
        "without iat": key.proof("GET", url, token, iat=None),
        "without jti": key.proof("GET", url, token, jti=None),
        "without htm": key.proof("GET", url, token, htm=None),
        "without htu": key.proof("GET", url, token, htu=None),
        "of another type": key.proof("GET", url, token, {"typ": "JWT"}),
        "without a type": key.proof("GET", url, token, {"typ": None}),
        "without a key": key.proof("GET", url, token, {"jwk": None}),
        "with a private key": key.proof("GET", url, token, {"jwk": {**key.public(), "d": b64(b"x" * 32)}}),
        "with a secret for a key": key.proof("GET", url, token, {"jwk": {"kty": "oct", "k": "AAAA"}}),
        "by alg none": key.proof("GET", url, token, {"alg": "none"}).rsplit(".", 1)[0] + ".",
        "by HS256": key.proof("GET", url, token, {"alg": "HS256"}),
        "with a critical extension": key.proof("GET", url, token, {"crit": ["x"], "x": 1}),
        "garbage": "garbage",
        "long": "A" * 9000,
        "the token itself": token,
    }
    accepted = [name for name, proof in wrong.items() if w.ask(token, proof).status != 401]
    equal(accepted, [], "accepted")
    equal(w.ask(token, key.proof("GET", url, token)).status, 200)


@test
def test_two_proofs_are_none():
    w = world()
    key = Key("ES256")
    token = w.token("any", key)
    proofs = [key.proof("GET", w.public + "/me", token) for _ in range(2)]
    answers, _, _ = w.gateway.raw(f"GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: DPoP {token}\r\nDPoP: {proofs[0]}\r\nDPoP: {proofs[1]}\r\n"
                                  "Connection: close\r\n\r\n".encode())
    assert [a.status for a in answers] in ([400], [401]), answers


@test
def test_a_proof_counts_once_on_all_workers_together():
    w = world()
    key = Key("ES256")
    token = w.token("any", key)
    for _ in range(10):
        proof = key.proof("GET", w.public + "/me", token)
        equal(w.ask(token, proof).status, 200)
        for _ in range(8):
            refused(w.ask(token, proof))


@test
def test_the_query_is_no_part_of_the_address_that_is_proven():
    w = world()
    key = Key("ES256")
    token = w.token("any", key)
    equal(w.ask(token, key.proof("GET", w.public + "/api/books", token), path="/api/books?$first=2").status, 200)
    equal(w.ask(token, key.proof("GET", w.public.replace("https", "HTTPS") + "/me", token)).status, 200, "the scheme in capitals")


@test
def test_a_challenge_says_that_a_proof_is_wanted():
    w = world()
    key = Key("ES256")
    token = w.token("dpop", key)
    challenge = refused(w.ask(token)).headers["www-authenticate"]
    assert "DPoP" in challenge and "error=" in challenge, challenge


# Certificates

@test
def test_a_certificate_through_nginx_lets_its_token_in():
    w = world()
    for issuer in ("any", "mtls", "both"):
        token = w.token(issuer, certificate=w.client)
        equal(w.through_front(token, w.client), 200, issuer)
        equal(w.through_front(token, w.other), 401, "another certificate of the same authority")
        equal(w.through_front(token), 401, "no certificate")
    equal(w.through_front(w.token("any"), w.client), 200, "a token that is bound to nothing")


@test
def test_nginx_replaces_what_a_caller_says_of_its_certificate():
    w = world()
    token = w.token("any", certificate=w.client)
    field = urllib.parse.quote(pathlib.Path(w.client[0]).read_text(), safe="")
    equal(w.through_front(token, headers={"Client-Cert": field}), 401)
    equal(w.through_front(token, w.other, headers={"Client-Cert": field}), 401)


@test
def test_a_proxy_may_say_it_in_both_forms_and_nobody_else_at_all():
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    w = world()
    certificate = pathlib.Path(w.client[0]).read_bytes()
    der = x509.load_pem_x509_certificate(certificate).public_bytes(serialization.Encoding.DER)
    forms = {"RFC 9440": f":{base64.b64encode(der).decode()}:", "nginx": urllib.parse.quote(certificate.decode(), safe="")}
    token = w.token("any", certificate=w.client)
    for name, field in forms.items():
        equal(w.ask(token, scheme="Bearer", headers={"Client-Cert": field}).status, 200, f"{name}, from a proxy")
    for name, field in {"garbage": "garbage", "empty": ":" ":", "cut": forms["RFC 9440"][:-10] + ":", "long": ":" + "A" * 8000 + ":",
                        "more after it": forms["nginx"] + "x"}.items():
        refused(w.ask(token, scheme="Bearer", headers={"Client-Cert": field}))
    answers, _, _ = w.gateway.raw(f"GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nClient-Cert: {forms['RFC 9440']}\r\n"
                                  f"Client-Cert: {forms['RFC 9440']}\r\nConnection: close\r\n\r\n".encode())
    assert [a.status for a in answers] in ([400], [401]), answers

    def other_proxy(config):
        config["listen"]["http"] = {"address": config["listen"]["http"], "proxies": ["127.0.0.2"], "client_certificate": "Client-Cert"}
        config["issuers"]["any"] = {"type": "oidc", "issuer": w.providers["any"].issuer, "audience": "api://books"}
        config["roles"]["reader"]["granted_by"].append("any:reader")

    g = Gateway(other_proxy)
    for field in forms.values():
        equal(g.get("/me", token, headers={"Client-Cert": field}).status, 401, "from 127.0.0.1, where 127.0.0.2 is the proxy")
    equal(g.get("/me", w.token("any")).status, 200)
    g.check_end()


try:
    main()
finally:
    if _world:
        _world["it"].front.stop()

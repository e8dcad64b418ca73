"""An identity provider on loopback that can be broken at will: metadata, keys, introspection, tokens for a client,
and the one call of Microsoft Graph that resolves groups. Runs inside the test, on threads of its own.

Keys sign whatever they are given: nothing here checks a token, so every shape, right or wrong, can be made.
"""
import base64
import collections
import contextlib
import hashlib
import http.server
import json
import secrets
import socket
import ssl
import threading
import time
import urllib.parse

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

METADATA, JWKS, TOKEN, INTROSPECT, GRAPH = "/.well-known/openid-configuration", "/jwks", "/token", "/introspect", "/v1.0/"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def number(value, size=None):
    return b64(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def compact(value):
    return b64(json.dumps(value, separators=(",", ":")).encode())


# Keys

PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


def sign_ec(key, data):
    r, s = decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


# What makes a key, and signs with it.
ALGORITHMS = {
    "RS256": (lambda: rsa.generate_private_key(65537, 2048), lambda k, d: k.sign(d, padding.PKCS1v15(), hashes.SHA256())),
    "PS256": (lambda: rsa.generate_private_key(65537, 2048), lambda k, d: k.sign(d, PSS, hashes.SHA256())),
    "ES256": (lambda: ec.generate_private_key(ec.SECP256R1()), sign_ec),
    "EdDSA": (ed25519.Ed25519PrivateKey.generate, lambda k, d: k.sign(d)),
}


class Key:
    """A private key with a name; `members` stand in its JWK besides the usual ones."""

    def __init__(self, algorithm="ES256", kid=None, **members):
        make, self.signer = ALGORITHMS[algorithm]
        self.algorithm, self.private = algorithm, make()
        self.kid = kid or secrets.token_hex(8)
        self.members = members

    def public(self):
        """The members that RFC 7638 makes a thumbprint of."""
        public = self.private.public_key()
        if self.algorithm == "EdDSA":
            raw = public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
            return {"crv": "Ed25519", "kty": "OKP", "x": b64(raw)}
        numbers = public.public_numbers()
        if self.algorithm == "ES256":
            return {"crv": "P-256", "kty": "EC", "x": number(numbers.x, 32), "y": number(numbers.y, 32)}
        return {"e": number(numbers.e), "kty": "RSA", "n": number(numbers.n)}

    def jwk(self):
        return {**self.public(), "kid": self.kid, "alg": self.algorithm, "use": "sig", **self.members}

    def thumbprint(self):
        return b64(hashlib.sha256(json.dumps(self.public(), separators=(",", ":"), sort_keys=True).encode()).digest())

    def signature(self, data):
        return self.signer(self.private, data)

    def sign(self, header, claims):
        """A compact JWS. `None` in either leaves a member out."""
        header = {"alg": self.algorithm, "kid": self.kid, **header}
        parts = [{k: v for k, v in part.items() if v is not None} for part in (header, claims)]
        text = ".".join(map(compact, parts))
        return text + "." + b64(self.signature(text.encode()))

    def proof(self, method, url, token=None, header=None, **claims):
        """A DPoP proof (RFC 9449 section 4.2)."""
        hashed = b64(hashlib.sha256(token.encode()).digest()) if token else None
        return self.sign({"typ": "dpop+jwt", "jwk": self.public(), "kid": None, **(header or {})},
                         {"jti": secrets.token_hex(16), "htm": method, "htu": url, "iat": int(time.time()), "ath": hashed, **claims})

    def assertion(self, client, audience, **claims):
        """A client's proof of who it is (RFC 7523 section 2.2)."""
        now = int(time.time())
        return self.sign({"typ": "JWT"}, {"iss": client, "sub": client, "aud": audience, "iat": now, "exp": now + 60,
                                          "jti": secrets.token_hex(16), **claims})


# Ways to answer wrongly: each takes the handler and answers, or does not

def status(code, **fields):
    return lambda h: h.answer(code, b"{}", fields={k.replace("_", "-"): str(v) for k, v in fields.items()})


def body(data, kind="application/json"):
    return lambda h: h.answer(200, data if isinstance(data, bytes) else json.dumps(data).encode(), kind)


def redirect(url):
    return lambda h: h.answer(302, b"", fields={"Location": url})


def hang(h):
    h.provider.ending.wait(60)


def close(h):
    h.close_connection = True


def drip(h):
    """A byte a second, and never the end."""
    h.send_response(200)
    h.send_header("Content-Type", "application/json")
    h.end_headers()
    for byte in b'{"keys":[' + b" " * 600:
        h.wfile.write(bytes([byte]))
        h.wfile.flush()
        if h.provider.ending.wait(1):
            break


EMPTY, GARBAGE = body(b""), body(b"\xff\x00<html>{]")
NO_KEYS, HUGE = body({"keys": []}), body(b'{"keys":[' + b" " * (2 << 20) + b"]}")
WRONG_TYPE = body(b"<html><body>Sign in to the hotel's network</body></html>", "text/html")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider = None

    def answer(self, code, data, kind="application/json", fields=None):
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in {**(self.provider.fields if code == 200 else {}), **(fields or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def json(self, value, code=200):
        self.answer(code, json.dumps(value).encode())

    def serve(self):
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        name = GRAPH if path.startswith(GRAPH) else path
        with self.provider.lock:
            self.provider.counts[name] += 1
            self.provider.asked.append((self.command, self.path, dict(self.headers.items()), data))
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            self.provider.answer(self, name, data)

    do_GET = do_POST = serve

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *args):
        self.connections = set()
        super().__init__(*args)

    def process_request(self, request, client_address):
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def hang_up(self):
        """Connections that are kept alive would be answered for as long as they live."""
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address):
        pass  # a peer that goes away is what these tests are about


class Provider:
    """`with Provider() as p:` or start() and stop(). `keys` are published, the first of them signs.

    faults[path] = one of the ways above; fields = header fields of good answers (Cache-Control);
    counts[path] = requests so far; introspected[token] = the answer to give; groups[object id] = groups to give.
    """

    def __init__(self, keys=None, issuer=None, tls=None, host="127.0.0.1"):
        self.keys = keys if keys is not None else [Key("ES256")]
        self.tls, self.host = tls, host
        self.port = None
        self.given_issuer = issuer
        self.faults, self.fields = {}, {}
        self.counts, self.asked = collections.Counter(), []
        self.introspected, self.groups = {}, {}
        self.metadata_changes = {}
        self.clients = {}
        self.lock = threading.Lock()
        self.ending = threading.Event()
        self.server = None
        self.start()

    # Life

    def start(self):
        """On the port it had before, if it had one."""
        handler = type("BoundHandler", (Handler,), {"provider": self})
        self.ending.clear()
        self.server = Server(("127.0.0.1", self.port or 0), handler)
        self.port = self.server.server_address[1]
        if self.tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        """Down: connections are refused, and those that were there are cut."""
        if self.server:
            self.ending.set()
            self.server.shutdown()
            self.server.server_close()
            self.server.hang_up()
            self.server = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    # What it says

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}"

    @property
    def issuer(self):
        return self.given_issuer or self.url

    @property
    def metadata_url(self):
        return self.url + METADATA

    @property
    def jwks_url(self):
        return self.url + JWKS

    def metadata(self):
        return {"issuer": self.issuer, "jwks_uri": self.jwks_url, "token_endpoint": self.url + TOKEN,
                "authorization_endpoint": self.url + "/authorize", "introspection_endpoint": self.url + INTROSPECT,
                "response_types_supported": ["code"], "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256", "ES256"], **self.metadata_changes}

    def answer(self, h, path, data):
        if path in self.faults:
            return self.faults[path](h)
        if path == METADATA:
            return h.json(self.metadata())
        if path == JWKS:
            return h.json({"keys": [k.jwk() if isinstance(k, Key) else k for k in self.keys]})
        if path == TOKEN and h.command == "POST":
            return self.answer_token(h, urllib.parse.parse_qs(data.decode()))
        if path == INTROSPECT and h.command == "POST":
            return self.answer_introspection(h, urllib.parse.parse_qs(data.decode()))
        if path == GRAPH:
            return self.answer_groups(h, data)
        return h.json({}, 404)

    def is_client(self, h, form):
        """Name and secret, in the Authorization field or in the form."""
        kind, _, given = h.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "basic":
            name, _, secret = base64.b64decode(given).decode().partition(":")
            name, secret = map(urllib.parse.unquote_plus, (name, secret))
        else:
            name, secret = (form.get(k, [""])[0] for k in ("client_id", "client_secret"))
        return name in self.clients and self.clients[name] == secret

    def answer_token(self, h, form):
        if form.get("grant_type") != ["client_credentials"] or not self.is_client(h, form):
            return h.json({"error": "invalid_client"}, 401)
        return h.json({"access_token": "graph-token", "token_type": "Bearer", "expires_in": 3599})

    def answer_introspection(self, h, form):
        if not self.is_client(h, form):
            return h.json({"error": "invalid_client"}, 401)
        return h.json(self.introspected.get(form.get("token", [""])[0], {"active": False}))

    def answer_groups(self, h, data):
        """POST /v1.0/users/{oid}/getMemberObjects or /v1.0/servicePrincipals/{oid}/getMemberObjects"""
        parts = h.path.split("/")
        if h.headers.get("Authorization") != "Bearer graph-token" or len(parts) != 5 or parts[4] != "getMemberObjects":
            return h.json({"error": {"code": "InvalidAuthenticationToken"}}, 401)
        if "securityEnabledOnly" not in json.loads(data):
            return h.json({"error": {"code": "BadRequest"}}, 400)
        if parts[3] not in self.groups:
            return h.json({"error": {"code": "Request_ResourceNotFound"}}, 404)
        return h.json({"value": self.groups[parts[3]]})

    # Tokens

    def token(self, key=None, header=None, **claims):
        """An access token for api://books with role `reader`, good for five minutes; `None` leaves a claim out."""
        now = int(time.time())
        return (key or self.keys[0]).sign(header or {}, {
            "iss": self.issuer, "aud": "api://books", "sub": "user-1", "roles": ["reader"], "iat": now, "nbf": now, "exp": now + 300,
            **claims})


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]

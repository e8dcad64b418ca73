"""Every way to make one token that must be refused out of the makings of one that is accepted."""
import base64
import hashlib
import hmac
import json
import time

from cryptography.hazmat.primitives import serialization
from idp import Key, b64, compact


def raw(header, payload, signature):
    return ".".join((header if isinstance(header, str) else compact(header),
                     payload if isinstance(payload, str) else compact(payload), b64(signature)))


def forged(token, keys):
    """What needs no key of the issuer's: (name, token) from a good token and the published keys."""
    head, payload, signature = token.split(".")
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    for name in ("none", "None", "NONE", "nOnE", "", None, ["none"], 0):
        yield f"alg {name!r}", raw({**header, "alg": name}, payload, b"")
    for key in keys:
        public = key.private.public_key()
        for name, form in (("PEM", serialization.Encoding.PEM), ("DER", serialization.Encoding.DER)):
            secret = public.public_bytes(form, serialization.PublicFormat.SubjectPublicKeyInfo)
            signed = compact({**header, "alg": "HS256", "kid": key.kid}) + "." + payload
            yield f"HS256 with {key.kid} as {name}", signed + "." + b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest())
    other = Key(header["alg"], header.get("kid"))
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    yield "another key of the same name", other.sign({k: v for k, v in header.items() if k not in ("alg", "kid")}, claims)
    yield "its own key in the header", other.sign({"jwk": other.public()}, claims)
    yield "its own key by address", other.sign({"jku": "http://127.0.0.1:1/jwks", "x5u": "http://127.0.0.1:1/x5u"}, claims)
    yield "no signature", f"{head}.{payload}."
    yield "no third part", f"{head}.{payload}"
    yield "a fourth part", f"{token}.{signature}"
    yield "a signature of zeros", raw(head, payload, bytes(len(base64.urlsafe_b64decode(signature + "=="))))
    yield "other claims under the signature", raw(head, compact({**claims, "sub": "root"}), base64.urlsafe_b64decode(signature + "=="))
    yield "padding", token + "="
    yield "a changed letter", token[:-8] + ("A" if token[-8] != "A" else "B") + token[-7:]
    yield "an encrypted token", ".".join([compact({"alg": "dir", "enc": "A128GCM"}), "", b64(bytes(12)), b64(bytes(40)), b64(bytes(16))])


def wrong(key, claims, issuer_elsewhere="https://elsewhere.example/"):
    """What the issuer's own key signs, and must be refused all the same."""
    now = int(time.time())
    for name, header in (("an ID token's type", {"typ": "id+jwt"}), ("a proof's type", {"typ": "dpop+jwt"}), ("a logout token's type", {"typ": "logout+jwt"}),
                         ("crit", {"crit": ["exp"]}), ("an unknown crit", {"crit": ["x"], "x": 1}), ("detached payload", {"crit": ["b64"], "b64": False}),
                         ("an unknown kid", {"kid": "nobody-knows"})):
        yield name, key.sign(header, claims)
    for name, change in (("expired", {"iat": now - 900, "nbf": now - 900, "exp": now - 600}), ("no exp", {"exp": None}), ("exp as text", {"exp": str(now + 300)}),
                         ("not yet", {"nbf": now + 600}), ("issued in the future", {"iat": now + 600}),
                         ("another issuer", {"iss": issuer_elsewhere}), ("no issuer", {"iss": None}),
                         ("issuer with a slash more", {"iss": claims["iss"] + "/"}), ("issuer as a list", {"iss": [claims["iss"]]}),
                         ("no subject", {"sub": None}), ("subject as a number", {"sub": 7})):
        yield name, key.sign({}, {**claims, **change})
    if "aud" in claims:
        for name, aud in (("another audience", "api://other"), ("no audience", None), ("no audience in the list", []), ("a longer audience", claims["aud"] + "x")
                          if isinstance(claims["aud"], str) else ("audience of a number", 7)):
            yield name, key.sign({}, {**claims, "aud": aud})
    doubled = json.dumps(claims)[:-1] + ',"sub":"root"}'
    signed = compact({"alg": key.algorithm, "kid": key.kid}) + "." + b64(doubled.encode())
    yield "a claim twice", signed + "." + b64(key.signature(signed.encode()))

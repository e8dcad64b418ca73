"""Bearer tokens at the door: every way to fail one check, and the corpus of attacks through HTTP."""
import base64
import json
import time

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from harness import Gateway, corpus, equal, main, shared, test

ISSUER, AUDIENCE = "https://idp.example.test/", "api://books"
_keys = {}


def keys():
    if not _keys:
        _keys.update(rsa=rsa.generate_private_key(65537, 2048), ec=ec.generate_private_key(ec.SECP256R1()))
    return _keys


def jwks():
    rows = [dict(json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(keys()["rsa"].public_key())), kid="r1", use="sig", alg="RS256"),
            dict(json.loads(jwt.algorithms.ECAlgorithm.to_jwk(keys()["ec"].public_key())), kid="e1", use="sig", alg="ES256")]
    for row in rows:
        row.pop("key_ops", None)
    return {"keys": rows}


def write_jwks(folder):
    (folder / "jwks.json").write_text(json.dumps(jwks()))


def change(config):
    config["issuers"]["lab"] = {"type": "oidc", "issuer": ISSUER, "audience": AUDIENCE, "jwks": {"file": "jwks.json"}}
    config["roles"]["reader"]["granted_by"].append("lab:reader")


def gateway():
    return shared(change=change, before=write_jwks)


def claims(**more):
    now = int(time.time())
    given = {"iss": ISSUER, "aud": AUDIENCE, "sub": "user-1", "roles": ["reader"], "iat": now, "nbf": now, "exp": now + 300}
    given.update(more)
    return {k: v for k, v in given.items() if v is not None}


def sign(payload=None, key="ec", **header):
    algorithm = {"ec": "ES256", "rsa": "RS256"}[key]
    token = jwt.encode(payload or claims(), keys()[key], algorithm, headers={"kid": {"ec": "e1", "rsa": "r1"}[key], **header})
    gateway().secrets.add(token.rsplit(".", 1)[-1])
    return token


def b64(data):
    return base64.urlsafe_b64encode(data if isinstance(data, bytes) else json.dumps(data).encode()).rstrip(b"=").decode()


def refused(token, *words):
    answer = gateway().get("/api/books/1", token)
    equal(answer.status, 401, answer)
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer ") and 'error="invalid_token"' in challenge and "error_description=" in challenge, challenge
    for word in words:
        assert word in challenge, (word, challenge)
    assert all(32 <= ord(c) < 127 for c in challenge)


@test
def test_a_good_token_of_a_foreign_issuer_is_accepted():
    for key in ("ec", "rsa"):
        equal(gateway().get("/api/books/1", sign(key=key)).status, 200, key)
    equal(gateway().get("/me", sign()).json()["roles"], ["reader"])


@test
def test_no_token_gets_a_bare_challenge():
    for headers in ({}, {"Authorization": "Basic YTpi"}, {"Authorization": "Digest x"}):
        answer = gateway().get("/api/books/1", headers=headers)
        equal(answer.status, 401, headers)
        challenge = answer.headers["www-authenticate"]
        assert challenge.startswith("Bearer") and "error=" not in challenge, challenge


@test
def test_79_a_bad_token_is_not_anonymous():
    for path in ("/api/books/1", "/me"):
        equal(gateway().get(path, "garbage").status, 401, path)


@test
def test_each_failing_check_is_named():
    now = int(time.time())
    refused(sign(claims(exp=now - 600)), "expired")
    refused(sign(claims(exp=None)))
    refused(sign(claims(nbf=now + 600)))
    refused(sign(claims(iat=now + 600)))
    refused(sign(claims(aud="api://other")))
    refused(sign(claims(aud=None)))
    refused(sign(claims(iss="https://other.test/")))
    refused(sign(claims(sub=None)))
    refused(sign(kid="unknown"))
    token = sign()
    refused(token[:-10] + ("A" * 10 if not token.endswith("A" * 10) else "B" * 10))


@test
def test_1_alg_none_in_every_spelling():
    for name in ("none", "None", "NONE", "nOnE", ""):
        refused(b64({"alg": name, "typ": "JWT"}) + "." + b64(claims()) + ".")


@test
def test_2_hs256_with_the_public_key_as_secret():
    import hashlib
    import hmac
    from cryptography.hazmat.primitives import serialization
    public = keys()["rsa"].public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    for secret in (public.public_bytes(serialization.Encoding.PEM, spki), public.public_bytes(serialization.Encoding.DER, spki),
                   json.dumps(jwks()).encode(), b""):
        signed = b64({"alg": "HS256", "kid": "r1"}) + "." + b64(claims())
        refused(signed + "." + b64(hmac.new(secret, signed.encode(), hashlib.sha256).digest()))


@test
def test_5_kid_of_every_kind():
    signature = "." + b64(claims()) + "." + b64(b"x" * 64)
    for kid in ("../../etc/passwd", "' OR 1=1 --", "a\r\nX-Injected: 1", "a\u0000b", "x" * 4000, 7, None, ["e1"], {"a": 1}):
        refused(b64({"alg": "ES256", "kid": kid}) + signature)


@test
def test_6_key_material_in_the_header_is_not_used():
    other = ec.generate_private_key(ec.SECP256R1())
    own = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(other.public_key()))
    for header in ({"jwk": own}, {"jku": "http://127.0.0.1:1/jwks.json"}, {"x5u": "http://127.0.0.1:1/c.pem"}, {"x5c": ["AAAA"]}):
        refused(jwt.encode(claims(), other, "ES256", headers={"kid": "e1", **header}))


@test
def test_7_crit_is_understood_or_refused():
    for crit in (["exp"], [], "exp", ["b64"], [1]):
        refused(sign(crit=crit))
    refused(sign(crit=["b64"], b64=False))


@test
def test_9_many_dots_and_huge_tokens():
    begun = time.monotonic()
    for token in ("." * 1000, "a." * 3000, "." * 30000, "A" * 30000, "A" * 8000 + "." + "B" * 8000 + "." + "C" * 8000):
        answer = gateway().get("/api/books/1", token)
        assert answer.status in (401, 431), (len(token), answer)
    answers, _, _ = gateway().raw(b"GET /me HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + b"A" * 1_000_000 + b"\r\n\r\n")
    assert not answers or answers[0].status == 431, answers
    assert time.monotonic() - begun < 30


@test
def test_16_odd_numbers_as_dates():
    for bad in ('"4102444800"', "1e400", "-1", "null", "true", "[]", "9" * 400, "NaN", "4102444800.5.1"):
        body = json.dumps(claims()).replace(f'"exp": {claims()["exp"]}', f'"exp": {bad}')
        signed = b64({"alg": "ES256", "kid": "e1"}) + "." + b64(body.encode())
        signature = jwt.algorithms.ECAlgorithm(jwt.algorithms.ECAlgorithm.SHA256).sign(signed.encode(), keys()["ec"])
        refused(signed + "." + b64(signature))


@test
def test_17_other_kinds_of_token_are_refused():
    for header in ({"typ": "logout+jwt"}, {"typ": "dpop+jwt"}, {"typ": "id+jwt"}, {"typ": "secevent+jwt"}):
        refused(sign(**header))


@test
def test_26_the_token_comes_in_the_header_once():
    g = gateway()
    token = sign()
    for path in (f"/api/books/1?access_token={token}", f"/me?access_token={token}"):
        equal(g.get(path).status, 401, path)
    assert g.get("/me", headers={"Cookie": f"access_token={token}"}).status == 401
    answers, closed, _ = g.raw(f"GET /me HTTP/1.1\r\nHost: {g.url[7:]}\r\nAuthorization: Bearer {token}\r\n"
                               f"Authorization: Bearer {token}\r\n\r\n".encode())
    equal(([a.status for a in answers], closed), ([400], True), "and the connection is closed")
    for value in (f"Bearer {token} x", f"Bearer {token},", "Bearer", "Bearer ", f"Bearer\t{token}"):
        answers, _, _ = g.raw(f"GET /me HTTP/1.1\r\nHost: {g.url[7:]}\r\nAuthorization: {value}\r\nConnection: close\r\n\r\n".encode())
        equal([a.status for a in answers], [401], value[:10])
    equal(g.get("/me", headers={"Authorization": f"bEaReR {token}"}).status, 200)


@test
def test_22_a_token_ends_when_it_says_even_when_cached():
    payload = claims(exp=int(time.time()) - 60 + 3)  # inside the leeway of 60 s for three seconds more
    token = sign(payload)
    equal(gateway().get("/me", token).status, 200)
    time.sleep(4.5)
    refused(token, "expired")


@test
def test_the_corpus_of_attacks():
    folder = corpus("jwt-attacks")
    context = json.loads((folder / "context.json").read_text())
    cases = [json.loads(line) for line in (folder / "cases.jsonl").read_text().splitlines() if line.strip()]

    def with_corpus(config):
        config["issuers"]["lab"] = {"type": "oidc", "issuer": context["issuer"], "audience": context["audience"],
                                    "algorithms": ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"],
                                    "tenant": context["tenant"], "jwks": {"file": "jwks.json"}}
        config["roles"]["reader"]["granted_by"].append("lab:reader")

    g = Gateway(with_corpus, before=lambda at: (at / "jwks.json").write_text((folder / "jwks.json").read_text()))
    wrong = []
    for case in cases:
        token = case["token"]
        if any(ord(c) < 33 or ord(c) > 126 for c in token):
            data = b"GET /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + token.encode() + b"\r\n\r\n"
            answers, _, _ = g.raw(data)
            status = answers[0].status if answers else 0
        else:
            status = g.get("/me", token).status
        accepted = status == 200
        if case["expect"] in ("accept", "reject") and accepted != (case["expect"] == "accept"):
            wrong.append((case["id"], case["expect"], status, case["why"]))
        elif not accepted and status not in (400, 401, 431):
            wrong.append((case["id"], "a clean refusal", status, case["why"]))
    equal(wrong, [], f"{len(wrong)} of {len(cases)} cases")
    equal(len(cases), 160)
    g.check_end()


@test
def test_the_command_token_prints_each_check():
    g = gateway()
    done = g.cli("token", sign())
    equal(done.returncode, 0, done.stdout + done.stderr)
    for word in ("signature", "audience", "issuer"):
        assert word in done.stdout.lower(), done.stdout
    done = g.cli("token", sign(claims(aud="api://other", exp=int(time.time()) - 900)))
    equal(done.returncode, 1, done.stdout)
    assert "api://books" in done.stdout and "api://other" in done.stdout, "expected and got"
    equal(g.cli("token", "garbage").returncode, 1)


@test
def test_a_jwks_file_that_is_none_is_a_configuration_error():
    g = gateway()
    for text in ("", "{", "[]", '{"keys":[]}', '{"keys":[{"kty":"oct","k":"AAAA"}]}', "x" * 3_000_000):
        (g.folder / "jwks-bad.json").write_text(text)
        config = json.loads(g.file.read_text())
        config["issuers"]["lab"]["jwks"]["file"] = "jwks-bad.json"
        (g.folder / "bad.yaml").write_text(json.dumps(config))
        import subprocess
        from harness import environment
        done = subprocess.run([g.binary, "check", "-c", g.folder / "bad.yaml"], capture_output=True, text=True,
                              env=environment(leaks=True), check=False, timeout=60)
        equal(done.returncode, 1, (text[:20], done.stdout + done.stderr))


main()

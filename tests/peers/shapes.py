"""Access tokens in the documented shapes of the large providers. Each gives the claims for now; `None` takes one away."""
import secrets
import time

TENANT, OTHER_TENANT = "11111111-2222-4333-8444-555555555555", "99999999-2222-4333-8444-555555555555"
API, CLIENT = "6f1e0000-0000-4000-8000-000000000001", "c11e0000-0000-4000-8000-00000000000c"
PERSON, PROGRAM = "a0000000-0000-4000-8000-00000000000a", "b0000000-0000-4000-8000-00000000000b"
OKTA, POOL = "https://example.okta.com/oauth2/default", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abcdefghi"
POOL_CLIENT = "4f00000000000000000000000b"
B2C = f"https://contoso.b2clogin.com/{TENANT}/v2.0/"


def times(life=300):
    now = int(time.time())
    return {"iat": now, "nbf": now, "exp": now + life}


def finish(claims, more):
    return {k: v for k, v in {**claims, **more}.items() if v is not None}


def entra_v2(tenant=TENANT, **more):
    """Delegated, with an app role."""
    return finish({"aud": API, "iss": f"https://login.microsoftonline.com/{tenant}/v2.0", **times(), "aio": "AXQAi/8TAAAA", "azp": CLIENT,
                   "azpacr": "1", "name": "Ada Lovelace", "oid": PERSON, "preferred_username": "ada@example.org", "rh": "0.AX0A",
                   "roles": ["Books.Read"], "scp": "access_as_user", "sub": "pairwise-subject-of-ada", "tid": tenant,
                   "uti": secrets.token_hex(8), "ver": "2.0"}, more)


def entra_v1(tenant=TENANT, **more):
    return finish({"aud": "api://books", "iss": f"https://sts.windows.net/{tenant}/", **times(), "acr": "1", "aio": "AXQAi/8TAAAA",
                   "amr": ["pwd", "mfa"], "appid": CLIENT, "appidacr": "1", "family_name": "Lovelace", "given_name": "Ada",
                   "ipaddr": "192.0.2.7", "name": "Ada Lovelace", "oid": PERSON, "rh": "0.AX0A", "roles": ["Books.Read"],
                   "scp": "access_as_user", "sub": "pairwise-subject-of-ada", "tid": tenant, "unique_name": "ada@example.org",
                   "upn": "ada@example.org", "uti": secrets.token_hex(8), "ver": "1.0"}, more)


def entra_app(tenant=TENANT, **more):
    """Client credentials: no user, so no scp; oid is sub."""
    return finish({"aud": API, "iss": f"https://login.microsoftonline.com/{tenant}/v2.0", **times(), "aio": "E2NgYPj", "azp": CLIENT,
                   "azpacr": "2", "idtyp": "app", "oid": PROGRAM, "rh": "0.AX0A", "roles": ["Books.Read"], "sub": PROGRAM, "tid": tenant,
                   "uti": secrets.token_hex(8), "ver": "2.0"}, more)


def entra_guest(**more):
    return entra_v2(idp=f"https://sts.windows.net/{OTHER_TENANT}/", preferred_username="eve@elsewhere.example", **more)


def entra_overage(**more):
    """In more than 200 groups: where to ask is an address of a service that is gone, and must not be asked."""
    return entra_v2(**{"roles": None, "_claim_names": {"groups": "src1"}, "_claim_sources": {
        "src1": {"endpoint": f"https://graph.windows.net/{TENANT}/users/{PERSON}/getMemberObjects"}}, **more})


def okta(**more):
    return finish({"ver": 1, "jti": "AT." + secrets.token_urlsafe(24), "iss": OKTA, "aud": "api://default", **times(), "nbf": None,
                   "cid": "0oa1b2c3d4e5f6g7h8i9", "uid": "00u1a2b3c4d5e6f7g8h9", "scp": ["openid", "books.read"], "auth_time": int(time.time()) - 5,
                   "sub": "ada@example.org", "groups": ["Everyone", "book-readers"]}, more)


def cognito(**more):
    return finish({"sub": "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", "cognito:groups": ["readers"], "iss": POOL, "client_id": POOL_CLIENT,
                   "origin_jti": secrets.token_hex(16), "event_id": secrets.token_hex(16), "token_use": "access",
                   "scope": "aws.cognito.signin.user.admin", "auth_time": int(time.time()), **times(), "nbf": None, "jti": secrets.token_hex(16),
                   "username": "ada", "version": 2}, more)


def b2c(**more):
    return finish({"iss": B2C, **times(), "aud": API, "idp": "facebook.com", "name": "Ada", "sub": PERSON, "extension_Department": "Loans",
                   "tfp": "B2C_1_susi", "scp": "books.read books.list", "azp": CLIENT, "ver": "1.0"}, more)


def keycloak(issuer, **more):
    return finish({"iss": issuer, "aud": ["books", "account"], **times(), "nbf": None, "jti": secrets.token_hex(16), "sub": PERSON, "typ": "Bearer",
                   "azp": "web", "sid": secrets.token_hex(16), "acr": "1", "scope": "profile email", "preferred_username": "ada",
                   "realm_access": {"roles": ["offline_access", "reader"]}, "resource_access": {"account": {"roles": ["view-profile"]}}}, more)

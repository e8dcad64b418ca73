"""Several issuers side by side, each with tokens in its own shape: who is let in, with which roles, and who is not."""
import json
import time

from harness import Gateway, corpus, equal, main, test  # first: it says where the others are
import shapes
from attacks import forged, wrong
from idp import HUGE, Key, Provider, hang, status

SECRET = "only-for-introspection"
GRAPH_SECRET = "only-for-graph"
_world = {}


def write_secrets(folder):
    (folder / "introspection.secret").write_text(SECRET + "\n")
    (folder / "graph.secret").write_text(GRAPH_SECRET + "\n")


def world():
    """One gateway and its seven issuers. -> (gateway, {name: provider})"""
    if _world:
        return _world["gateway"], _world["providers"]
    entra_name = f"https://login.microsoftonline.com/{shapes.TENANT}/v2.0"
    providers = {
        "corp": Provider([Key("RS256", "entra-1")], issuer=entra_name), "okta": Provider([Key("RS256")], issuer=shapes.OKTA),
        "shop": Provider([Key("RS256")], issuer=shapes.POOL), "lab": Provider([Key("ES256")]), "keycloak": Provider([Key("PS256")]),
        "b2c": Provider([Key("RS256")], issuer=shapes.B2C), "opaque": Provider([Key("EdDSA")]),
    }
    p = providers
    p["corp"].clients["gateway-at-graph"] = GRAPH_SECRET
    p["opaque"].clients["gateway"] = SECRET

    def change(config):
        config["issuers"].update({
            "corp": {"type": "entra", "tenant": shapes.TENANT, "audience": [shapes.API, "api://books"], "metadata": p["corp"].metadata_url,
                     "keys_cooldown": "1s", "roles_claim": ["roles", "groups"], "guests": "refuse",
                     "graph": {"client_id": "gateway-at-graph", "client_secret": {"file": "graph.secret"},
                               "endpoint": p["corp"].url, "token_endpoint": p["corp"].url + "/token"}},
            "okta": {"type": "okta", "issuer": shapes.OKTA, "metadata": p["okta"].metadata_url, "audience": "api://default", "roles_claim": "groups"},
            "shop": {"type": "cognito", "region": "eu-west-1", "user_pool": "eu-west-1_abcdefghi", "client_id": [shapes.POOL_CLIENT],
                     "jwks": {"url": p["shop"].jwks_url}},
            "lab": {"type": "oidc", "issuer": p["lab"].issuer, "audience": "api://books", "algorithms": ["ES256"]},
            "keycloak": {"type": "oidc", "issuer": p["keycloak"].issuer, "audience": "books", "roles_claim": ["realm_access.roles", "https://books.example/roles"],
                         "algorithms": ["PS256"], "clients": ["web"]},
            "b2c": {"type": "oidc", "issuer": shapes.B2C, "metadata": p["b2c"].metadata_url, "audience": shapes.API, "roles_claim": "scp",
                    "required_claims": {"tfp": "B2C_1_susi"}},
            "opaque": {"type": "introspection", "endpoint": p["opaque"].url + "/introspect", "client_id": "gateway",
                       "client_secret": {"file": "introspection.secret"}, "audience": "api://books", "cache": "2s"},
        })
        config["roles"]["reader"]["granted_by"] += ["corp:Books.Read", "okta:book-readers", "shop:readers", "lab:reader", "keycloak:reader",
                                                    "b2c:books.read", "opaque:reader"]
        config["roles"]["books-admin"]["granted_by"] += ["corp:group-of-admins"]

    _world.update(gateway=Gateway(change, before=write_secrets), providers=providers)
    return _world["gateway"], providers


def shown(token):
    """Shows it, as every token of this file is shown: its signature must be nowhere afterwards."""
    gateway, _ = world()
    last = token.rsplit(".", 1)[-1]
    if len(set(last)) > 10:  # and not one of the forged ones that are all zeros
        gateway.secrets.add(last)
    return gateway.get("/me", token)


def accepted(token, issuer, roles=("reader",), **more):
    answer = shown(token)
    equal(answer.status, 200, (issuer, answer, answer.headers))
    me = answer.json()
    equal((me["issuer"], sorted(me["roles"])), (issuer, sorted(roles)), "who the gateway thinks it is")
    for name, value in more.items():
        equal(me[name], value, name)
    return me


def refused(token, code=None, word=""):
    """401 with the code of the check that failed, in all three places."""
    gateway, _ = world()
    answer = shown(token)
    equal(answer.status, 401, (code, answer))
    challenge = answer.headers["www-authenticate"]
    assert 'error="invalid_token"' in challenge and all(32 <= ord(c) < 127 for c in challenge), challenge
    reason = answer.error()["reason"]
    assert f'error_description="{reason}: ' in challenge, (reason, challenge)
    record = gateway.record_of(answer.error()["decision"])[0]
    assert f"{reason}: " in str(record), (reason, record)
    if code:
        equal(reason, code, challenge)
    assert word in challenge, (word, challenge)


def corp(claims, **header):
    return world()[1]["corp"].keys[0].sign(header, claims)


# Shapes

@test
def test_entra_in_both_versions_and_for_programs():
    accepted(corp(shapes.entra_v2()), "corp", subject="pairwise-subject-of-ada")
    accepted(corp(shapes.entra_v1(), x5t="entra-1"), "corp")
    accepted(corp(shapes.entra_v2(aud="api://books")), "corp")
    accepted(corp(shapes.entra_app()), "corp", subject=shapes.PROGRAM)
    accepted(corp(shapes.entra_v2(roles=["Unknown.Role"])), "corp", roles=())


@test
def test_entra_of_another_tenant_or_cloud_is_refused():
    refused(corp(shapes.entra_v2(shapes.OTHER_TENANT)), "issuer")
    refused(corp(shapes.entra_v2(tid=shapes.OTHER_TENANT)), "issuer")
    refused(corp(shapes.entra_v2(tid=None)), "issuer")
    refused(corp(shapes.entra_v2(iss=f"https://login.microsoftonline.us/{shapes.TENANT}/v2.0")), "issuer")
    refused(corp(shapes.entra_v2(iss="https://login.microsoftonline.com/common/v2.0")), "issuer")
    refused(corp(shapes.entra_v2(aud="00000003-0000-0000-c000-000000000000")), "audience")


@test
def test_guests_are_refused_where_they_are_not_wanted():
    refused(corp(shapes.entra_guest()), "claims", "guest")
    accepted(corp(shapes.entra_v2(idp=f"https://sts.windows.net/{shapes.TENANT}/")), "corp")


@test
def test_groups_grant_where_they_are_asked_for():
    accepted(corp(shapes.entra_v2(roles=None, groups=["group-of-admins"])), "corp", roles=("books-admin",))
    accepted(corp(shapes.entra_v2(groups=["group-of-admins"])), "corp", roles=("books-admin", "reader"))


@test
def test_groups_that_did_not_fit_are_asked_for_at_graph():
    _, p = world()
    provider = p["corp"]
    provider.groups = {shapes.PERSON: ["some-group", "group-of-admins"], shapes.PROGRAM: ["group-of-admins"]}
    accepted(corp(shapes.entra_overage()), "corp", roles=("books-admin",))
    accepted(corp(shapes.entra_overage(hasgroups=True, _claim_names=None, _claim_sources=None)), "corp", roles=("books-admin",))
    asked = [path for _, path, _, _ in provider.asked if "getMemberObjects" in path]
    equal(set(asked), {f"/v1.0/users/{shapes.PERSON}/getMemberObjects"})
    program = {"oid": shapes.PROGRAM, "sub": shapes.PROGRAM, "scp": None, "idtyp": "app"}
    accepted(corp(shapes.entra_overage(**program)), "corp", roles=("books-admin",))
    assert any(f"/servicePrincipals/{shapes.PROGRAM}/" in path for _, path, _, _ in provider.asked), "a program is no user"


@test
def test_unknown_keys_make_nobody_ask_for_groups_again():
    _, p = world()
    person = "a0000000-0000-4000-8000-00000000000e"
    p["corp"].groups[person] = ["group-of-admins"]
    token, before = corp(shapes.entra_overage(oid=person)), p["corp"].counts["/jwks"]
    for _ in range(20):
        accepted(token, "corp", roles=("books-admin",))
    for _ in range(20):
        refused(Key("RS256").sign({}, shapes.entra_v2()), "key")
        time.sleep(0.1)
    assert p["corp"].counts["/jwks"] > before, "the same keys are fetched again"
    for _ in range(20):
        accepted(token, "corp", roles=("books-admin",))
    asked = [path for _, path, _, _ in p["corp"].asked if person in path]
    assert 1 <= len(asked) <= 2, f"asked {len(asked)} times, by two workers"


@test
def test_while_graph_is_away_such_a_token_is_503_and_others_are_not():
    gateway, p = world()
    person = "a0000000-0000-4000-8000-00000000000d"
    p["corp"].groups[person] = ["group-of-admins"]
    token = corp(shapes.entra_overage(oid=person))
    for fault in (status(500), status(429, Retry_After=7), HUGE):
        p["corp"].faults["/v1.0/"] = fault
        answer = shown(token)
        equal(answer.status, 503, answer)
        assert 1 <= int(answer.headers["retry-after"]) <= 120, answer.headers
        accepted(corp(shapes.entra_v2()), "corp")
    del p["corp"].faults["/v1.0/"]
    accepted(token, "corp", roles=("books-admin",))


@test
def test_someone_whom_the_directory_does_not_know_is_refused():
    refused(corp(shapes.entra_overage(oid="a0000000-0000-4000-8000-0000000000ff")), "claims", "groups")


@test
def test_groups_that_did_not_fit_are_refused_where_graph_is_not_set_up():
    provider = Provider([Key("RS256")], issuer=f"https://login.microsoftonline.com/{shapes.TENANT}/v2.0")

    def change(config):
        config["issuers"]["corp"] = {"type": "entra", "tenant": shapes.TENANT, "audience": shapes.API, "metadata": provider.metadata_url,
                                     "roles_claim": ["roles", "groups"]}
        config["roles"]["reader"]["granted_by"] += ["corp:Books.Read"]

    gateway = Gateway(change)
    with provider:
        equal(gateway.get("/me", provider.keys[0].sign({}, shapes.entra_v2())).status, 200)
        equal(gateway.get("/me", provider.keys[0].sign({}, shapes.entra_guest())).status, 200, "guests are allowed unless refused")
        answer = gateway.get("/me", provider.keys[0].sign({}, shapes.entra_overage()))
        equal((answer.status, answer.error()["reason"]), (401, "claims"), answer)
        assert "group" in answer.headers["www-authenticate"], answer.headers
        gateway.check_end()


@test
def test_several_tenants_and_keys_that_name_their_issuer():
    template = "https://login.microsoftonline.com/{tenantid}/v2.0"
    named = Key("RS256", issuer=template)
    only_other = Key("RS256", issuer=f"https://login.microsoftonline.com/{shapes.OTHER_TENANT}/v2.0")
    provider = Provider([named, only_other], issuer=template)

    def change(config):
        config["issuers"]["corp"] = {"type": "entra", "tenant": [shapes.TENANT, shapes.OTHER_TENANT], "audience": [shapes.API, "api://books"],
                                     "metadata": provider.metadata_url, "callers": "users"}
        config["roles"]["reader"]["granted_by"] += ["corp:Books.Read"]

    gateway = Gateway(change)
    with provider:
        def status_of(claims, key):
            return gateway.get("/me", key.sign({}, claims)).status

        for tenant in (shapes.TENANT, shapes.OTHER_TENANT):
            equal(status_of(shapes.entra_v2(tenant), named), 200, tenant)
        equal(status_of(shapes.entra_v2(shapes.OTHER_TENANT), only_other), 200)
        equal(status_of(shapes.entra_v2(shapes.TENANT), only_other), 401, "a key of another tenant")
        equal(status_of(shapes.entra_v2("12121212-2222-4333-8444-555555555555"), named), 401, "a tenant that is not on the list")
        equal(status_of(shapes.entra_v2(shapes.TENANT, tid=shapes.OTHER_TENANT), named), 401, "iss and tid of two tenants")
        answer = gateway.get("/me", named.sign({}, shapes.entra_app()))
        equal((answer.status, answer.error()["reason"]), (401, "claims"), "programs, where people are wanted")
        gateway.check_end()


@test
def test_okta_and_its_list_of_scopes():
    sign = world()[1]["okta"].keys[0].sign
    accepted(sign({}, shapes.okta()), "okta", subject="ada@example.org")
    accepted(sign({}, shapes.okta(groups=["Everyone"])), "okta", roles=())
    refused(sign({}, shapes.okta(iss="https://example.okta.com", aud="https://example.okta.com")), "issuer")
    refused(sign({}, shapes.okta(aud="api://other")), "audience")


@test
def test_cognito_without_an_audience():
    sign = world()[1]["shop"].keys[0].sign
    accepted(sign({}, shapes.cognito()), "shop")
    refused(sign({}, shapes.cognito(client_id="another-client-of-the-pool")), "claims")
    refused(sign({}, shapes.cognito(client_id=None)), "claims")
    refused(sign({}, shapes.cognito(token_use="id", aud=shapes.POOL_CLIENT)))
    refused(sign({}, shapes.cognito(token_use=None)))


@test
def test_paths_of_claims_lists_of_audiences_and_who_the_token_was_given_to():
    provider = world()[1]["keycloak"]
    sign = provider.keys[0].sign
    accepted(sign({}, shapes.keycloak(provider.issuer)), "keycloak")
    accepted(sign({}, shapes.keycloak(provider.issuer, realm_access=None, **{"https://books.example/roles": ["reader"]})), "keycloak")
    accepted(sign({}, shapes.keycloak(provider.issuer, realm_access={"roles": "reader"})), "keycloak", roles=())
    accepted(sign({}, shapes.keycloak(provider.issuer, realm_access=["reader"], **{"realm_access.roles": 7})), "keycloak", roles=())
    refused(sign({}, shapes.keycloak(provider.issuer, azp="another")), "claims")
    refused(sign({}, shapes.keycloak(provider.issuer, aud=["account"])), "audience")


@test
def test_b2c_by_its_metadata_and_a_claim_that_must_be_there():
    sign = world()[1]["b2c"].keys[0].sign
    accepted(sign({}, shapes.b2c()), "b2c")
    refused(sign({}, shapes.b2c(tfp="B2C_1_passwordreset")), "claims")
    refused(sign({}, shapes.b2c(tfp=None)), "claims")
    refused(sign({}, shapes.b2c(iss=shapes.B2C[:-1])), "issuer")


@test
def test_a_token_counts_for_its_own_issuer_only():
    gateway, p = world()
    shape = {"corp": shapes.entra_v2(), "okta": shapes.okta(), "shop": shapes.cognito(), "b2c": shapes.b2c(),
             "keycloak": shapes.keycloak(p["keycloak"].issuer)}
    for name, claims in shape.items():
        for other, provider in p.items():
            if other != name:
                # The other issuer's key, under the name that it has there and under the name of the right one.
                refused(provider.keys[0].sign({}, claims))
                refused(provider.keys[0].sign({"kid": p[name].keys[0].kid}, claims))
    # The same value is a role with one issuer and nothing with another.
    accepted(p["lab"].token(roles=["Books.Read", "book-readers"]), "lab", roles=())


@test
def test_our_own_users_beside_them():
    gateway, _ = world()
    me = gateway.get("/me", "ada").json()
    equal((me["issuer"], me["roles"]), ("local", ["reader"]))


# Opaque tokens

def introspected(**more):
    now = int(time.time())
    return {k: v for k, v in {"active": True, "sub": "opaque-user", "aud": "api://books", "roles": ["reader"], "client_id": "x", "exp": now + 300,
                              "iat": now, **more}.items() if v is not None}


@test
def test_an_opaque_token_is_asked_for_once_while_its_answer_is_fresh():
    _, p = world()
    provider = p["opaque"]
    provider.introspected["opaque-token-of-a-user-0001"] = introspected()
    before = provider.counts["/introspect"]
    for _ in range(20):
        accepted("opaque-token-of-a-user-0001", "opaque", subject="opaque-user")
    asked = provider.counts["/introspect"] - before
    assert 1 <= asked <= 4, f"asked {asked} times, by two workers"
    provider.introspected["opaque-token-of-a-user-0001"] = {"active": False}
    time.sleep(2.5)
    refused("opaque-token-of-a-user-0001")


@test
def test_what_introspection_says_is_checked_like_a_token():
    _, p = world()
    now = int(time.time())
    wrong_answers = {"expired": introspected(exp=now - 600), "not-yet": introspected(nbf=now + 600), "other-audience": introspected(aud="api://other"),
                     "no-audience": introspected(aud=None), "no-subject": introspected(sub=None, client_id=None), "inactive": {"active": False}}
    for name, answer in wrong_answers.items():
        p["opaque"].introspected[f"opaque-token-{name}-0123456789"] = answer
        equal(shown(f"opaque-token-{name}-0123456789").status, 401, name)
    # No answer of RFC 7662: the issuer has a fault, and the caller may come again.
    for name, value in {"text": "true", "number": 1, "missing": None}.items():
        p["opaque"].introspected[f"opaque-token-active-{name}-0123456789"] = introspected(active=value)
        equal(shown(f"opaque-token-active-{name}-0123456789").status, 503, name)


@test
def test_while_introspection_is_away_opaque_tokens_are_503_and_others_are_not():
    gateway, p = world()
    p["opaque"].introspected["opaque-token-of-a-user-0002"] = introspected()
    for number, fault in enumerate((status(500), status(401), HUGE, hang)):
        p["opaque"].faults["/introspect"] = fault
        answer = shown("opaque-token-of-a-user-0002")
        equal(answer.status, 503, (number, answer))
        assert 1 <= int(answer.headers["retry-after"]) <= 120, answer.headers
        accepted(p["lab"].token(), "lab")
    p["opaque"].faults.clear()
    accepted("opaque-token-of-a-user-0002", "opaque")


# Attacks

@test
def test_every_attack_on_every_kind_of_issuer():
    gateway, p = world()
    good = {"corp": shapes.entra_v2(), "okta": shapes.okta(), "shop": shapes.cognito(), "b2c": shapes.b2c(),
            "keycloak": shapes.keycloak(p["keycloak"].issuer), "lab": None}
    wrong_answers, count = [], 0
    for issuer, claims in good.items():
        provider = p[issuer]
        key = provider.keys[0]
        token = provider.token() if claims is None else key.sign({}, claims)
        accepted(token, issuer)
        for source in (forged(token, [key]), wrong(key, claims or provider_claims(provider))):
            for name, attack in source:
                count += 1
                answer = shown(attack)
                if answer.status != 401:
                    wrong_answers.append((issuer, name, answer.status))
    for name, attack in forged(gateway.token("ada"), []):
        count += 1
        if shown(attack).status != 401:
            wrong_answers.append(("local", name))
    equal(wrong_answers, [], f"of {count}")
    assert count > 250, count


def provider_claims(provider):
    now = int(time.time())
    return {"iss": provider.issuer, "aud": "api://books", "sub": "user-1", "roles": ["reader"], "iat": now, "nbf": now, "exp": now + 300}


@test
def test_the_corpus_of_attacks_on_all_kinds_at_once():
    """Its keys are those of every kind here; only `lab` has its issuer, so only there may an honest one get in."""
    folder = corpus("jwt-attacks")
    context = json.loads((folder / "context.json").read_text())
    cases = [json.loads(line) for line in (folder / "cases.jsonl").read_text().splitlines() if line.strip()]
    provider = Provider(json.loads((folder / "jwks.json").read_text())["keys"], issuer=context["issuer"])
    provider.clients["gateway"] = SECRET
    algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]

    def change(config):
        keys, audience = {"jwks": {"url": provider.jwks_url}}, context["audience"]
        config["issuers"].update({
            "lab": {"type": "oidc", "issuer": context["issuer"], "metadata": provider.metadata_url, "audience": audience,
                    "tenant": context["tenant"], "algorithms": algorithms},
            "corp": {"type": "entra", "tenant": context["tenant"], "audience": audience, "algorithms": algorithms, **keys},
            "okta": {"type": "okta", "issuer": shapes.OKTA, "audience": audience, "algorithms": algorithms, **keys},
            "shop": {"type": "cognito", "region": "eu-west-1", "user_pool": "eu-west-1_abcdefghi", "client_id": ["x"], "algorithms": algorithms, **keys},
            "opaque": {"type": "introspection", "endpoint": provider.url + "/introspect", "client_id": "gateway",
                       "client_secret": {"file": "introspection.secret"}, "audience": audience}})
        config["roles"]["reader"]["granted_by"] += ["lab:reader", "corp:reader", "okta:reader", "shop:reader", "opaque:reader"]

    g = Gateway(change, before=write_secrets)
    wrong_answers = []
    with provider:
        for case in cases:
            data = b"GET /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " + case["token"].encode() + b"\r\n\r\n"
            answers, _, _ = g.raw(data, 10)
            status_code = answers[0].status if answers else 0
            honest = case["expect"] == "accept" and status_code == 200 and answers[0].json()["issuer"] == "lab"
            refusal = case["expect"] != "accept" and status_code in (400, 401, 431)
            if not honest and not refusal and case["expect"] in ("accept", "reject"):
                wrong_answers.append((case["id"], case["expect"], status_code, case["why"]))
        equal(wrong_answers, [], f"{len(wrong_answers)} of {len(cases)} cases")
        equal(len(cases), 160)
        g.check_end()


@test
def test_a_flood_of_foreign_issuers_causes_no_fetch():
    gateway, p = world()
    before = {name: sum(provider.counts.values()) for name, provider in p.items()}
    stranger = Key("ES256")
    for number in range(50):
        claims = {**provider_claims(p["lab"]), "iss": f"{p['lab'].url}/{number}"}
        equal(gateway.get("/me", stranger.sign({}, claims)).status, 401)
    equal({name: sum(provider.counts.values()) for name, provider in p.items()}, before, "fetches")


main()

"""Own issuer: the password grant as FastAPI clients and Swagger UI send it, refresh, user administration."""
import base64
import statistics
import threading
import time

from harness import Gateway, equal, jwt_parts, main, shared, test


def gateway():
    return shared()


@test
def test_password_grant_answers_what_fastapi_clients_expect():
    answer = gateway().login("ada")
    equal(answer.status, 200, answer)
    token = answer.json()
    equal(token["token_type"].lower(), "bearer")
    equal(token["expires_in"], 900)
    assert token["refresh_token"]
    equal(answer.headers["cache-control"], "no-store")
    equal(answer.headers["content-type"].split(";")[0], "application/json")


@test
def test_access_token_has_the_claims_of_rfc_9068():
    g = gateway()
    header, claims = jwt_parts(g.token("ada"))
    equal(header["typ"].lower(), "at+jwt")
    equal(header["alg"], "ES256")
    for name in ("iss", "sub", "aud", "exp", "iat", "jti", "client_id"):
        assert name in claims, f"no {name}"
    equal(claims["iss"].rstrip("/"), g.url)
    assert claims["aud"] in ("api://books", ["api://books"]), claims["aud"]
    equal(claims["roles"], ["reader"])
    assert 0 < claims["exp"] - claims["iat"] <= 900


@test
def test_grant_type_may_be_absent_as_in_fastapis_form():
    g = gateway()
    equal(g.form("/token", username="ada", password=g.passwords["ada"]).status, 200)


@test
def test_swagger_ui_sends_an_empty_basic_client():
    g = gateway()
    from urllib.parse import urlencode
    answer = g.request("POST", "/token", body=urlencode({"grant_type": "password", "username": "ada",
                                                        "password": g.passwords["ada"]}),
                       headers={"Content-Type": "application/x-www-form-urlencoded",
                                "Authorization": "Basic " + base64.b64encode(b":").decode()})
    equal(answer.status, 200, answer)
    g.keep_secrets(answer.json())


@test
def test_wrong_password_and_unknown_user_get_the_same_answer():
    g = Gateway()
    wrong, unknown = g.login("ada", "not the password"), g.login("nobody", "not the password")
    equal(wrong.status, 400, wrong)
    equal((wrong.status, wrong.body), (unknown.status, unknown.body))
    body = wrong.json()
    equal(body["error"], "invalid_grant")
    assert body["detail"]
    g.check_end()


@test
def test_28_an_unknown_user_takes_as_long_as_a_wrong_password():
    """The first tries only: later ones wait by design."""
    times = {"known": [], "unknown": []}
    for _ in range(2):
        g = Gateway()
        for kind, name in (("known", "ada"), ("unknown", "nobody"), ("unknown", "nothing"), ("known", "grace")):
            begun = time.monotonic()
            g.login(name, "not the password")
            times[kind].append(time.monotonic() - begun)
        g.check_end()
    known, unknown = statistics.median(times["known"]), statistics.median(times["unknown"])
    assert 0.4 < unknown / known < 2.5, times


@test
def test_missing_fields_name_themselves():
    g = gateway()
    for fields, name in (({"username": "ada"}, b"password"), ({"password": "x"}, b"username")):
        answer = g.form("/token", **fields)
        equal(answer.status, 400, answer)
        assert name in answer.body, answer


@test
def test_unknown_grant_type_is_refused():
    answer = gateway().form("/token", grant_type="magic", username="ada", password="x")
    equal(answer.status, 400, answer)
    equal(answer.json()["error"], "unsupported_grant_type")


@test
def test_token_takes_only_a_form():
    g = gateway()
    equal(g.request("POST", "/token", body={"username": "ada", "password": "x"}).status, 415)
    equal(g.get("/token").status, 405)


@test
def test_26_credentials_in_the_query_are_not_taken():
    g = gateway()
    answer = g.request("POST", "/token?username=ada&password=" + g.passwords["ada"],
                       body="", headers={"Content-Type": "application/x-www-form-urlencoded"})
    equal(answer.status, 400, answer)


@test
def test_27_a_password_of_a_megabyte_costs_nothing():
    g = gateway()
    begun = time.monotonic()
    answer = g.login("ada", "x" * 1_000_000)
    assert answer.status in (400, 401, 413, 422), answer
    assert time.monotonic() - begun < 10, "it was hashed"


@test
def test_refresh_rotates():
    g = gateway()
    first = g.login("ada").json()
    answer = g.form("/token", grant_type="refresh_token", refresh_token=first["refresh_token"])
    equal(answer.status, 200, answer)
    second = answer.json()
    assert second["refresh_token"] != first["refresh_token"]
    equal(g.get("/me", second["access_token"]).status, 200)


@test
def test_30_a_refresh_token_used_again_after_its_successor_revokes_the_family():
    g = gateway()
    first = g.login("ada").json()["refresh_token"]
    second = g.form("/token", grant_type="refresh_token", refresh_token=first).json()["refresh_token"]
    third = g.form("/token", grant_type="refresh_token", refresh_token=second).json()["refresh_token"]
    again = g.form("/token", grant_type="refresh_token", refresh_token=first)
    equal(again.status, 400, again)
    equal(again.json()["error"], "invalid_grant")
    after = g.form("/token", grant_type="refresh_token", refresh_token=third)
    assert after.status in (400, 401), f"the family lives on: {after}"


@test
def test_30_a_lost_answer_within_ten_seconds_gets_the_same_successor():
    g = gateway()
    first = g.login("ada").json()["refresh_token"]
    one = g.form("/token", grant_type="refresh_token", refresh_token=first)
    two = g.form("/token", grant_type="refresh_token", refresh_token=first)
    equal((one.status, two.status), (200, 200))
    equal(one.json()["refresh_token"], two.json()["refresh_token"])


@test
def test_garbage_is_no_refresh_token():
    for text in ("", "x", "A" * 43, "A" * 5000, "%00", "' OR 1=1 --"):
        answer = gateway().form("/token", grant_type="refresh_token", refresh_token=text)
        assert answer.status in (400, 401, 422), (text, answer)


@test
def test_user_list_names_users_and_no_hash():
    done = gateway().cli("user", "list")
    equal(done.returncode, 0, done.stderr)
    assert "ada" in done.stdout and "grace" in done.stdout
    assert "argon2" not in done.stdout and "$" not in done.stdout, done.stdout


@test
def test_a_disabled_user_logs_in_no_more():
    g = Gateway(users={"eve": ["reader"]})
    refresh = g.login("eve").json()["refresh_token"]
    equal(g.cli("user", "disable", "eve").returncode, 0)
    assert g.login("eve").status in (400, 401)
    assert g.form("/token", grant_type="refresh_token", refresh_token=refresh).status in (400, 401)
    g.check_end()


@test
def test_a_new_password_ends_the_old_one_and_its_refresh_tokens():
    g = Gateway(users={"eve": ["reader"]})
    refresh = g.login("eve").json()["refresh_token"]
    g.secrets.add("a new long password")
    equal(g.cli("user", "passwd", "eve", text="a new long password\n").returncode, 0)
    assert g.login("eve").status in (400, 401), "the old password"
    equal(g.login("eve", "a new long password").status, 200, "the new one")
    assert g.form("/token", grant_type="refresh_token", refresh_token=refresh).status in (400, 401)
    g.check_end()


@test
def test_short_passwords_and_double_names_are_refused():
    g = gateway()
    assert g.cli("user", "add", "short", "--role", "reader", text="abc\n").returncode != 0
    assert g.cli("user", "add", "ada", "--role", "reader", text="a long enough password\n").returncode != 0


@test
def test_guessing_gets_slower():
    """After some failures the answer is 429 with Retry-After, and only for that name."""
    g = Gateway(users={"eve": ["reader"]})
    seen = [g.login("eve", f"wrong password {i}") for i in range(12)]
    last = [a for a in seen if a.status == 429]
    assert last, [a.status for a in seen]
    assert int(last[0].headers["retry-after"]) >= 1
    g.check_end()


@test
def test_a_stranger_behind_our_proxy_keeps_nobody_out():
    """All its callers have its address: what one of them fails says nothing of the others."""
    def change(config):
        config["listen"]["http"] = {"address": config["listen"]["http"], "proxies": ["127.0.0.1"]}
    g = Gateway(change)
    secret = g.add_client("robot", "--role", "reader", "--grant", "client_credentials")
    for i in range(14):
        equal(g.login(f"nobody{i}", "wrong password").status, 400)
        equal(g.form("/token", grant_type="client_credentials", client_id="robot", client_secret="wrong").status, 401)
    equal(g.login("ada").status, 200)
    equal(g.form("/token", grant_type="client_credentials", client_id="robot", client_secret=secret).status, 200)
    assert 429 in {g.login("grace", "wrong password").status for _ in range(6)}
    g.check_end()


@test
def test_a_client_is_not_kept_out_by_who_guesses_its_secret():
    g = Gateway()
    secret = g.add_client("robot", "--role", "reader", "--grant", "client_credentials")
    for _ in range(14):
        equal(g.form("/token", grant_type="client_credentials", client_id="robot", client_secret="wrong").status, 401)
    equal(g.form("/token", grant_type="client_credentials", client_id="robot", client_secret=secret).status, 200)
    equal(g.login("ada").status, 200)
    g.check_end()


@test
def test_27_a_flood_of_logins_is_bounded_and_others_are_served():
    def change(config):
        config["login"] = {"hash_workers": 1, "hash_queue": 2}
    g = Gateway(change)
    token = g.token("ada")
    answers = []
    threads = [threading.Thread(target=lambda i=i: answers.append(g.login(f"user{i}", "wrong password"))) for i in range(16)]
    for t in threads:
        t.start()
    begun = time.monotonic()
    equal(g.get("/api/books/1", token).status, 200)
    waited = time.monotonic() - begun
    for t in threads:
        t.join()
    statuses = {a.status for a in answers}
    assert 429 in statuses, statuses
    assert all("retry-after" in a.headers for a in answers if a.status == 429)
    assert waited < 2, f"a read waited {waited:.1f} s behind logins"
    g.check_end()


main()

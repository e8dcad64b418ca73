"""One record for each decision, nothing secret in it, and a chain that shows every change."""
import json
import threading
import time
import urllib.parse

from harness import Gateway, equal, main, query, shared, test, wait_until
from rows import NEW


def gateway():
    return shared()


def new_records(action, count=1):
    """Records that `action()` caused."""
    g = gateway()
    time.sleep(0.05)
    before = len(g.records())
    result = action()
    wait_until(lambda: len(g.records()) >= before + count, 5, "the record")
    time.sleep(0.1)
    return g.records()[before:], result


@test
def test_an_allowed_read_is_recorded():
    g = gateway()
    token = g.token("ada")
    records, _ = new_records(lambda: g.get("/api/books" + query(first=5), token))
    equal(len(records), 1)
    r = records[0]
    equal(r["class_uid"], 6005)
    u = r["unmapped"]
    equal((u["resource"], u["action"], u["outcome"], u["rows"]), ("books", "read", "allowed", 5))
    assert "reader" in u["rule"], u
    assert len(u["fingerprint"]) >= 32
    assert r["actor"]["user"]["uid"] and r["actor"]["user"]["groups"] == [{"name": "reader"}]
    equal(r["src_endpoint"]["ip"], "127.0.0.1")
    assert u["duration_us"] > 0 and u["bytes"] > 100
    equal(u["backend"], "books")


@test
def test_the_decision_of_a_denial_leads_to_its_record():
    g = gateway()
    answer = g.request("DELETE", "/api/books/1", "ada")
    record, = g.record_of(answer.error()["decision"])
    equal((record["unmapped"]["outcome"], record["unmapped"]["action"], record["status_code"]), ("denied", "delete", "403"))
    assert "deny" in record["unmapped"]["rule"] or "default" in record["unmapped"]["rule"], record["unmapped"]


@test
def test_a_bad_token_is_recorded_with_its_reason():
    g = gateway()
    answer = g.get("/api/books/1", "no.good.token")
    record, = g.record_of(answer.error()["decision"])
    equal(record["status_code"], "401")
    assert record["status_detail"], record


@test
def test_a_login_is_recorded_and_so_is_a_failed_one():
    g = gateway()
    records, _ = new_records(lambda: g.login("grace"))
    equal([(r["class_uid"], r["unmapped"]["outcome"]) for r in records], [(3002, "allowed")])
    records, _ = new_records(lambda: g.login("grace", "wrong password of hers"))
    equal([(r["class_uid"], r["unmapped"]["outcome"]) for r in records], [(3002, "denied")])


@test
def test_writes_and_bad_requests_are_recorded():
    g = gateway()
    token = g.token("grace")
    for method, path, body, outcome in (("POST", "/api/books", {**NEW, "code": "BK-9700001"}, "allowed"),
                                        ("POST", "/api/books", {**NEW, "code": "BK-9700001"}, "failed"),
                                        ("PATCH", "/api/books/3", {"note": "y"}, "allowed"),
                                        ("GET", "/api/books/99999999", None, None)):
        records, answer = new_records(lambda: g.request(method, path, token, body=body))
        equal(len(records), 1, (method, path, answer))
        if outcome:
            equal(records[0]["unmapped"]["outcome"], outcome, (method, path, records[0]))
        equal(records[0]["status_code"], str(answer.status))


@test
def test_one_record_for_each_of_many_requests():
    g = gateway()
    token = g.token("ada")

    def work():
        threads = [threading.Thread(target=lambda: [g.get(f"/api/books/{i}", token) for i in range(1, 26)]) for _ in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    records, _ = new_records(work, 200)
    equal(len(records), 200)
    equal(len({r["metadata"]["uid"] for r in records}), 200, "ids")


@test
def test_sequence_has_no_gap_and_the_chain_holds():
    records = gateway().records()
    equal([r["seq"] for r in records], list(range(records[0]["seq"], records[0]["seq"] + len(records))))
    for one, two in zip(records, records[1:]):
        equal(two["prev"], one["hash"])
    equal(gateway().cli("audit", "verify").returncode, 0)


@test
def test_49_log_lines_cannot_be_forged():
    g = gateway()
    equal(g.get("/api/x%0d%0a", "ada").status, 400, "no control byte gets as far as a decision")
    nasty = urllib.parse.quote('x{"seq":1,"hash":"0"}"},u000a', safe="")
    records, _ = new_records(lambda: g.get(f"/api/{nasty}", "ada"))
    equal(len(records), 1)
    records, _ = new_records(lambda: g.get("/api/books/1", "ada", headers={"User-Agent": 'a"}\\u000a', "traceparent": "zz"}))
    equal(len(records), 1)


@test
def test_92_no_literal_of_a_query_reaches_log_or_audit():
    g = gateway()
    canary = "Canary9f3aValue"
    g.secrets.update({canary, "CanaryPassword77", "CanaryBearer88"})
    g.get("/api/books" + query(filter=f"title eq '{canary}'"), "grace")
    g.get("/api/books" + query(filter=f"title eq '{canary}"), "grace")
    g.request("POST", "/api/books", "grace", body={**NEW, "title": canary, "code": "bad"})
    g.login("ada", "CanaryPassword77")
    g.get("/api/books/1", "CanaryBearer88.CanaryBearer88.CanaryBearer88")
    g.form("/token", grant_type="refresh_token", refresh_token="CanaryBearer88")
    time.sleep(0.3)
    g.find_secrets(g.admin("/metrics").body)


@test
def test_the_same_question_has_the_same_fingerprint_whatever_its_values():
    g = gateway()
    token = g.token("ada")
    prints = []
    for text in ("year eq 1900", "year eq 1901", "year gt 1900"):
        records, _ = new_records(lambda: g.get("/api/books" + query(filter=text), token))
        prints.append(records[0]["unmapped"]["fingerprint"])
    equal(prints[0], prints[1])
    assert prints[0] != prints[2]


@test
def test_audit_query_finds_by_outcome_and_resource():
    g = gateway()
    g.request("DELETE", "/api/authors/1", "ada")
    time.sleep(0.2)
    done = g.cli("audit", "query", "--json", "--outcome", "denied", "--resource", "authors")
    equal(done.returncode, 0, done.stderr)
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert found, done.stdout
    equal({(r["unmapped"]["outcome"], r["unmapped"]["resource"]) for r in found}, {("denied", "authors")})


def stopped():
    """A gateway that has left a log of some 40 records."""
    g = Gateway(lambda c: c["audit"].update(checkpoint_records=10))
    for i in range(1, 40):
        g.get(f"/api/books/{i}", "ada")
    equal(g.stop(), 0)
    equal(g.cli("audit", "verify").returncode, 0, "as it was written")
    return g


def tampered(change, *words):
    g = stopped()
    path = sorted((g.folder / "audit").glob("*.jsonl"))[0]
    original = path.read_bytes()
    changed = change(original.splitlines(keepends=True))
    path.write_bytes(changed if isinstance(changed, bytes) else b"".join(changed))
    done = g.cli("audit", "verify")
    equal(done.returncode, 1, done.stdout + done.stderr)
    for word in words:
        assert word in done.stdout + done.stderr, (word, done.stdout + done.stderr)
    path.write_bytes(original)
    g.check_end()


@test
def test_90_one_changed_byte_is_found_and_named():
    tampered(lambda lines: [*lines[:9], lines[9].replace(b'"allowed"', b'"ALLOWED"'), *lines[10:]], "10")


@test
def test_90_a_missing_record_is_found_and_named():
    tampered(lambda lines: lines[:9] + lines[10:], "1")


@test
def test_90_swapped_records_are_found():
    tampered(lambda lines: [*lines[:9], lines[10], lines[9], *lines[11:]])


@test
def test_90_a_cut_tail_is_found_against_the_checkpoint():
    tampered(lambda lines: lines[:5])


@test
def test_90_a_repeated_record_is_found():
    tampered(lambda lines: [*lines[:10], lines[9], *lines[10:]])


@test
def test_segments_follow_each_other():
    g = Gateway(lambda c: c["audit"].update(segment_size="4KiB", checkpoint_records=5))
    for i in range(1, 60):
        g.get(f"/api/books/{i}", "ada")
    time.sleep(0.3)
    assert len(list((g.folder / "audit").glob("*.jsonl"))) > 3
    equal(g.stop(), 0)
    g.start()
    equal(g.get("/api/books/1", g.login("ada").json()["access_token"]).status, 200)
    g.check_end()


main()

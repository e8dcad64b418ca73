"""The admin listener, and that nothing of it is on the data listener."""
import re
import time

from harness import Gateway, equal, main, shared, test


def gateway():
    return shared()


def metrics():
    answer = gateway().admin("/metrics")
    equal(answer.status, 200)
    return answer.body.decode()


def total(text, name):
    """Sum over all label sets."""
    rows = re.findall(rf"^{re.escape(name)}(?:\{{[^}}]*\}})? ([0-9.e+]+)$", text, re.M)
    return sum(float(r) for r in rows)


@test
def test_healthz_and_readyz():
    for path in ("/healthz", "/readyz"):
        equal(gateway().admin(path).status, 200, path)


@test
def test_metrics_are_well_formed_prometheus_text():
    text = metrics()
    assert "text/plain" in gateway().admin("/metrics").headers["content-type"]
    typed = set(re.findall(r"^# TYPE (\S+) (?:counter|gauge|histogram)$", text, re.M))
    assert len(typed) >= 8, typed
    for line in text.splitlines():
        if line and not line.startswith("#"):
            match = re.fullmatch(r"([a-z_:][a-z0-9_:]*)(\{[a-z_]+=\"[^\"]*\"(?:,[a-z_]+=\"[^\"]*\")*\})? (\+?[0-9.eE+-]+|\+Inf|NaN)", line)
            assert match, line
            assert match[1] in typed or re.sub(r"_(bucket|sum|count)$", "", match[1]) in typed, line


@test
def test_metrics_count_what_happened():
    g = gateway()
    before = metrics()
    names = [n for n in re.findall(r"^# TYPE (\S+)", before, re.M)]
    requests = next(n for n in names if "request" in n and n.endswith("_total"))
    denials = next(n for n in names if "deni" in n)
    for i in range(1, 11):
        g.get(f"/api/books/{i}", "ada")
    g.request("DELETE", "/api/books/1", "ada")
    time.sleep(0.1)
    after = metrics()
    assert total(after, requests) - total(before, requests) >= 11
    assert total(after, denials) - total(before, denials) >= 1
    assert "_bucket{" in after and 'le="+Inf"' in after, "a histogram"


@test
def test_89_admin_paths_are_not_on_the_data_listener_nor_data_on_admin():
    g = gateway()
    for path in ("/metrics", "/healthz", "/readyz"):
        assert g.get(path, "grace").status == 404, path
    for path in ("/api/books/1", "/token", "/docs", "/me", "/openapi.json"):
        assert g.request("GET", path, "grace", port=g.admin_port).status in (404, 405), path


@test
def test_83_the_admin_listener_answers_its_own_names_only():
    g = gateway()
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", g.admin_port, timeout=5)
    connection.request("GET", "/metrics", headers={"Host": "attacker.example"})
    answer = connection.getresponse()
    equal(answer.status, 421)
    connection.close()


@test
def test_not_ready_while_a_process_is_missing():
    import os
    import signal
    g = Gateway()
    keeper, = g.children("keeper")
    os.kill(keeper, signal.SIGKILL)
    seen = set()
    for _ in range(200):
        seen.add(g.admin("/readyz").status)
        time.sleep(0.005)
    assert 200 in seen and seen <= {200, 503}, seen
    equal(g.admin("/healthz").status, 200)
    g.check_end()


main()

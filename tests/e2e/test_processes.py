"""Reload, drain, and processes that die: what callers notice, and what they must not."""
import http.client
import json
import os
import signal
import subprocess
import threading
import time

from harness import BINARY, PLAIN, Gateway, equal, environment, is_alive, main, read_answers, test, wait_until


class Load:
    """Callers on kept-alive connections, until stopped. Counts what went wrong."""

    def __init__(self, gateway, callers=4, reconnect=True):
        self.gateway, self.reconnect = gateway, reconnect
        self.token = gateway.token("ada")
        self.statuses, self.lost, self.broken = {}, [], 0
        self.running = True
        self.threads = [threading.Thread(target=self.work, args=(n,)) for n in range(callers)]
        for t in self.threads:
            t.start()

    def work(self, number):
        connection = None
        i = number
        while self.running:
            i = i % 600 + 1
            fresh = connection is None
            if fresh:
                connection = http.client.HTTPConnection("127.0.0.1", self.gateway.http_port, timeout=10)
            try:
                connection.request("GET", f"/api/books/{i}", headers={"Authorization": f"Bearer {self.token}"})
                response = connection.getresponse()
                response.read()
                self.statuses[response.status] = self.statuses.get(response.status, 0) + 1
                if response.getheader("Connection") == "close":
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as e:
                # A kept connection may be closed between two requests; a fresh one may not be lost.
                self.broken += 1
                if fresh:
                    self.lost.append(repr(e))
                connection.close()
                connection = None

    def stop(self):
        self.running = False
        for t in self.threads:
            t.join()


@test
def test_its_processes_are_supervisor_workers_keeper_and_ledger():
    g = Gateway(lambda c: c.update(workers=2))
    equal(len(g.children("worker")), 2)
    equal(len(g.children("keeper")), 1)
    equal(len(g.children("ledger")), 1)
    g.check_end()


@test
def test_a_killed_worker_is_back_and_others_do_not_notice():
    g = Gateway(lambda c: c.update(workers=2))
    token = g.token("ada")
    kept = [http.client.HTTPConnection("127.0.0.1", g.http_port, timeout=5) for _ in range(12)]
    for c in kept:
        c.request("GET", "/api/books/1", headers={"Authorization": f"Bearer {token}"})
        equal(c.getresponse().read()[:1], b"{")
    victim = g.children("worker")[0]
    os.kill(victim, signal.SIGKILL)
    begun = time.monotonic()
    wait_until(lambda: len([p for p in g.children("worker") if p != victim]) == 2, 2, "the new worker")
    assert time.monotonic() - begun < 10, "not back soon"
    alive = 0
    for c in kept:
        try:
            c.request("GET", "/api/books/2", headers={"Authorization": f"Bearer {token}"})
            alive += c.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            pass
    assert alive >= 1, "connections of the other worker"
    wait_until(g.is_ready, 5, "readiness")
    equal({g.get(f"/api/books/{i}", token).status for i in range(1, 10)}, {200})
    metrics = g.admin("/metrics").body.decode()
    assert "restart" in metrics
    g.check_end()


@test
def test_a_worker_that_always_dies_is_not_restarted_in_a_frenzy():
    g = Gateway(lambda c: c.update(workers=1))
    for _ in range(5):
        wait_until(lambda: g.children("worker"), 5, "a worker")
        os.kill(g.children("worker")[0], signal.SIGKILL)
        time.sleep(0.05)
    wait_until(g.is_ready, 15, "readiness")
    equal(g.get("/api/books/1", "ada").status, 200)
    g.check_end()


@test
def test_a_killed_keeper_comes_back_and_reads_go_on_meanwhile():
    g = Gateway()
    token = g.token("ada")
    keeper, = g.children("keeper")
    os.kill(keeper, signal.SIGKILL)
    equal(g.get("/api/books/1", token).status, 200, "reading needs no keeper")
    wait_until(lambda: g.children("keeper") and g.children("keeper") != [keeper], 2, "a new keeper")
    wait_until(lambda: g.login("ada").status == 200, 5, "logins")
    g.check_end()


@test
def test_readers_do_not_notice_a_stopped_keeper():
    g = Gateway()
    token = g.token("ada")
    keeper, = g.children("keeper")
    os.kill(keeper, signal.SIGSTOP)
    try:
        equal(g.get("/api/books/1", token).status, 200)
    finally:
        os.kill(keeper, signal.SIGCONT)
    g.check_end()


@test
def test_a_killed_ledger_loses_no_record_and_comes_back():
    g = Gateway()
    token = g.token("ada")
    load = Load(g, 3)
    for _ in range(3):
        time.sleep(0.4)
        wait_until(lambda: g.children("ledger"), 3, "a ledger")
        os.kill(g.children("ledger")[0], signal.SIGKILL)
    time.sleep(1.0)
    wait_until(g.is_ready, 5, "readiness")
    load.stop()
    assert set(load.statuses) <= {200, 404, 503}, load.statuses
    equal(load.lost, [])
    equal(g.get("/api/books/1", token).status, 200)
    time.sleep(0.3)
    answered = load.statuses.get(200, 0) + load.statuses.get(404, 0)
    kept = [r for r in g.records() if r["class_uid"] == 6005 and r["status_code"] in ("200", "404")]
    assert len(kept) >= answered, f"{answered} answers and {len(kept)} records"
    done = g.cli("audit", "verify")
    equal(done.returncode, 0, done.stdout + done.stderr)
    g.check_end()


@test
def test_kill_9_of_everything_leaves_a_log_that_verifies():
    for _ in range(3):
        g = Gateway()
        load = Load(g, 3)
        time.sleep(0.5)
        g.kill()
        load.stop()
        wait_until(lambda: not any(is_alive(p) for p in _group(g)), 5, "the processes")
        done = g.cli("audit", "verify")
        equal(done.returncode, 0, done.stdout + done.stderr)
        g.start()
        equal(g.get("/api/books/1", load.token).status, 200)
        g.check_end()


def _group(g):
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.getpgid(int(name)) == g.process.pid:
                    found.append(int(name))
            except ProcessLookupError:
                pass
    return found


@test
def test_the_death_of_the_supervisor_ends_everything():
    g = Gateway()
    children = g.children()
    os.kill(g.pid(), signal.SIGKILL)
    wait_until(lambda: not any(is_alive(p) for p in children), 5, "its processes to end")
    g.process.wait(5)
    g.start()
    equal(g.get("/api/books/1", "ada").status, 200, "and it can be started again")
    g.check_end()


@test
def test_sigterm_finishes_what_is_under_way_and_exits_0():
    g = Gateway()
    load = Load(g, 4)
    time.sleep(0.5)
    body = "grant_type=password&username=ada&password=" + g.passwords["ada"]
    answers = []
    slow = threading.Thread(target=lambda: answers.append(g.login("ada")))
    slow.start()
    time.sleep(0.02)
    g.signal(signal.SIGTERM)
    equal(g.process.wait(20), 0)
    load.stop()
    slow.join()
    equal([a.status for a in answers], [200], "the login under way")
    assert set(load.statuses) <= {200, 404}, load.statuses
    assert body
    equal(_group(g), [], "processes left")
    g.check_end()


@test
def test_a_connection_that_stays_does_not_hold_up_the_end():
    g = Gateway(lambda c: c.update(limits={"drain_timeout": "1s"}))
    idle, half = g.connect(), g.connect()
    half.sendall(b"GET /me HTTP/1.1\r\nHost: x\r\n")
    time.sleep(0.2)
    begun = time.monotonic()
    equal(g.stop(), 0)
    assert time.monotonic() - begun < 30
    idle.close()
    half.close()
    g.check_end()


@test
def test_sighup_takes_a_new_configuration_without_losing_a_request():
    g = Gateway(lambda c: c.update(limits={"drain_timeout": "2s"}))
    load = Load(g, 4)
    time.sleep(0.4)
    for size in (30, 40):
        g.config["resources"]["books"]["page_size"] = size
        g.write_config()
        old = set(g.children("worker"))
        g.signal(signal.SIGHUP)
        wait_until(lambda: not old & set(g.children("worker")) and len(g.children("worker")) == 2, 15, "the new generation alone")
        equal(len(g.get("/api/books", load.token).json()["value"]), size)
    load.stop()
    equal(load.lost, [], "requests lost on fresh connections")
    assert set(load.statuses) <= {200, 404}, load.statuses
    assert sum(load.statuses.values()) > 50
    g.check_end()


@test
def test_sighup_with_a_bad_file_changes_nothing_and_says_why():
    g = Gateway()
    token = g.token("ada")
    workers = g.children("worker")
    reasons = {"": "gatewarden.yaml: the configuration cannot be read, is empty", "listen: [": "gatewarden.yaml:2:1: not YAML",
               json.dumps({**g.config, "surprise": 1}, indent=1): 'unknown key "surprise"',
               json.dumps({**g.config, "roles": {}}, indent=1): 'unknown role "reader"',
               json.dumps({**g.config, "audit": {"path": "other/"}}, indent=1): "audit and state cannot change",
               json.dumps({**g.config, "workers": "many"}, indent=1): "workers is no whole number", "\x00": "gatewarden.yaml:1:1: byte 0x00"}
    for text, reason in reasons.items():
        before = len(g.log)
        g.write_config(text)
        g.signal(signal.SIGHUP)
        wait_until(lambda: any("not used" in line for line in g.log[before:]), 10, f"the reason in the log for {text[:20]!r}")
        assert any("gatewarden.yaml:" in line and reason in line for line in g.log[before:]), (reason, g.log[before:])
        equal(g.get("/api/books/1", token).status, 200)
        equal(g.children("worker"), workers)
    g.write_config()
    g.check_end()


@test
def test_22_a_role_taken_away_by_reload_is_gone_at_once():
    g = Gateway()
    token = g.token("ada")
    equal(g.get("/api/books/1", token).status, 200)
    del g.config["resources"]["books"]["allow"]["reader"]
    g.write_config()
    g.signal(signal.SIGHUP)
    wait_until(lambda: g.get("/api/books/1", token).status == 403, 10, "the new policy")
    equal({g.get("/api/books/1", token).status for _ in range(20)}, {403})
    g.check_end()


@test
def test_many_reloads_leave_no_process_behind():
    g = Gateway(lambda c: c.update(limits={"drain_timeout": "500ms"}))
    for _ in range(6):
        g.signal(signal.SIGHUP)
        time.sleep(0.15)
    wait_until(lambda: len(g.children()) == 4, 15, "two workers, keeper and ledger")
    wait_until(g.is_ready, 5, "readiness")
    equal(g.get("/api/books/1", "ada").status, 200)
    g.check_end()


@test
def test_two_on_the_same_port_or_state_cannot_run():
    g = Gateway()
    done = subprocess.run([BINARY, "run", "-c", g.file], capture_output=True, text=True, env=environment(), timeout=30, check=False)
    assert done.returncode not in (0, 99), done.stderr
    assert done.stdout + done.stderr
    equal(g.get("/api/books/1", "ada").status, 200)
    g.check_end()


@test
def test_whoever_can_connect_gets_an_answer_from_the_start_on():
    g = Gateway(binary=PLAIN, start=False)
    best = 9.0
    for _ in range(20):
        begun = time.monotonic()
        g.launch()
        while time.monotonic() - begun < 5:
            try:
                caller = g.connect()
                break
            except OSError:
                pass
        with caller:
            caller.sendall(b"GET /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            equal(read_answers(caller, 5)[0][0].status, 401)
        best = min(best, time.monotonic() - begun)
        wait_until(g.is_ready, 10, "readiness")
        equal(g.stop(), 0)
    print(f"# first answer after {best * 1000:.0f} ms")
    g.check_end()


main()

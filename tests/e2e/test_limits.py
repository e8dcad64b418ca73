#!/usr/bin/env python3
"""Limits of requests, of how many at a time, and of bytes: by caller, role and route, over all workers."""
import collections
import concurrent.futures
import contextlib
import hashlib
import http.client
import http.server
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time

import harness
from harness import Gateway, equal, main, test, wait_until


class Service(http.server.ThreadingHTTPServer):
    """Answers /wait when it is let go, /bytes/N with N bytes, and everything else at once."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self):
        super().__init__(("127.0.0.1", harness.free_port()), Handler)
        self.go = threading.Event()
        self.inside = 0
        self.lock = threading.Lock()
        self.uploads = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, *_):
        pass  # a caller that went away

    def hold(self):
        with self.lock:
            self.inside += 1
        self.go.wait(30)
        with self.lock:
            self.inside -= 1


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self):
        if self.path.endswith("/wait"):
            self.server.hold()
        self.answer(pattern(int(self.path.rsplit("/", 1)[1])) if "/bytes/" in self.path else b"{}")

    def do_POST(self):
        self.server.uploads.append(hashlib.sha256(self.rfile.read(int(self.headers["Content-Length"]))).hexdigest())
        self.answer(b"{}")

    def log_message(self, *_):
        pass


def pattern(count):
    return bytes(range(251)) * (count // 251) + bytes(range(count % 251))


@contextlib.contextmanager
def gate(routes=(), workers=2, change=None):
    """-> (gateway, service); each route is public and leads to the service."""
    service = Service()

    def configure(c):
        c["workers"] = workers
        c["backends"]["app"] = {"type": "http", "url": f"http://127.0.0.1:{service.server_port}"}
        c["routes"] = [{"backend": "app", "public": ["GET", "POST"], **r} for r in routes]
        if change:
            change(c)
    g = Gateway(configure)
    try:
        yield g, service
        g.check_end()
    finally:
        service.go.set()
        g.kill()
        g.discard()
        service.shutdown()
        service.server_close()


def statuses(answers):
    return dict(collections.Counter(a.status for a in answers))


def many(g, path, count, token=None, threads=8, headers=None):
    """`count` requests, each on a connection of its own: the kernel spreads them over the workers."""
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda _: g.get(path, token, headers=headers), range(count)))


def refusal(answers):
    return next(a for a in answers if a.status == 429)


def metric(g, line):
    found = [x for x in g.admin("/metrics").body.decode().splitlines() if x.startswith(line + " ")]
    return float(found[0].rsplit(" ", 1)[1])


@test
def test_each_caller_of_the_data_has_its_share():
    def change(c):
        c["limits"] = {"caller": {"requests": "5/h"}}
    with gate(change=change) as (g, _):
        answers = many(g, "/api/books/1", 12, "ada")
        equal(statuses(answers), {200: 5, 429: 7}, "of ada")
        refused = refusal(answers)
        assert "limits.caller.requests" in refused.error()["message"], refused
        assert 600 <= int(refused.headers["retry-after"]) <= 720, refused.headers
        record = g.record_of(refused.error()["decision"])[0]
        assert record["status"].lower() == "failure", record
        assert '"failed"' in str(record).replace("'", '"') and "limit: " in str(record), record
        equal(statuses(many(g, "/api/books/1", 5, "grace")), {200: 5}, "of grace, who has not asked yet")
        equal(metric(g, 'gatewarden_limits_refused_total{scope="caller"}'), 7.0)


@test
def test_a_role_limits_each_of_its_callers():
    def change(c):
        c["roles"]["reader"]["limits"] = {"requests": "4/h"}
    with gate(change=change) as (g, _):
        answers = many(g, "/api/books/1", 8, "ada")
        equal(statuses(answers), {200: 4, 429: 4}, "a reader")
        assert "roles" in refusal(answers).error()["message"]
        equal(statuses(many(g, "/api/books/1", 8, "grace")), {200: 8}, "another role has no limit")


@test
def test_a_route_limits_all_and_each():
    routes = [{"path": "/each/*", "limits": {"caller": {"requests": "3/h"}}}, {"path": "/all/*", "limits": {"requests": "6/h"}},
              {"path": "/free/*"}]
    with gate(routes) as (g, _):
        for who, count in (("ada", 3), ("grace", 3), (None, 3)):
            equal(statuses(many(g, "/each/x", 6, who)), {200: count, 429: 6 - count}, f"of each: {who}")
        equal(statuses(many(g, "/all/x", 4, "ada")), {200: 4})
        answers = many(g, "/all/x", 4, "grace")
        equal(statuses(answers), {200: 2, 429: 2}, "what ada left")
        assert "this route" in refusal(answers).error()["message"]
        equal(statuses(many(g, "/free/x", 10)), {200: 10}, "a route without limits")


@test
def test_four_workers_hold_one_limit_together():
    routes = [{"path": "/app/*", "limits": {"requests": "50/h", "burst": 50}}]
    with gate(routes, workers=4) as (g, _):
        equal(statuses(many(g, "/app/x", 200, threads=16)), {200: 50, 429: 150})


@test
def test_no_more_run_at_a_time_than_may():
    routes = [{"path": "/app/*", "limits": {"concurrent": 5, "caller": {"concurrent": 3}}}]
    with gate(routes, workers=4) as (g, service), concurrent.futures.ThreadPoolExecutor(20) as pool:
        ada = [pool.submit(g.get, "/app/wait", "ada") for _ in range(8)]
        wait_until(lambda: sum(f.done() for f in ada) == 5 and service.inside == 3, what="three of ada's at work")
        grace = [pool.submit(g.get, "/app/wait", "grace") for _ in range(8)]
        wait_until(lambda: sum(f.done() for f in grace) == 6 and service.inside == 5, what="two of grace's at work")
        refused = [f.result() for f in ada + grace if f.done()]
        equal(statuses(refused), {429: 11})
        assert all("concurrent" in a.error()["message"] and a.headers["retry-after"] == "1" for a in refused)
        service.go.set()
        equal(statuses([f.result() for f in ada + grace]), {200: 5, 429: 11})
        equal(statuses(many(g, "/app/x", 20, "ada", threads=1)), {200: 20}, "afterwards all places are there again")


@test
def test_callers_who_go_away_leave_their_places():
    with gate([{"path": "/app/*", "limits": {"concurrent": 2}}]) as (g, service):
        for count in range(1, 6):
            gone = [g.connect() for _ in range(2)]
            for s in gone:
                s.sendall(b"GET /app/wait HTTP/1.1\r\nHost: localhost\r\n\r\n")
            wait_until(lambda: service.inside == 2 * count, what="both places to be taken")  # it does not see them go
            equal(g.get("/app/x").status, 429)
            for s in gone:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                s.close()
            wait_until(lambda: g.get("/app/x").status == 200, what="a place to be free again")
        service.go.set()


@test
def test_what_a_killed_worker_held_is_given_back():
    with gate([{"path": "/app/*", "limits": {"concurrent": 4}}], workers=2) as (g, service):
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(g.get, "/app/wait") for _ in range(4)]
            wait_until(lambda: service.inside == 4, what="all places to be taken")
            equal(g.get("/app/x").status, 429)
            before = g.children("@worker")
            for pid in before:
                os.kill(pid, signal.SIGKILL)
            for f in waiting:
                assert f.exception(30) is not None
        service.go.set()
        wait_until(lambda: g.is_ready() and not set(before) & set(g.children("@worker")), 30, "new workers")

        def is_let_in():
            with contextlib.suppress(OSError, http.client.HTTPException):
                return g.get("/app/x").status == 200
        wait_until(is_let_in, 30, "a place")
        service.go.clear()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            waiting = [pool.submit(g.get, "/app/wait") for _ in range(4)]
            wait_until(lambda: service.inside == 4, what="all four places to be taken once more")
            equal(g.get("/app/x").status, 429)
            service.go.set()
            equal(statuses([f.result() for f in waiting]), {200: 4})


@test
def test_bytes_come_as_fast_as_they_may_and_all_of_them():
    size = 3 << 19  # 1.5 MiB at 512 KiB a second, of which one second's worth may come at once: 2 s
    routes = [{"path": "/app/*", "limits": {"caller": {"bytes": "512KiB/s"}}}]
    with gate(routes) as (g, service):
        begin = time.monotonic()
        answer = g.get(f"/app/bytes/{size}", "ada", timeout=60)
        took = time.monotonic() - begin
        equal((answer.status, len(answer.body)), (200, size))
        equal(answer.body, pattern(size), "the body")
        assert took > 1.8, f"1.5 MiB came in {took:.2f} s"
        begin = time.monotonic()
        equal(g.get("/app/bytes/1000", "grace").status, 200)
        assert time.monotonic() - begin < took, "grace waits for ada"
        begin = time.monotonic()
        body = pattern(1 << 20)
        equal(g.request("POST", "/app/upload", "grace", body=body, timeout=60).status, 200)
        took = time.monotonic() - begin
        equal(service.uploads, [hashlib.sha256(body).hexdigest()])
        assert took > 0.8, f"1 MiB went in {took:.2f} s"


def h2load(g, path, *words):
    """-> how many answers were 2xx and 4xx."""
    if not shutil.which("h2load"):
        raise harness.Skip("no h2load")
    done = subprocess.run(["h2load", *words, g.url + path], capture_output=True, text=True, timeout=60, check=True)
    found = re.search(r"status codes: (\d+) 2xx, \d+ 3xx, (\d+) 4xx", done.stdout)
    return int(found[1]), int(found[2])


@test
def test_many_streams_of_few_connections_are_limited_alike():
    routes = [{"path": "/app/*", "limits": {"requests": "50/h"}}, {"path": "/held/*", "limits": {"concurrent": 5}}]
    with gate(routes, workers=4) as (g, service):
        equal(h2load(g, "/app/x", "-n", "200", "-c", "4", "-m", "10"), (50, 150))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            load = pool.submit(h2load, g, "/held/wait", "-n", "20", "-c", "2", "-m", "10")
            wait_until(lambda: service.inside == 5 and metric(g, 'gatewarden_limits_refused_total{scope="route"}') == 165,
                       what="five at work, and the others refused")
            service.go.set()
            equal(load.result(), (5, 15))
        equal(statuses(many(g, "/held/x", 20, threads=1)), {200: 20}, "afterwards")


@test
def test_who_floods_neither_slows_nor_refuses_another():
    routes = [{"path": "/app/*", "limits": {"requests": "2000/s", "caller": {"requests": "5/s", "burst": 5, "concurrent": 2}}}]

    def change(c):
        c["limits"] = {"caller": {"requests": "400/s"}}
    with gate(routes, workers=2, change=change) as (g, _):
        token, stop, flood = g.token("ada"), threading.Event(), collections.Counter()

        def run():
            c = http.client.HTTPConnection("127.0.0.1", g.http_port, timeout=30)
            while not stop.is_set():
                c.request("GET", "/app/x", headers={"Authorization": "Bearer " + token})
                r = c.getresponse()
                r.read()
                flood[r.status] += 1
        threads = [threading.Thread(target=run) for _ in range(3)]
        for t in threads:
            t.start()
        wait_until(lambda: flood[429] > 200, what="a flood")
        others = []
        for _ in range(12):  # within its own rate: nobody refuses it
            others.append(g.get("/app/x", "grace"))
            time.sleep(0.21)
        stop.set()
        for t in threads:
            t.join()
        equal(statuses(others), {200: 12}, "of grace, during the flood")
        assert flood[429] > 10 * flood[200], flood


@test
def test_who_waits_as_long_as_it_is_told_is_served():
    with gate([{"path": "/app/*", "limits": {"caller": {"requests": "30/min", "burst": 2}}}]) as (g, _):
        equal(statuses(many(g, "/app/x", 2, threads=1)), {200: 2})
        for _ in range(2):
            refused = g.get("/app/x")
            equal(refused.status, 429)
            seconds = int(refused.headers["retry-after"])
            assert 1 <= seconds <= 2, refused.headers
            time.sleep(seconds)
            equal(g.get("/app/x").status, 200, f"after {seconds} s")


@test
def test_a_route_that_only_observes_refuses_nobody_and_records_it():
    with gate([{"path": "/app/*", "observe": True, "limits": {"requests": "2/h"}}]) as (g, _):
        equal(statuses(many(g, "/app/x", 5)), {200: 5})
        records = wait_until(lambda: [r for r in g.records("limit: ")], what="records")
        equal(len(records), 3, "what would have been refused")
        assert all("observed" in str(r) for r in records), records[0]


@test
def test_behind_a_proxy_each_caller_is_told_apart():
    def change(c):
        c["listen"]["http"] = {"address": c["listen"]["http"], "proxies": ["127.0.0.1"]}
    with gate([{"path": "/app/*", "limits": {"caller": {"requests": "2/h"}}}], change=change) as (g, _):
        for address, count in (("192.0.2.1", 2), ("192.0.2.2", 2), ("2001:db8::1", 2), ("2001:db8::2", 0)):
            answers = many(g, "/app/x", 3, headers={"X-Forwarded-For": "6.6.6.6, " + address})
            equal(statuses(answers).get(200, 0), count, address)


@test
def test_a_reload_changes_a_limit_at_once():
    with gate([{"path": "/app/*", "limits": {"requests": "2/h"}}]) as (g, _):
        equal(statuses(many(g, "/app/x", 4)), {200: 2, 429: 2})
        g.config["routes"][0]["limits"] = {"requests": "6/h"}
        g.write_config()
        g.signal(signal.SIGHUP)
        wait_until(lambda: g.get("/app/x").status == 200, what="the new limit")
        equal(statuses(many(g, "/app/x", 8)), {200: 5, 429: 3}, "a full bucket of six, of which one is gone")


if __name__ == "__main__":
    main()

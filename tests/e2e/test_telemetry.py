#!/usr/bin/env python3
"""Traces, metrics, Server-Timing and the access log, judged by OpenTelemetry's own messages and by a service that
records what it is sent."""
import contextlib
import http.server
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time

import harness
from harness import Gateway, equal, main, test, wait_until

from front import Authority  # noqa: E402 - tests/peers
from collector import Collector, attributes_of  # noqa: E402 - tests/peers

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CANARY = "canary-in-the-query"
KEY = "key-of-the-collector-7f3a"


class Service(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", harness.free_port()), Recorder)
        self.seen = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Recorder(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self):
        self.server.seen.append((self.path, self.headers))
        time.sleep(0.02 if "/slow" in self.path else 0)
        self.send_response(404 if self.path.endswith("/nothing") else 200)
        self.send_header("Content-Length", "4")
        self.send_header("Server-Timing", "db;dur=1")
        self.end_headers()
        self.wfile.write(b"body")
        self.wfile.flush()

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def world(collector=None, change=None, **telemetry):
    """-> (gateway, service)"""
    service = Service()

    def configure(c):
        c["backends"]["app"] = {"type": "http", "url": f"http://127.0.0.1:{service.server_port}"}
        c["routes"] = [{"path": "/app/*", "backend": "app", "public": ["GET"], "allow": {"reader": "all"}}]
        if collector:
            c["telemetry"] = {"traces": collector.url + "/v1/traces", "metrics": collector.url + "/v1/metrics", "interval": "200ms",
                              "sample": "100%"}
        c.setdefault("telemetry", {}).update(telemetry)
        if change:
            change(c)
    g = Gateway(configure)
    try:
        yield g, service
        g.check_end()
        equal(collector.wrong if collector else [], [], "messages that are not OTLP")
    finally:
        g.kill()
        g.discard()
        service.shutdown()
        service.server_close()


def sent_to(service, path):
    return [h for p, h in service.seen if p == path][-1]


def metric(g, name):
    found = [line for line in g.admin("/metrics").body.decode().splitlines() if line.startswith(name + " ")]
    return float(found[0].rsplit(" ", 1)[1])


# Traces

@test
def test_a_request_is_one_span_and_below_it_that_of_the_service():
    collector = Collector()
    with world(collector) as (g, service):
        answer = g.get("/app/slow?q=" + CANARY, "ada", headers={
            "traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "foo=1, bar=2", "User-Agent": 'agent/1 "x"'})
        equal(answer.status, 200)
        server = wait_until(lambda: collector.span(url__path="/app/slow"), what="the span")[0]
        a = attributes_of(server)
        decision = a.pop("gatewarden.decision")
        equal(a, {"http.request.method": "GET", "http.response.status_code": 200, "url.path": "/app/slow", "http.route": "/app/*",
                  "server.address": "127.0.0.1", "server.port": g.http_port, "client.address": "127.0.0.1",
                  "user_agent.original": 'agent/1 "x"', "network.protocol.version": "1.1", "gatewarden.outcome": "allowed",
                  "gatewarden.rule": "routes./app/*.public"})
        equal((server.trace_id.hex(), server.parent_span_id.hex(), server.name, server.kind), (TRACE, SPAN, "GET /app/*", 2))
        client = next(s for s in collector.spans() if s.parent_span_id == server.span_id)
        equal((client.trace_id, client.name, client.kind), (server.trace_id, "GET", 3))
        equal(attributes_of(client), {"http.request.method": "GET", "http.response.status_code": 200, "server.address": "127.0.0.1",
                                      "server.port": service.server_port, "gatewarden.backend": "app"})
        now = time.time_ns()
        assert now - 60e9 < server.start_time_unix_nano <= client.start_time_unix_nano <= client.end_time_unix_nano \
            <= server.end_time_unix_nano <= now, (server, client)
        assert client.end_time_unix_nano - client.start_time_unix_nano >= 20e6
        # The service continues below the span of ours that stands for it, and the record names the trace.
        h = sent_to(service, "/app/slow?q=" + CANARY)
        equal(h.get_all("traceparent"), [f"00-{TRACE}-{client.span_id.hex()}-01"])
        equal(h.get_all("tracestate"), ["foo=1,bar=2"])
        assert TRACE in str(g.record_of(decision)[0])
        assert CANARY not in str(collector.traces) and g.token("ada") not in str(collector.traces)
        equal(collector.traces[0].resource_spans[0].resource.attributes[0].value.string_value, "gatewarden")


@test
def test_the_resource_names_this_service_and_stays_the_same():
    collector = Collector()
    with world(collector, service_name="shop <gate>") as (g, _):
        wait_until(lambda: len(collector.metrics) >= 2, what="metrics")
        for pid in g.children("@fetcher"):
            os.kill(pid, signal.SIGKILL)
        seen = len(collector.metrics)
        wait_until(lambda: len(collector.metrics) >= seen + 2, 20, "metrics of the next fetcher")
        resources = [attributes_of(m.resource_metrics[0].resource) for m in collector.metrics]
        assert all(r == resources[0] for r in resources), resources
        equal(resources[0]["service.name"], "shop <gate>")
        assert re.fullmatch(r"\d+\.\d+\.\d+", resources[0]["service.version"]), resources[0]
        assert re.fullmatch("[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", resources[0]["service.instance.id"])


@test
def test_denials_errors_and_our_own_endpoints_have_spans_too():
    collector = Collector()
    with world(collector) as (g, service):
        equal(g.request("DELETE", "/app/x").status, 401)
        equal(g.get("/app/nothing").status, 404)
        equal(g.get("/api/books/1", "ada").status, 200)
        equal(g.get("/nowhere").status, 401)
        denied = wait_until(lambda: collector.span(http__request__method="DELETE"), what="the span of a denial")[0]
        equal((attributes_of(denied)["gatewarden.outcome"], attributes_of(denied)["http.response.status_code"]), ("denied", 401))
        equal(denied.status.code, 0, "a denial is no error of a server")
        missing = wait_until(lambda: collector.span(url__path="/app/nothing"), what="the span of a 404")[0]
        child = next(s for s in collector.spans() if s.parent_span_id == missing.span_id)
        equal((missing.status.code, child.status.code), (0, 2), "what a client is told is an error of the client")
        wait_until(lambda: collector.span(http__route="/api"), what="the span of data")
        wait_until(lambda: collector.span(url__path="/nowhere"), what="the span of nothing")
        service.shutdown()
        service.server_close()
        status = wait_until(lambda: (lambda s: s if s >= 500 else 0)(g.get("/app/gone").status), what="the service to be gone")
        lost = wait_until(lambda: collector.span(url__path="/app/gone", http__response__status_code=status), what="its span")[0]
        equal(lost.status.code, 2)
        g.admin("/healthz")
        time.sleep(1.5)
        equal(collector.span(url__path="/healthz"), [], "spans of the admin listener")


@test
def test_a_caller_decides_on_its_own_trace_and_the_share_on_others():
    collector = Collector()
    with world(collector, sample="0%") as (g, service):
        g.get("/app/a")
        g.get("/app/b", headers={"traceparent": f"00-{TRACE}-{SPAN}-00"})
        g.get("/app/c", headers={"traceparent": f"00-{TRACE}-{SPAN}-01"})
        wait_until(lambda: collector.span(url__path="/app/c"), what="the span that was asked for")
        equal({attributes_of(s).get("url.path") for s in collector.spans()} - {None}, {"/app/c"})
        assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", sent_to(service, "/app/a")["traceparent"])
        assert sent_to(service, "/app/b")["traceparent"].startswith(f"00-{TRACE}-")
        assert sent_to(service, "/app/b")["traceparent"].endswith("-00")


@test
def test_what_is_no_traceparent_goes_no_further():
    with world() as (g, service):
        for i, bad in enumerate(["", "zz", f"00-{TRACE}-{SPAN}", f"ff-{TRACE}-{SPAN}-01", f"00-{'0' * 32}-{SPAN}-01",
                                 f"00-{TRACE}-{'0' * 16}-01", f"00-{TRACE.upper()}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01-more"]):
            equal(g.get(f"/app/{i}", headers={"traceparent": bad, "tracestate": "foo=1"}).status, 200)
            h = sent_to(service, f"/app/{i}")
            assert re.fullmatch("00-[0-9a-f]{32}-[0-9a-f]{16}-00", h["traceparent"]) and TRACE not in h["traceparent"], (bad, h)
            equal(h.get_all("tracestate"), None, bad)
        g.raw(f"GET /app/twice HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\ntraceparent: 00-{TRACE}-{SPAN}-01\r\n"
              f"traceparent: 00-{TRACE}-{SPAN}-01\r\n\r\n".encode())
        equal(len(sent_to(service, "/app/twice").get_all("traceparent")), 1)
        assert TRACE not in sent_to(service, "/app/twice")["traceparent"]
        g.get("/app/named", headers={"traceparent": f"00-{TRACE}-{SPAN}-01", "Connection": "close, traceparent"})
        assert sent_to(service, "/app/named")["traceparent"].startswith(f"00-{TRACE}-"), "ours cannot be named away"


# Metrics

def points(message, name):
    metrics = [m for r in message.resource_metrics for s in r.scope_metrics for m in s.metrics if m.name == name]
    equal(len(metrics), 1, name)
    data = getattr(metrics[0], metrics[0].WhichOneof("data"))
    return metrics[0], data


@test
def test_metrics_are_those_that_prometheus_reads():
    collector = Collector()
    with world(collector) as (g, _):
        for _ in range(7):
            g.get("/app/x")

        def is_told():
            m = collector.metrics and points(collector.metrics[-1], "gatewarden.route_requests")[1]
            return m and sum(p.as_int for p in m.data_points) == 7
        wait_until(is_told, what="the requests to be told")
        last = collector.metrics[-1]
        _, sums = points(last, "gatewarden.route_requests")
        equal((sums.is_monotonic, sums.aggregation_temporality), (True, 2))
        two = next(p for p in sums.data_points if attributes_of(p) == {"route": "/app/*", "status": "2xx"})
        equal(two.as_int, 7)
        begin = two.start_time_unix_nano
        assert time.time_ns() - 120e9 < begin < two.time_unix_nano <= time.time_ns()
        metric_of, histogram = points(last, "gatewarden.service_duration")
        equal(metric_of.unit, "s")
        p = histogram.data_points[0]
        equal((p.count, sum(p.bucket_counts), len(p.bucket_counts), len(p.explicit_bounds)), (7, 7, 16, 15))
        assert p.sum > 0 and list(p.explicit_bounds) == sorted(p.explicit_bounds) and p.explicit_bounds[0] == 5e-05
        equal(attributes_of(p), {"backend": "app"})
        gauge, data = points(last, "gatewarden.workers_ready")
        equal((gauge.WhichOneof("data"), data.data_points[0].as_int), ("gauge", 2))
        told = {m.name for r in last.resource_metrics for s in r.scope_metrics for m in s.metrics}
        text = g.admin("/metrics").body.decode()
        read = set(re.findall(r"^# TYPE (\S+) ", text, re.M))
        equal(len(told), len(read), "families")
        equal(metric(g, 'gatewarden_route_requests_total{route="/app/*",status="2xx"}'), 7.0)
        equal(metric(g, 'gatewarden_service_duration_seconds_count{backend="app"}'), 7.0)


# A collector that does not do what it should

@test
def test_what_a_busy_collector_refuses_is_sent_again():
    collector = Collector()
    collector.answers = [(429, {"Retry-After": "1"}, b""), (503, {}, b""), (502, {"Retry-After": "1"}, b"x" * 1000)]
    with world(collector) as (g, _):
        begin = time.monotonic()
        g.get("/app/kept")
        wait_until(lambda: collector.span(url__path="/app/kept"), 30, "the span")
        assert time.monotonic() - begin > 2, "Retry-After was not obeyed"
        equal(len(collector.span(url__path="/app/kept")), 1, "sent once")
        equal(metric(g, "gatewarden_spans_dropped_total"), 0.0)
        equal(len([line for line in g.log if "collector does not take" in line and "spans" in line]), 1, "said once")


@test
def test_what_a_collector_refuses_for_good_is_dropped_and_counted():
    collector = Collector()
    collector.answers = [(400, {}, b"{}"), (307, {"Location": "http://127.0.0.1:1/"}, b""),
                         (200, {}, json.dumps({"partialSuccess": {"rejectedSpans": "1"}}).encode()),
                         (200, {}, json.dumps({"partialSuccess": {"rejectedSpans": str((1 << 64) - 1)}}).encode())]
    with world(collector) as (g, _):
        for path, dropped in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0)):  # no more than there were
            g.get("/app/" + path)
            wait_until(lambda: metric(g, "gatewarden_spans_dropped_total") == dropped, what=f"{dropped} dropped")
        equal(sorted(attributes_of(s)["url.path"] for s in collector.spans() if s.kind == 2), ["/app/c", "/app/d"])


@test
def test_nobody_waits_for_a_collector_that_is_away_or_stands_still():
    silent = socket.create_server(("127.0.0.1", 0))  # accepts, and says nothing
    for port in (harness.free_port(), silent.getsockname()[1]):
        url = f"http://127.0.0.1:{port}"
        with world(traces=url + "/v1/traces", metrics=url + "/v1/metrics", interval="200ms", sample="100%") as (g, _):
            begin = time.monotonic()
            for _ in range(200):
                equal(g.get("/app/x").status, 200)
            assert time.monotonic() - begin < 30
            equal(g.stop(), 0)
    silent.close()


@test
def test_a_collector_that_comes_back_gets_what_waited():
    port = harness.free_port()
    url = f"http://127.0.0.1:{port}"
    with world(traces=url + "/v1/traces", interval="200ms", sample="100%") as (g, _):
        g.get("/app/early")
        wait_until(lambda: any("collector does not take" in line for line in g.log), what="the failure to be said")
        collector = Collector(port)
        wait_until(lambda: collector.span(url__path="/app/early"), 30, "the span that waited")
        wait_until(lambda: any("takes what we tell again" in line for line in g.log), what="that it is back")
        equal(collector.wrong, [])


@test
def test_a_thousand_requests_are_all_told_in_few_messages():
    collector = Collector()
    with world(collector) as (g, _):
        with g.connect() as s:
            for _ in range(1200):
                s.sendall(b"GET /docs HTTP/1.1\r\nHost: localhost\r\n\r\n")
                read_one(s)
        wait_until(lambda: len(collector.span(http__route="/docs")) == 1200, 30, "all spans")
        assert len([p for p, _ in collector.requests if p == "/v1/traces"]) < 60
        equal(len({s.span_id for s in collector.spans()}), len(collector.spans()))


def read_one(s):
    data = b""
    while b"\r\n\r\n" not in data:
        data += s.recv(65536)
    head, _, rest = data.partition(b"\r\n\r\n")
    left = int(re.search(rb"content-length: (\d+)", head, re.I)[1]) - len(rest)
    while left > 0:
        left -= len(s.recv(left))


@test
def test_a_reload_begins_and_ends_telling_and_nothing_is_lost():
    collector = Collector()
    with world() as (g, _):
        equal(g.children("@fetcher"), [])
        told = {"traces": collector.url + "/v1/traces", "interval": "1h", "sample": "100%"}

        def reload(settings):
            g.config["telemetry"] = settings
            g.write_config()
            workers = g.children("@worker")
            g.signal(signal.SIGHUP)
            wait_until(lambda: not set(workers) & set(g.children("@worker")), 30, "the next generation")
        reload(told)
        g.get("/app/begun")
        reload({**told, "service_name": "other"})  # what the workers before had gathered left when they ended
        wait_until(lambda: collector.span(url__path="/app/begun"), 20, "the span of the generation that ended")
        reload({})
        g.get("/app/untold")
        time.sleep(1.5)
        equal(collector.span(url__path="/app/untold"), [])
        equal(collector.wrong, [])


@test
def test_the_collectors_key_goes_to_the_collector_alone():
    collector = Collector()

    def change(c):
        c["telemetry"]["headers"] = {"file": "headers.txt"}
    with world(collector, change=lambda c: None) as (g, service):
        (g.folder / "headers.txt").write_text(f"Authorization: Bearer {KEY}\r\nX-Tenant: shop\n")
        g.secrets.add(KEY)
        change(g.config)
        g.write_config()
        g.signal(signal.SIGHUP)
        def with_key():
            return [p for p, h in collector.requests if h.get("Authorization") == f"Bearer {KEY}" and h.get("X-Tenant") == "shop"]
        wait_until(lambda: "/v1/metrics" in with_key(), 30, "metrics with the key")
        g.get("/app/x")
        wait_until(lambda: "/v1/traces" in with_key(), 30, "traces with the key")
        assert KEY not in str([(p, h.items()) for p, h in service.seen])


# Server-Timing

@test
def test_server_timing_is_told_where_it_is_wanted():
    with world(server_timing=True) as (g, _):
        values = g.get("/app/slow").headers
        timing = values["server-timing"] if isinstance(values, dict) else values
        response = raw_timing(g, "/app/slow", "ada")
        equal(response[0], "db;dur=1", "of the service")
        match = re.fullmatch(r"identify;dur=(\d+\.\d{3}), decide;dur=(\d+\.\d{3}), record;dur=(\d+\.\d{3}), "
                             r"service;dur=(\d+\.\d{3}), total;dur=(\d+\.\d{3})", response[1])
        assert match, response
        times = [float(x) for x in match.groups()]
        assert times[3] >= 20 and times[4] >= sum(times[:4]) - 0.01, times
        assert "identify;dur=" in timing or "db;dur" in timing
        assert re.fullmatch(r"identify;dur=\d+\.\d{3}, total;dur=\d+\.\d{3}|.*total;dur=\d+\.\d{3}", raw_timing(g, "/api/books/1")[0])
    with world() as (g, _):
        equal(raw_timing(g, "/app/x"), ["db;dur=1"], "off")
        equal(raw_timing(g, "/api/books/1", "ada"), [], "off")


def raw_timing(g, path, user=None):
    token = f"Authorization: Bearer {g.token(user)}\r\n" if user else ""
    answers, _, data = g.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{token}\r\n".encode())
    assert answers, data
    return re.findall(r"(?i)^server-timing: (.*?)\r?$", data.decode("latin-1"), re.M)


# The access log

def lines_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@test
def test_each_request_is_one_line_without_secrets():
    with world(access_log="access.log") as (g, service):
        path = g.folder / "access.log"
        token = g.token("ada")
        g.request("GET", "/app/x?token=" + CANARY, "ada", headers={"traceparent": f"00-{TRACE}-{SPAN}-01", "Cookie": "c=" + CANARY,
                                                                 "User-Agent": 'a"b\\c<' + "u" * 300})
        g.get("/api/books/1?$select=" + CANARY, token[:-4] + "AAAA")
        g.get("/%22%0d?" + CANARY)
        g.admin("/healthz")
        wait_until(lambda: len(lines_of(path)) == 4, what="four lines: a login, and these")
        text = path.read_text()
        for secret in (CANARY, token.rsplit(".", 1)[1], token, g.passwords["ada"]):
            assert secret not in text, secret
        one = next(x for x in lines_of(path) if x.get("route") == "/app/*")
        assert 0 <= one.pop("duration_ms") < 10000 and 0 <= one.pop("service_ms") < 10000
        assert abs(time.time() - time.mktime(time.strptime(one["time"][:19], "%Y-%m-%dT%H:%M:%S")) + time.timezone) < 60
        record = g.record_of(one.pop("decision"))[0]
        assert TRACE in str(record) and one["subject"] in str(record)
        one.pop("time")
        one.pop("subject")
        equal(one, {"trace": TRACE, "client": "127.0.0.1", "method": "GET", "route": "/app/*", "path": "/app/x", "status": 200,
                    "received": 0, "sent": 4, "origin": f"127.0.0.1:{service.server_port}", "issuer": "local",
                    "user_agent": 'a"b\\c<' + "u" * 194, "http": "1.1"})
        equal([x["status"] for x in lines_of(path) if x.get("route") == "/api"], [401])
        equal([x["path"] for x in lines_of(path) if x["path"].startswith("/%")], ["/%22%0d"])
        equal(stat.S_IMODE(path.stat().st_mode), 0o640)


@test
def test_the_kind_of_connection_is_told():
    if not shutil.which("curl"):
        raise harness.Skip("no curl")
    with tempfile.TemporaryDirectory() as folder:
        authority = Authority(folder)
        certificate, key = authority.certificate("local")

        def change(c):
            c["listen"]["http"] = {"address": c["listen"]["http"], "tls": {"certificate": str(certificate), "key": str(key)}}
        with world(access_log="access.log", change=change) as (g, _):
            for flag in ("--http1.1", "--http2"):
                for tls in ("1.2", "1.3"):
                    subprocess.run(["curl", "-sS", "-o", os.devnull, flag, "--tls-max", tls, "--cacert", authority.file,
                                    f"https://localhost:{g.http_port}/app/{flag}{tls}"], check=True, timeout=30)
            wait_until(lambda: len(lines_of(g.folder / "access.log")) == 4, what="four lines")
            equal({x["path"]: (x["http"], x["tls"]) for x in lines_of(g.folder / "access.log")},
                  {"/app/--http1.11.2": ("1.1", "1.2"), "/app/--http1.11.3": ("1.1", "1.3"),
                   "/app/--http21.2": ("2", "1.2"), "/app/--http21.3": ("2", "1.3")})
            equal(metric(g, "gatewarden_http2_streams_total"), 2.0)
            equal(metric(g, "gatewarden_tls_handshakes_total"), 4.0)


@test
def test_what_is_no_request_has_a_line_too():
    with world(access_log="access.log") as (g, _):
        for bad in (b"GET / HTTP/1.1\r\n" + CANARY.encode() + b"\r\n\r\n", b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n"):
            g.raw(bad)
        wait_until(lambda: len(lines_of(g.folder / "access.log")) == 2, what="two lines")
        equal([(x["status"], x["client"]) for x in lines_of(g.folder / "access.log")], [(400, "127.0.0.1"), (414, "127.0.0.1")])
        assert all(x["refused"] for x in lines_of(g.folder / "access.log"))
        assert CANARY not in (g.folder / "access.log").read_text()


@test
def test_a_long_request_has_a_line_that_is_not():
    with world(access_log="access.log") as (g, _):
        path, agent = "/app/" + "<" * 3000, '"' * 5000
        answers, _, _ = g.raw(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n".encode())
        equal([a.status for a in answers], [200])
        line = wait_until(lambda: lines_of(g.folder / "access.log"), what="the line")[0]
        assert path.startswith(line["path"]) and len(line["path"]) >= 64 and agent.startswith(line["user_agent"]), line
        assert len((g.folder / "access.log").read_bytes()) <= 4096


@test
def test_bytes_of_both_bodies_are_counted():
    with world(access_log="access.log") as (g, _):
        book = {"id": 900001, "title": "T" * 5000, "author_id": 1, "published": True}
        g.request("POST", "/api/books", "grace", body=book)
        line = wait_until(lambda: [x for x in lines_of(g.folder / "access.log") if x["path"] == "/api/books"], what="the line")[0]
        equal(line["received"], len(json.dumps(book)))


@test
def test_a_moved_log_is_written_anew_after_a_reload():
    with world(access_log="access.log") as (g, _):
        path, moved = g.folder / "access.log", g.folder / "access.log.1"
        g.get("/app/before")
        wait_until(lambda: lines_of(path), what="the first line")
        path.rename(moved)
        g.signal(signal.SIGHUP)
        wait_until(path.exists, 30, "the new file")
        asked = 1

        def is_written():  # the workers before may still answer, and write to the moved one
            nonlocal asked
            asked += 1
            equal(g.get("/app/after").status, 200)
            return lines_of(path)
        wait_until(is_written, what="a line in the new file")
        wait_until(lambda: len(lines_of(path) + lines_of(moved)) == asked, what="all lines, in either")


@test
def test_a_log_that_cannot_be_written_is_said_before_anything_starts():
    g = Gateway(lambda c: c.update(telemetry={"access_log": "nowhere/access.log"}), start=False)
    g.launch()
    equal(g.process.wait(30), 2)
    wait_until(lambda: any("access log cannot be opened" in line for line in g.log), what="the reason")
    g.was_stopped = True
    g.discard()


@test
def test_standard_output_takes_lines_of_all_workers_whole():
    with world(access_log="output", change=lambda c: c.update(workers=3)) as (g, _):
        for i in range(60):
            g.get(f"/app/{i}")

        def lines():
            return [json.loads(x) for x in g.log if x.startswith("{")]
        wait_until(lambda: len(lines()) == 60, what="sixty lines")
        equal({x["path"] for x in lines()}, {f"/app/{i}" for i in range(60)})


@test
def test_what_was_gathered_is_written_at_the_end():
    with world(access_log="access.log") as (g, _):
        g.get("/app/last")
        path = g.folder / "access.log"
        equal(g.stop(), 0)
        equal([x["path"] for x in lines_of(path)], ["/app/last"])


@test
def test_a_full_disk_drops_lines_and_holds_up_nobody():
    with world(access_log="/dev/full") as (g, _):
        for i in range(30):
            equal(g.get(f"/app/{i}").status, 200)
        wait_until(lambda: metric(g, "gatewarden_access_log_lines_dropped_total") == 30.0, what="thirty lines dropped")


if __name__ == "__main__":
    main()

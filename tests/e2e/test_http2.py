#!/usr/bin/env python3
"""HTTP/2 without TLS, met by curl, httpx and a client that sends frames nobody should."""
import contextlib
import json
import signal
import socket
import sqlite3
import struct
import subprocess
import threading
import time

import hpack
import httpx

from harness import Gateway, equal, main, shared, test, wait_until
from h2peer import (ACK, CALM, CONTINUATION, DATA, END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, HEADERS, NO_ERROR, PADDED, PING, PREFACE,
                    PRIORITY, PROTOCOL_ERROR, RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, Peer, frame, literal)
from recorder import Recorder, ok

service, slow = Recorder(), Recorder()
slow.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)  # of what it accepts


def change(config):
    config["workers"] = 1
    config["limits"] = {"head_timeout": "2s", "idle_timeout": "3s", "write_timeout": "3s", "body_rate": "1KiB"}
    config["backends"]["app"] = {"type": "http", "url": service.url, "response_timeout": "10s", "protocol": "http1"}
    config["backends"]["slow"] = {"type": "http", "url": slow.url, "response_timeout": "30s", "protocol": "http1"}
    config["resources"]["big"] = {"backend": "books", "table": "big", "page_max": 2000, "allow": {"reader": ["read"]}}
    config["routes"] = [{"path": "/app/*", "backend": "app", "allow": {"reader": "all"}, "body": "1GiB"},
                        {"path": "/slow/*", "backend": "slow", "public": ["POST"], "body": "1GiB"},
                        {"path": "/open/*", "backend": "app", "public": ["GET", "POST"], "allow": {"reader": "all"}}]


def before(folder):
    with contextlib.closing(sqlite3.connect(folder / "data/books.db")) as db:
        db.execute("create table big (id integer primary key, t text)")
        db.executemany("insert into big values (?, ?)", ((i, "x" * 1000) for i in range(2000)))
        db.commit()


def gateway():
    return shared(change=change, before=before)


def peer(**more):
    return Peer(gateway().http_port, **more)


def fresh(answer=ok):
    service.forget()
    service.answer = answer


def others_are_served():
    with peer() as p:
        equal(p.ask("GET", "/me", token=gateway().token("ada")).status, 200)


def curl(*words):
    done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-m", "20", *words], capture_output=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr.decode()


# Real clients

@test
def test_curl_reads_what_it_reads_over_http_1():
    token = gateway().token("ada")
    for path in ("/api/books?$first=3", "/me", "/openapi.json", "/nothing", "/api/books/1"):
        code, body, error = curl("-H", f"Authorization: Bearer {token}", gateway().url + path)
        equal((code, error), (0, ""))
        first, second = gateway().get(path, "ada").json(), json.loads(body)
        for body in (first, second, first.get("error", {}), second.get("error", {})):
            for varies in ("nextLink", "expires", "decision"):
                body.pop(varies, None)
        equal(second, first, path)


@test
def test_curl_logs_in_with_a_form():
    code, body, error = curl("-d", f"grant_type=password&username=ada&password={gateway().passwords['ada']}", gateway().url + "/token")
    equal((code, error), (0, ""))
    gateway().keep_secrets(json.loads(body))
    assert json.loads(body)["access_token"]


@test
def test_httpx_sends_many_requests_over_one_connection():
    with httpx.Client(http1=False, http2=True, base_url=gateway().url, headers={"Authorization": f"Bearer {gateway().token('ada')}"}) as client:
        for i in range(40):
            answer = client.get(f"/api/books/{i + 1}")
            assert answer.http_version == "HTTP/2" and answer.status_code in (200, 404), answer
        equal(client.post("/api/books", json={"id": 1}).status_code, 403)
        equal(client.head("/openapi.json").status_code, 200)


@test
def test_h2load_gets_every_answer():
    done = subprocess.run(["h2load", "-n", "2000", "-c", "5", "-m", "40", "-H", f"Authorization: Bearer {gateway().token('ada')}",
                           gateway().url + "/me"], capture_output=True, text=True, check=False, timeout=120)
    assert "2000 succeeded, 0 failed, 0 errored" in done.stdout and "2000 2xx" in done.stdout, done.stdout + done.stderr


# Requests and answers

@test
def test_a_hundred_streams_are_at_work_at_once():
    with peer() as p:
        token = gateway().token("ada")
        streams = [p.open("GET", f"/api/books/{i + 1}", token=token) for i in range(100)]
        for stream in streams:
            assert p.finish(stream).status in (200, 404), p.of(stream).heads
        equal(p.settings[3], 100)
        equal(p.goaway, None)


@test
def test_answers_may_come_in_another_order():
    waits = threading.Event()

    def answer(connection, request):
        if request.target.endswith("slow"):
            waits.wait(20)
        ok(connection, request)
    fresh(answer)
    with peer() as p:
        slow, fast = p.open("GET", "/open/slow"), p.open("GET", "/open/fast")
        equal((p.finish(fast).status, p.of(fast).body), (200, b"hello"))
        assert not p.of(slow).heads
        waits.set()
        equal((p.finish(slow).status, p.of(slow).body), (200, b"hello"))


@test
def test_answers_without_a_body_end_with_their_head():
    with peer() as p:
        answer = p.ask("HEAD", "/openapi.json")
        assert answer.status == 200 and int(answer.field("content-length")) > 100 and answer.body == b"", answer.heads
        etag = p.ask("GET", "/docs/docs.css").field("etag")
        if etag:
            answer = p.ask("GET", "/docs/docs.css", fields=[("if-none-match", etag)])
            equal((answer.status, answer.body), (304, b""))


@test
def test_a_list_leaves_in_parts_as_the_client_reads():
    """The window is smaller than a part: each is waited for."""
    with peer(window=1000) as p:
        p.update(0, 1 << 24)
        stream = p.open("GET", "/api/big?$first=2000", token=gateway().token("ada"))
        p.until(lambda: len(p.of(stream).body) == 1000)
        while p.receive(0.3):
            pass
        equal(len(p.of(stream).body), 1000)
        while not p.of(stream).ended:
            got = len(p.of(stream).body)
            p.update(stream, 40000)
            p.until(lambda: p.of(stream).ended or len(p.of(stream).body) > got)
        equal(p.of(stream).field("content-length"), None)
        equal(len(json.loads(p.of(stream).body)["value"]), 2000)


@test
def test_case_of_a_cookie_in_crumbs_is_one_field():
    fresh()
    with peer() as p:
        equal(p.ask("GET", "/open/x", fields=[("cookie", "a=1"), ("cookie", "b=2"), ("x", "y"), ("cookie", "c=3")]).status, 200)
    equal(service.last().all("cookie"), ["a=1; b=2; c=3"])


@test
def test_a_body_is_streamed_to_a_service_with_its_trailers():
    fresh()
    with peer() as p:
        stream = p.open("POST", "/open/x", end=False)
        for _ in range(3):
            p.data(stream, b"0123456789")
        p.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, p.encoder.encode([("x-sum", "30"), ("authorization", "Bearer x"), ("x-gatewarden-user", "eve")])))
        equal(p.finish(stream).status, 200)
    request = service.last()
    equal(request.body, b"0123456789" * 3)
    equal(request.trailers, ["x-sum: 30"])


@test
def test_trailers_of_a_service_come_behind_its_body():
    def answer(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 5\r\n\r\n")
    fresh(answer)
    with peer() as p:
        answer = p.ask("GET", "/open/x")
        equal((answer.status, answer.body), (200, b"hello"))
        equal(answer.heads[-1], [("x-sum", "5")])


@test
def test_early_hints_come_before_the_answer():
    waits = threading.Event()

    def answer(connection, request):
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        waits.wait(20)
        ok(connection, request)
    fresh(answer)
    with peer() as p:
        stream = p.open("GET", "/open/x")
        p.until(lambda: p.of(stream).heads)
        equal((p.of(stream).status, p.of(stream).field("link")), (103, "</a.css>; rel=preload"))
        waits.set()
        p.finish(stream)
        equal(dict(p.of(stream).heads[1])[":status"], "200")


@test
def test_expect_is_answered_before_the_body():
    with peer() as p:
        stream = p.open("POST", "/token", end=False, fields=[("expect", "100-continue"), ("content-type", "application/x-www-form-urlencoded")])
        p.until(lambda: p.of(stream).heads)
        equal(p.of(stream).status, 100)
        p.data(stream, b"grant_type=x", end=True)
        p.until(lambda: len(p.of(stream).heads) == 2)


@test
def test_a_large_body_goes_up_in_constant_memory():
    size = 0

    def answer(connection, request):
        nonlocal size
        while size < int(request.get("content-length")):
            size += len(connection.received) - connection.at
            connection.received, connection.at = b"", 0
            if size < int(request.get("content-length")) and not connection.more():
                break
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    fresh(answer)
    source = gateway().folder / "big"
    with source.open("wb") as file:
        file.truncate(64 << 20)
    worker = gateway().children("worker")[0]
    before = resident(worker)
    code, _, error = curl("-H", f"Authorization: Bearer {gateway().token('ada')}", "-T", str(source), gateway().url + "/app/up")
    equal((code, error, size), (0, "", 64 << 20))
    assert resident(worker) < before + (24 << 20), (before, resident(worker))


def resident(pid):
    for line in open(f"/proc/{pid}/status", encoding="ascii"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10
    raise AssertionError("no memory")


@test
def test_a_large_body_comes_down():
    def answer(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 33554432\r\n\r\n")
        for _ in range(512):
            connection.send(b"x" * 65536)
    fresh(answer)
    code, body, error = curl(gateway().url + "/open/down")
    equal((code, error, len(body)), (0, "", 32 << 20))


# Flow control

@test
def test_a_service_that_does_not_read_closes_the_window():
    reads = threading.Event()

    def answer(connection, request):
        reads.wait(30)
        connection.body(request)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    slow.answer = answer
    with peer() as p:
        stream = p.open("POST", "/slow/x", end=False, fields=[("content-length", str(16 << 20))])
        p.until(lambda: p.settings is not None)
        sent, window, whole, pause = 0, lambda: p.settings[4] + p.updates.get(stream, 0), 65535, b"x" * 16384
        connection_window = lambda: whole + p.updates.get(0, 0)  # noqa: E731

        def pump():
            nonlocal sent
            while sent + 16384 <= min(window(), connection_window(), 16 << 20):
                p.data(stream, pause)
                sent += 16384
        for _ in range(100):
            pump()
            if not p.receive(0.2):
                break
        # What is under way: the windows, what waits for the service, and the sockets' own buffers.
        assert sent < 12 << 20, sent
        with contextlib.closing(peer()) as other:
            equal(other.ask("GET", "/openapi.json").status, 200)
        reads.set()
        while sent < 16 << 20:
            pump()
            if sent < 16 << 20:
                p.until(lambda: window() >= sent + 16384 and connection_window() >= sent + 16384)
        p.data(stream, b"", end=True)
        equal(p.finish(stream).status, 200)


@test
def test_a_client_that_does_not_read_loses_its_stream_only():
    with peer(window=0) as p:
        stream = p.open("GET", "/openapi.json")
        p.until(lambda: p.of(stream).heads)
        equal(p.ask("HEAD", "/openapi.json").status, 200)
        p.until(lambda: p.of(stream).reset is not None)
        equal(p.of(stream).body, b"")


@test
def test_window_updates_that_overflow_are_an_error():
    with peer() as p:
        p.update(0, 0x7fffffff)
        equal(p.fate(), FLOW_CONTROL_ERROR)


# Case 53 and 54: streams that are given up

@test
def test_53_rapid_reset_is_calmed():
    with peer() as p:
        token = gateway().token("ada")
        block = p.encoder.encode(p.head("GET", "/api/books?$first=100", token=token))
        p.open_block(block)
        block = p.encoder.encode(p.head("GET", "/api/books?$first=100", token=token))
        for _ in range(600):
            stream = p.open_block(block)
            if not p.send(frame(RST_STREAM, 0, stream, struct.pack(">I", 8))):
                break
        equal(p.fate(), CALM)
    others_are_served()


@test
def test_53_a_few_cancelled_requests_are_nothing():
    with peer() as p:
        for _ in range(50):
            stream = p.open("GET", "/openapi.json")
            p.send(frame(RST_STREAM, 0, stream, struct.pack(">I", 8)))
        equal(p.ask("GET", "/openapi.json").status, 200)


@test
def test_54_streams_that_we_are_made_to_reset_are_counted():
    """Each request is fine; then a window that overflows makes us reset its stream."""
    waits = threading.Event()

    def answer(connection, request):
        waits.wait(20)
    fresh(answer)
    with peer() as p:
        block = p.encoder.encode(p.head("GET", "/open/slow"))
        p.open_block(block)
        block = p.encoder.encode(p.head("GET", "/open/slow"))
        for _ in range(600):
            stream = p.open_block(block)
            if not p.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0x7fffffff))):
                break
        equal(p.fate(), CALM)
    assert len(service.requests) <= 100, len(service.requests)
    others_are_served()
    waits.set()
    others_are_served()


# Case 55: header blocks

@test
def test_55_a_flood_of_continuation_is_calmed():
    with peer() as p:
        p.send(frame(HEADERS, 0, 1, literal((":method", "GET"))))
        for i in range(200000):
            if not p.send(frame(CONTINUATION, 0, 1, literal((f"x{i}", "y")))):
                break
        equal(p.fate(), CALM)
    others_are_served()


@test
def test_55_empty_continuations_are_calmed():
    with peer() as p:
        p.send(frame(HEADERS, 0, 1, b""))
        for _ in range(100):
            p.send(frame(CONTINUATION, 0, 1))
        equal(p.fate(), CALM)


@test
def test_55_a_head_in_a_few_pieces_is_read():
    with peer() as p:
        block = p.encoder.encode(p.head("GET", "/openapi.json"))
        p.send(frame(HEADERS, END_STREAM, 1, block[:3]) + frame(CONTINUATION, 0, 1, block[3:9]) + frame(CONTINUATION, END_HEADERS, 1, block[9:]))
        equal(p.finish(1).status, 200)


@test
def test_a_head_that_never_ends_is_given_up():
    with peer() as p:
        p.send(frame(HEADERS, 0, 1, literal((":method", "GET"))))
        p.fate(20)


# Case 56: frames without use

def flood(*frames, count=20000):
    with peer() as p:
        for _ in range(count // 100):
            if not p.send(b"".join(frames) * 100) or p.closed:
                break
            while p.receive(0):
                pass
        equal(p.fate(), CALM, frames[0][:12])
    others_are_served()


@test
def test_56_floods_of_frames_without_use_are_calmed():
    flood(frame(PING, 0, 0, b"12345678"))
    flood(frame(SETTINGS))
    flood(frame(SETTINGS, payload=struct.pack(">HI", 4, 65535)))
    flood(frame(PRIORITY, 0, 9, struct.pack(">IB", 3, 1)))
    flood(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)))
    flood(frame(0xbe, 0, 0, b"what nobody knows"))
    flood(frame(PING, ACK, 0, b"12345678"))


@test
def test_56_floods_on_a_stream_are_calmed():
    for part in (frame(DATA, 0, 1), frame(DATA, PADDED, 1, b"\0"), frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1))):
        with peer() as p:
            p.open("POST", "/token", end=False, fields=[("content-type", "application/x-www-form-urlencoded")])
            for _ in range(100):
                if not p.send(part * 100):
                    break
            equal(p.fate(), CALM, part)
    others_are_served()


@test
def test_56_a_client_that_grants_a_byte_at_a_time_is_calmed():
    """CVE-2019-9511: each byte it grants would be a frame."""
    with peer(window=0) as p:
        stream = p.open("GET", "/openapi.json")
        p.until(lambda: p.of(stream).heads)
        for _ in range(600):
            if not p.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 1))):
                break
            while p.receive(0):
                pass
        equal(p.fate(), CALM)
    others_are_served()


@test
def test_56_pings_of_a_client_in_use_are_answered():
    with peer() as p:
        for _ in range(60):
            p.send(frame(PING, 0, 0, b"12345678"))
            equal(p.ask("GET", "/openapi.json").status, 200)
        equal(p.goaway, None)


# Case 57: HPACK

@test
def test_57_a_bomb_of_indexed_fields_is_calmed():
    """One field of 4,000 bytes in the table, and then a byte for each time it is named."""
    with peer() as p:
        block = p.encoder.encode(p.head("GET", "/openapi.json"))
        bomb = b"\x40\x01x" + b"\x7f" + bytes([0xa1, 0x1e]) + b"y" * 4000
        p.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block + bomb + b"\xbe" * 8000))
        equal(p.fate(), CALM)
    others_are_served()


@test
def test_57_the_table_stays_as_small_as_we_said():
    with peer() as p:
        p.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x3f\xe1\xff\xff\x03" + hpack.Encoder().encode(p.head())))
        equal(p.fate(), 9)  # COMPRESSION_ERROR


@test
def test_57_heads_that_are_too_large_are_told_so():
    with peer() as p:
        equal(p.ask(fields=[("x", "y" * 15000)]).status, 200)
        equal(p.ask(fields=[(f"x{i}", "y") for i in range(101)]).status, 431)
        equal(p.ask(path="/" + "a" * 9000).status, 414)
        large = literal(*p.head(), *((f"x{i}", "y" * 12000) for i in range(3)))
        stream = p.open_block(large[:16000], flags=0)
        p.send(frame(CONTINUATION, 0, stream, large[16000:32000]) + frame(CONTINUATION, END_HEADERS, stream, large[32000:]))
        equal(p.finish(stream).status, 431)
        equal(p.ask().status, 200)
        equal(p.settings[6], 32768)


# Case 58: what a downgrade could smuggle

def refused(*head, data=None):
    """A reset, or an error of ours; the service sees nothing, the connection goes on."""
    fresh()
    with peer() as p:
        stream = p.open_block(literal(*head), end=data is None)
        for part in data or ():
            p.data(stream, part, end=part is data[-1])
        answer = p.finish(stream)
        assert answer.reset == PROTOCOL_ERROR or answer.status in (400, 501, 505), (head, answer.heads, answer.reset)
        equal(p.ask("GET", "/openapi.json").status, 200, head)
    equal(len(service.requests), 0, head)


def base(method="GET", path="/open/x", scheme="http", authority="a.example"):
    return [(":method", method), (":path", path), (":scheme", scheme), (":authority", authority)]


@test
def test_58_bytes_that_would_break_a_line_are_refused():
    for evil in ("a\r\nX: y", "a\nX: y", "a\rb", "a\0b", "\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n", "a\x7fb", "a\x01b"):
        refused(*base(), ("x", evil))
        refused(*base(), ("x" + evil, "y"))
        refused(*base(path="/open/" + evil))
        refused(*base(method="GET" + evil))
        refused(*base(authority="a.example" + evil))
        refused(*base(scheme="http" + evil))
        refused(*base(), ("cookie", evil))
        refused(*base(), ("host", "a.example" + evil))


@test
def test_58_names_that_are_read_differently_are_refused():
    for name in ("a:b", ":x", "a b", "A", "X-Upper", "", "a_b", "x-gatewarden_user", "a\t", " a", "a(", "a/", "ä"):
        refused(*base(), (name, "y"))
    for value in (" a", "a ", "\ta", "a\t"):
        refused(*base(), ("x", value))


@test
def test_58_pseudo_header_fields_stand_once_and_first():
    refused(*base()[1:])
    refused((":method", "GET"), (":scheme", "http"), (":authority", "a.example"))
    refused((":method", "GET"), (":path", "/open/x"), (":authority", "a.example"))
    refused(*base()[:3])
    for extra in base():
        refused(*base(), extra)
    refused(*base()[:3], ("x", "y"), base()[3])
    refused(*base(), (":status", "200"))
    refused(*base(), (":protocol", "websocket"))
    refused(*base(path=""))
    refused(*base(path="*"))
    refused(*base(path="http://a.example/open/x"))
    refused(*base(path="open/x"))
    refused(*base(path="/open/x y"))
    refused(*base(path="/open/x HTTP/1.1\r\nHost: b"))
    refused(*base(path="/open/x#y"))
    refused(*base(scheme="ftp"))
    refused(*base(authority="user@a.example"))
    refused(*base(authority="a.example, b.example"))
    refused(*base(authority=""))
    refused(*base(method="CONNECT"))
    refused((":method", "CONNECT"), (":authority", "a.example:443"))
    refused(*base(method="TRACE"))
    refused(*base(method="GET /admin HTTP/1.1"))


@test
def test_58_hosts_that_disagree_are_refused():
    refused(*base(), ("host", "b.example"))
    refused(*base(), ("host", "a.example"), ("host", "a.example"))
    refused(*base(), ("host", "a.example:80"))
    fresh()
    with peer() as p:
        stream = p.open_block(literal(*base(), ("host", "A.example")))
        equal(p.finish(stream).status, 200)
    equal(service.last().all("host"), ["a.example"])


@test
def test_58_fields_of_connections_are_refused():
    for name, value in (("connection", "close"), ("connection", "x-gatewarden-assertion"), ("transfer-encoding", "chunked"), ("upgrade", "h2c"),
                        ("keep-alive", "5"), ("proxy-connection", "x"), ("te", "gzip"), ("te", "trailers, deflate")):
        refused(*base(), (name, value))
        refused(*base("POST"), (name, value), data=[b"0\r\n\r\n"])
    fresh()
    with peer() as p:
        equal(p.ask("GET", "/open/x", fields=[("te", "trailers")]).status, 200)
    equal(service.last().all("te"), [])


@test
def test_58_lengths_that_are_not_those_of_the_body_are_refused():
    for length in ("4", "6", "0", "+5", "5, 5", "05", "0x5", "", "5 ", "99999999999999999999"):
        head = [*base("POST", "/token"), ("content-type", "application/x-www-form-urlencoded"), ("content-length", length)]
        refused(*head, data=[b"abc", b"de"])
    refused(*base("POST"), ("content-length", "5"), ("content-length", "5"), data=[b"abcde"])
    refused(*base("POST"), ("content-length", "5"))


@test
def test_58_trailers_are_fields_only():
    for trailer in ((":path", "/x"), ("x", "a\r\nb"), ("A", "b"), ("transfer-encoding", "chunked")):
        fresh()
        with peer() as p:
            stream = p.open("POST", "/token", end=False, fields=[("content-type", "application/x-www-form-urlencoded")])
            p.data(stream, b"x=y")
            p.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, literal(trailer)))
            equal(p.finish(stream).reset, PROTOCOL_ERROR, trailer)


# Streams

@test
def test_frames_for_what_is_over_end_the_connection():
    for later in (frame(DATA, END_STREAM, 1, b"x"), frame(HEADERS, END_HEADERS | END_STREAM, 1, literal(*base()))):
        with peer() as p:
            equal(p.ask("GET", "/openapi.json").status, 200)
            p.send(later)
            equal(p.fate(), STREAM_CLOSED)
    with peer() as p:
        p.next = 5
        equal(p.ask("GET", "/openapi.json").status, 200)
        p.next = 3
        p.open("GET", "/openapi.json")
        equal(p.fate(), PROTOCOL_ERROR)


@test
def test_a_stream_too_many_is_refused_or_ends_the_connection():
    waits = threading.Event()
    fresh(lambda connection, request: waits.wait(20))
    with peer() as p:
        streams = [p.open("GET", "/open/slow") for _ in range(102)]
        p.until(lambda: p.goaway is not None or all(p.of(s).reset is not None for s in streams[100:]))
    waits.set()
    others_are_served()


@test
def test_what_is_no_preface_is_answered_or_closed():
    for start in (PREFACE[:-2] + b"xx", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        with peer(quiet=True) as p:
            p.send(start + frame(SETTINGS))
            p.fate()
    others_are_served()


@test
def test_a_preface_that_comes_byte_by_byte_is_read():
    with peer(quiet=True) as p:
        for byte in PREFACE + frame(SETTINGS) + frame(HEADERS, END_HEADERS | END_STREAM, 1, literal(*p.head())):
            p.send(bytes([byte]))
        equal(p.finish(1).status, 200)


# Time

@test
def test_a_body_that_comes_too_slowly_is_given_up():
    with peer() as p:
        stream = p.open("POST", "/token", end=False, fields=[("content-type", "application/x-www-form-urlencoded")])
        p.data(stream, b"x")
        equal(p.finish(stream).status, 408)
        equal(p.ask("GET", "/openapi.json").status, 200)


@test
def test_a_body_nobody_wants_is_not_read_for_ever():
    with peer() as p:
        stream = p.open("POST", "/me", end=False)
        equal(p.finish(stream).status, 405)
        p.until(lambda: p.of(stream).reset is not None)
        equal(p.of(stream).reset, NO_ERROR)
        equal(p.ask("GET", "/openapi.json").status, 200)


@test
def test_an_idle_connection_is_closed_with_a_word():
    with peer() as p:
        equal(p.ask("GET", "/openapi.json").status, 200)
        equal(p.fate(20), NO_ERROR)
    with peer() as p:
        equal(p.ask("GET", "/openapi.json").status, 200)
        p.answers_pings = False
        equal(p.fate(20), NO_ERROR)


@test
def test_an_idle_connection_needs_little_memory():
    worker = gateway().children("worker")[0]

    def size():
        for line in open(f"/proc/{worker}/smaps_rollup", encoding="ascii"):
            if line.startswith("Pss_Anon"):
                return int(line.split()[1]) << 10
        raise AssertionError("no memory")
    others_are_served()
    before = size()
    peers = [peer() for _ in range(60)]
    for p in peers:
        equal(p.ask("GET", "/openapi.json").status, 200)
    each = (size() - before) / len(peers)
    for p in peers:
        p.close()
    if "asan" not in str(gateway().binary):
        assert each < 60 << 10, each


# Reload and end

@test
def test_a_reload_lets_requests_finish_and_says_goodbye():
    waits = threading.Event()

    def answer(connection, request):
        waits.wait(20)
        ok(connection, request)
    fresh(answer)
    with peer() as p, peer() as idle:
        equal(idle.ask("GET", "/openapi.json").status, 200)
        streams = [p.open("GET", "/open/slow") for _ in range(20)]
        wait_until(lambda: len(service.requests) == 20, what="20 requests at the service")
        gateway().signal(signal.SIGHUP)
        p.until(lambda: p.pings > 0)  # it is busy: it is told first, and named the last stream later
        late = p.open("GET", "/openapi.json")  # it need not know yet
        p.until(lambda: p.goaway is not None)
        waits.set()
        for stream in streams:
            equal((p.finish(stream).status, p.of(stream).body), (200, b"hello"))
        if late <= p.last_stream:
            equal(p.finish(late).status, 200)
        equal((p.fate(), idle.fate()), (NO_ERROR, NO_ERROR))
    others_are_served()


@test
def test_no_request_is_lost_over_reloads():
    failed, done, stop = [], [], threading.Event()
    token = gateway().token("ada")

    def ask():
        while not stop.is_set():
            with httpx.Client(http1=False, http2=True, base_url=gateway().url, headers={"Authorization": f"Bearer {token}"}) as client:
                for _ in range(200):
                    if stop.is_set():
                        break
                    try:
                        done.append(client.get("/api/books/1").status_code)
                    except httpx.HTTPError as e:
                        failed.append(repr(e))
    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        count = len(done)
        gateway().signal(signal.SIGHUP)
        wait_until(lambda count=count: len(done) > count + 60, what="requests after a reload")
        time.sleep(0.3)
    stop.set()
    for thread in threads:
        thread.join()
    equal((failed, set(done)), ([], {200}))


if __name__ == "__main__":
    main()

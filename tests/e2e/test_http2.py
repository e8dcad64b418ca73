#!/usr/bin/env python3
"""HTTP/2 without TLS, met by curl, httpx and a client that sends frames nobody should."""
import contextlib
import functools
import json
import pathlib
import signal
import socket
import sqlite3
import ssl
import subprocess
import tempfile
import threading
import time

import httpx

from harness import Gateway, equal, main, shared, test, wait_until
from front import Authority
from h2peer import END_HEADERS, END_STREAM, FLOW_CONTROL_ERROR, HEADERS, NO_ERROR, Peer, frame
from recorder import Recorder, ok

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="gatewarden-http2-"))
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
def test_fields_of_a_service_come_once_and_without_those_of_its_connection():
    def answer(connection, request):
        connection.send(b"HTTP/1.1 201 Made\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: keep-alive, X-Hop\r\nX-Hop: a\r\nKeep-Alive: 5\r\n"
                        b"Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Gatewarden-Roles: admin\r\nContent-Length: 2\r\n\r\nok")
    fresh(answer)
    with peer() as p:
        answer = p.ask("GET", "/open/x")
        equal((answer.heads[0], answer.body), ([(":status", "201"), ("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("set-cookie", "a=1"),
                                               ("set-cookie", "b=2"), ("content-length", "2")], b"ok"))


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
def test_a_client_may_open_its_window_for_every_few_kib():
    """As that of Go does."""
    def answer(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 8388608\r\n\r\n" + b"x" * (8 << 20))
    fresh(answer)
    with peer() as p:
        p.update(0, 1 << 28)
        stream, given = p.open("GET", "/open/x"), 0
        while not p.of(stream).ended:
            p.until(lambda: p.of(stream).ended or len(p.of(stream).body) >= given + 4096)
            while len(p.of(stream).body) >= given + 4096:
                p.update(stream, 4096)
                given += 4096
        equal((len(p.of(stream).body), p.goaway), (8 << 20, None))


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
def test_refusals_that_nobody_reads_do_not_hold_a_connection():
    with peer(window=0) as p:
        for _ in range(50):
            p.open("GET", "/openapi.json", fields=[("a_b", "c")])
        p.until(lambda: len([s for s in p.streams.values() if s.status == 400]) == 50)
        p.fate(30)


@test
def test_window_updates_that_overflow_are_an_error():
    with peer() as p:
        p.update(0, 0x7fffffff)
        equal(p.fate(), FLOW_CONTROL_ERROR)


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
    peers = [peer() for _ in range(100)]
    for p in peers:
        equal(p.ask("GET", "/openapi.json").status, 200)
    each = (size() - before) / len(peers)
    for p in peers:
        p.close()
    if "asan" not in str(gateway().binary):
        assert each < 30 << 10, each


# TLS

def secure(config):
    change(config)
    certificate, key = Authority(FOLDER).certificate("local")
    config["listen"]["http"] = {"address": config["listen"]["http"], "tls": {"certificate": str(certificate), "key": str(key)}}


@functools.cache
def secured():
    return Gateway(change=secure, before=before)


def context(*protocols):
    of = ssl._create_unverified_context()
    if protocols:
        of.set_alpn_protocols(list(protocols))
    return of


@test
def test_with_tls_the_handshake_says_which_http_it_is():
    g = secured()
    token = g.token("ada")
    for words, version in (([], "2"), (["--http2"], "2"), (["--http1.1"], "1.1"), (["--no-alpn"], "1.1")):
        done = subprocess.run(["curl", "-sSk", *words, "-m", "20", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "-H",
                               f"Authorization: Bearer {token}", g.url + "/me"], capture_output=True, text=True, check=False, timeout=60)
        equal(done.stdout, f"{version} 200", (words, done.stderr))
    with Peer(g.http_port, context=context("h2"), window=1 << 24) as p:
        p.update(0, 1 << 24)
        equal(p.ask("GET", "/me", token=token, scheme="https").status, 200)
        equal(len(json.loads(p.ask("GET", "/api/big?$first=2000", token=token).body)["value"]), 2000)
    with Peer(g.http_port, context=context("http/1.1")) as p:  # agreed on something else
        p.fate()
        equal((p.frames, p.goaway), ([], None))


@test
def test_with_tls_a_reload_says_goodbye():
    g = secured()
    with Peer(g.http_port, context=context("h2")) as p:
        equal(p.ask("GET", "/openapi.json").status, 200)
        g.signal(signal.SIGHUP)
        equal(p.fate(), NO_ERROR)


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
def test_who_answers_no_goodbye_asks_the_former_policy_nothing_more():
    waits = threading.Event()

    def answer(connection, request):
        waits.wait(30)
        ok(connection, request)
    fresh(answer)
    with peer() as p:
        p.answers_pings = False
        slow = p.open("GET", "/open/slow")
        service.wait_request()
        gateway().signal(signal.SIGHUP)

        def last_word():
            p.receive(0.1)
            return p.goaway is not None and p.last_stream == slow
        wait_until(last_word, 20, "the last stream to be named")
        p.answers_pings = True
        late = p.open("GET", "/openapi.json")
        waits.set()
        equal((p.finish(slow).status, p.fate(), p.of(late).heads), (200, NO_ERROR, []))
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


@test
def test_no_request_of_many_at_once_is_lost_over_reloads():
    """With TLS: curl 7.88 does not multiplex what it speaks by prior knowledge, with nobody. It leaves to --retry what a
    GOAWAY says was not begun."""
    g = secured()
    token, answers = g.token("ada"), []

    def ask():
        for _ in range(4):
            done = subprocess.run(["curl", "-sk", "--parallel", "--parallel-max", "30", "--retry", "3", "--retry-all-errors", "-o", "/dev/null", "-w", "%{http_code} %{http_version}\n",
                                   "-H", f"Authorization: Bearer {token}", g.url + "/api/big/[1-300]"],
                                  capture_output=True, text=True, check=False, timeout=120)
            answers.extend(done.stdout.splitlines())
    thread = threading.Thread(target=ask)
    thread.start()
    while thread.is_alive():
        g.signal(signal.SIGHUP)
        time.sleep(0.3)
    thread.join()
    equal((len(answers), set(answers)), (1200, {"200 2"}))


if __name__ == "__main__":
    main()

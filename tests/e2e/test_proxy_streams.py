#!/usr/bin/env python3
"""Bodies through a route: both ways at once, in constant memory, at the pace of the slower side; trailers, what comes
before an answer, tunnels, and ends that come too early."""
import contextlib
import pathlib
import re
import socket
import threading
import time

from harness import PLAIN, Gateway, equal, main, read_answers, test, wait_until
from recorder import Recorder, ok

service = Recorder()
MIB = 1 << 20


def routes(config):
    config["workers"] = 1
    config["limits"] = {"stream_idle_timeout": "3s"}
    config["backends"]["app"] = {"type": "http", "url": service.url, "response_timeout": "20s", "breaker": {"failures": 0, "open": "1s"}}
    config["routes"] = [{"path": "/s/*", "backend": "app", "public": ["GET", "HEAD", "POST", "PUT", "OPTIONS"]}]


gateway = Gateway(change=routes)
_plain = []


def plain():
    """Without a sanitizer, which keeps what was freed."""
    if not _plain:
        _plain.append(Gateway(change=routes, binary=PLAIN))
    return _plain[0]


def fresh(answer=ok, keeps=True):
    service.forget()
    service.keeps = keeps
    service.answer = answer


def chunks(*parts):
    return b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in parts)


def get(extra=b"", version=b"1.1", method=b"GET"):
    return method + b" /s/x HTTP/" + version + b"\r\nHost: h\r\n" + extra + b"\r\n"


def post(extra, method=b"POST"):
    return get(extra, method=method)


def everything(sock, seconds=5):
    return read_answers(sock, seconds)[2]


def until(sock, mark, seconds=10):
    sock.settimeout(seconds)
    data = b""
    while mark not in data:
        part = sock.recv(65536)
        if not part:
            raise AssertionError(f"closed after {data[-200:]!r}")
        data += part
    return data


def memory_high():
    (worker,) = plain().children("worker")
    status = pathlib.Path(f"/proc/{worker}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024


def completions(path="/s/x"):
    return [r for r in gateway.records(path) if r["unmapped"]["completion"]]


# Answers

@test
def test_an_answer_in_chunks_comes_in_chunks_as_they_are_made():
    go = threading.Event()

    def slowly(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"data: 1\n\n"))
        go.wait(10)
        connection.send(chunks(b"data: 2\n\n") + b"0\r\n\r\n")
    fresh(slowly)
    before = len(completions())
    with gateway.connect() as s:
        s.sendall(get())
        got = until(s, b"data: 1\n\n\r\n")
        assert b"Transfer-Encoding: chunked" in got and b"Content-Length" not in got
        go.set()
        got += until(s, b"0\r\n\r\n")
        assert got.endswith(chunks(b"data: 2\n\n") + b"0\r\n\r\n"), got
        s.sendall(get())  # the connection serves again
        until(s, b"data: 2\n\n")
    wait_until(lambda: len(completions()) > before, 5, "the completion")


@test
def test_a_short_answer_in_chunks_has_its_length_told_and_one_record():
    fresh(lambda c, r: c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"abc", b"def") + b"0\r\n\r\n"))
    answer = gateway.get("/s/short")
    equal((answer.body, answer.headers.get("content-length")), (b"abcdef", "6"))
    equal(len(gateway.records("/s/short")), 1)


@test
def test_an_answer_that_ends_with_the_connection_comes_whole():
    def until_close(connection, request):
        connection.send(b"HTTP/1.0 200 OK\r\n\r\n" + b"a" * 100000)
        connection.close()
    fresh(until_close)
    answer = gateway.get("/s/x")
    equal((len(answer.body), answer.headers.get("transfer-encoding")), (100000, "chunked"))


@test
def test_a_caller_of_http_1_0_gets_no_chunks():
    fresh(lambda c, r: (c.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"one")), time.sleep(0.3), c.send(chunks(b"two") + b"0\r\n\r\n")))
    with gateway.connect() as s:
        s.sendall(get(b"Connection: keep-alive\r\n", b"1.0"))
        _, closed, raw = read_answers(s, 5)
    equal(closed, True)
    assert raw.endswith(b"\r\n\r\nonetwo") and b"chunked" not in raw and b"Content-Length" not in raw and b"Connection: close" in raw, raw


@test
def test_answers_without_a_body_have_none():
    for status, method, extra in ((204, b"GET", b""), (304, b"GET", b"Content-Length: 77\r\nETag: \"a\"\r\n"), (200, b"HEAD", b"Content-Length: 77\r\n"),
                                  (200, b"HEAD", b"Transfer-Encoding: chunked\r\n"), (204, b"GET", b"Content-Length: 0\r\n")):
        fresh(lambda c, r, s=status, e=extra: c.send(b"HTTP/1.1 %d X\r\n%s\r\n" % (s, e)))
        with gateway.connect() as s:
            s.sendall(get(method=method) + get(b"Connection: close\r\n", method=method))
            raw = everything(s)
        heads = raw.split(b"\r\n\r\n")
        equal((len(heads), heads[2], raw.count(b"HTTP/1.1 %d" % status)), (3, b"", 2), f"{method} {status} {extra} {raw}")
        equal(b"Content-Length: 77" in raw, b"77" in extra)
        assert not (status == 204 and b"Content-Length" in raw)


@test
def test_an_answer_that_breaks_off_is_seen_to():
    def cut(head):
        def answer(connection, request):
            connection.send(head)
            time.sleep(0.3)
            connection.reset()
        return answer
    for head, begun in ((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"abc"), True),
                        (b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\nabc", True),
                        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"abc") + b"zz\r\n", False),
                        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", False)):
        fresh(cut(head))
        with gateway.connect() as s:
            s.sendall(post(b"Content-Length: 1\r\n") + b"x")
            _, closed, raw = read_answers(s, 10)
        equal(closed or not begun, True, "it is closed")
        if begun:
            assert raw.startswith(b"HTTP/1.1 200") and b"abc" in raw and not raw.endswith(b"\r\n0\r\n\r\n"), raw
        else:
            assert raw.startswith(b"HTTP/1.1 502"), raw


@test
def test_an_answer_that_only_the_close_ends_is_reset_when_it_breaks():
    def cut(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"abc"))
        time.sleep(0.3)
        connection.reset()
    fresh(cut)
    with gateway.connect() as s:
        s.sendall(get(version=b"1.0"))
        until(s, b"\r\n\r\nabc")
        try:
            got = s.recv(1000)
        except ConnectionResetError:
            return
    raise AssertionError(f"it ended as if it were whole: {got!r}")


@test
def test_trailers_come_behind_the_answer_but_not_what_they_may_not_say():
    def answer(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks(b"a") +
                        b"0\r\nX-Sum: 1\r\nContent-Length: 9\r\nSet-Cookie: a=1\r\nX-Gatewarden-Assertion: x\r\nX-Forwarded-For: 1\r\n\r\n")
    fresh(answer)
    with gateway.connect() as s:
        s.sendall(get(b"Connection: close\r\n"))
        raw = everything(s)
    assert raw.endswith(b"1\r\na\r\n0\r\nX-Sum: 1\r\n\r\n"), raw


# Requests

@test
def test_a_body_in_chunks_is_forwarded_in_chunks_with_its_trailers():
    fresh()
    with gateway.connect() as s:
        s.sendall(post(b"Transfer-Encoding: chunked\r\nConnection: close\r\n") + chunks(b"abc", b"de") +
                  b"0\r\nX-Sum: 5\r\nTransfer-Encoding: x\r\nAuthorization: Bearer x\r\nX-Auth-Request-User: root\r\n\r\n")
        raw = everything(s)
    assert raw.startswith(b"HTTP/1.1 200"), raw
    equal((service.last().body, service.last().trailers), (b"abcde", ["X-Sum: 5"]))


@test
def test_a_body_reaches_the_service_before_it_is_whole():
    fresh()
    with gateway.connect() as s:
        s.sendall(post(b"Content-Length: 6\r\n") + b"abc")
        wait_until(lambda: service.raw().endswith(b"\r\n\r\nabc"), 10, "the first part")
        s.sendall(b"def")
        until(s, b"hello")
    equal(service.last().body, b"abcdef")


@test
def test_a_get_with_a_body_is_forwarded_with_it():
    fresh()
    with gateway.connect() as s:
        s.sendall(get(b"Content-Length: 3\r\nConnection: close\r\n") + b"abc")
        assert everything(s).startswith(b"HTTP/1.1 200")
    equal(service.last().body, b"abc")


@test
def test_a_malformed_body_is_a_400_and_no_whole_request():
    fresh()
    with gateway.connect() as s:
        s.sendall(post(b"Transfer-Encoding: chunked\r\n") + chunks(b"abc"))
        wait_until(lambda: service.requests, 5, "the request at the service")
        s.sendall(b"xyz\r\n")
        answers, closed, _ = read_answers(s, 5)
    equal(([a.status for a in answers], closed), ([400], True))
    time.sleep(0.1)
    equal([r.body for r in service.requests], [None])


@test
def test_what_cannot_be_forwarded_from_the_start_is_not_begun():
    """The error's record is awaited: a service that answered meanwhile would write into the error."""
    fresh()
    equal(gateway.get("/s/first").status, 200)  # a connection that waits
    with gateway.connect() as s:
        s.sendall(post(b"Transfer-Encoding: chunked\r\n") + b"xyz\r\n")
        answers, closed, _ = read_answers(s, 5)
    equal(([a.status for a in answers], closed), ([400], True))
    equal(gateway.get("/s/last").status, 200)
    equal([r.target for r in service.requests], ["/s/first", "/s/last"])


@test
def test_an_early_answer_comes_before_the_body_is_sent():
    fresh(lambda c, r: (c.send(b"HTTP/1.1 403 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"), c.close()))
    with gateway.connect() as s:
        s.sendall(post(b"Content-Length: 100000000\r\n") + b"x" * 1000)
        answers, closed, raw = read_answers(s, 5)
    equal(([a.status for a in answers], closed), ([403], True))
    assert b"Connection: close" in raw


@test
def test_both_bodies_at_once():
    def echo(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            size = int(connection.until(b"\r\n")[:-2], 16)
            part = connection.take(size)
            connection.take(2)
            connection.send(chunks(part) if part else b"0\r\n\r\n")
            if not size:
                return
    fresh(echo)
    with gateway.connect() as s:
        s.sendall(post(b"Transfer-Encoding: chunked\r\n") + chunks(b"ping 1"))
        got = until(s, b"ping 1\r\n")
        s.sendall(chunks(b"ping 2"))
        got += until(s, b"ping 2\r\n")
        s.sendall(b"0\r\n\r\n")
        got += until(s, b"0\r\n\r\n")
    equal(got.partition(b"\r\n\r\n")[2], chunks(b"ping 1", b"ping 2") + b"0\r\n\r\n")


# Before the answer

@test
def test_expect_is_answered_by_the_service():
    def agree(connection, request):
        equal(request.all("expect"), ["100-continue"])
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        ok(connection, request)
    fresh(agree)
    with gateway.connect() as s:
        s.sendall(post(b"Content-Length: 3\r\nExpect: 100-continue\r\n"))
        until(s, b"HTTP/1.1 100 Continue\r\n\r\n")
        equal(service.raw().partition(b"\r\n\r\n")[2], b"")
        s.sendall(b"abc")
        until(s, b"hello")
    equal((service.last().body, service.problems), (b"abc", []))


@test
def test_a_100_is_not_lost_to_what_follows_it_at_once():
    fresh(lambda c, r: (c.send(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: a\r\n\r\n"), ok(c, r)))
    with gateway.connect() as s:
        s.sendall(post(b"Content-Length: 3\r\nExpect: 100-continue\r\n"))
        assert until(s, b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        s.sendall(b"abc")
        until(s, b"hello")


@test
def test_expect_that_is_refused_leaves_the_body_unread():
    fresh(lambda c, r: (c.send(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n"), c.more()))
    with gateway.connect() as s:
        s.sendall(post(b"Content-Length: 3\r\nExpect: 100-continue\r\n"))
        answers, closed, raw = read_answers(s, 5)
    equal(([a.status for a in answers], closed, b"Connection: close" in raw), ([413], True, True))


@test
def test_a_body_that_does_not_wait_for_100_is_forwarded():
    fresh()
    with gateway.connect() as s:
        s.sendall(post(b"Content-Length: 3\r\nExpect: 100-continue\r\n"))
        service.wait_request()
        time.sleep(0.2)
        s.sendall(b"abc")
        until(s, b"hello")
    equal(service.last().body, b"abc")


@test
def test_early_hints_go_to_callers_of_1_1_only_and_are_recorded_first():
    def hint(connection, request):
        connection.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\nX-Gatewarden-X: 1\r\n\r\n")
        time.sleep(0.2)
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        ok(connection, request)
    for version in (b"1.1", b"1.0"):
        fresh(hint)
        with gateway.connect() as s:
            s.sendall(get(b"Connection: close\r\n", version))
            raw = everything(s)
        equal(raw.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200"), version == b"1.1", raw)
        equal((b"100 Continue" in raw, raw.endswith(b"hello")), (False, True))


# Tunnels

UPGRADE = b"Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n"
AGREED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: y\r\n\r\n"


def agree(connection, request):
    equal((request.all("upgrade"), request.all("connection")), (["websocket"], ["Upgrade"]))
    connection.send(AGREED + b"welcome")
    while connection.more():
        part = connection.received[connection.at:]
        connection.at += len(part)
        connection.send(part.upper())


@test
def test_a_websocket_is_a_tunnel():
    fresh(agree)
    with gateway.connect() as s:
        s.sendall(get(UPGRADE).replace(b"/s/x", b"/s/websocket"))
        got = until(s, b"welcome")
        assert got.startswith(b"HTTP/1.1 101") and b"Upgrade: websocket\r\n" in got and b"Sec-WebSocket-Accept: y\r\n" in got, got
        assert b"chunked" not in got and b"Content-Length" not in got and b"Connection: close" not in got
        for word in (b"abc", b"d" * 100000):
            s.sendall(word)
            got = b""
            while len(got) < len(word):
                got += s.recv(65536)
            equal(got, word.upper())
        s.shutdown(socket.SHUT_WR)
        everything(s)
    equal(service.problems, [])
    wait_until(lambda: len(gateway.records("/s/websocket")) == 2, 5, "two records")


@test
def test_a_tunnel_ends_when_the_service_ends_it():
    fresh(lambda c, r: (c.send(AGREED + b"bye"), c.close()))
    with gateway.connect() as s:
        s.sendall(get(UPGRADE))
        _, closed, raw = read_answers(s, 5)
    equal((closed, raw.endswith(b"\r\n\r\nbye")), (True, True), raw)


@test
def test_a_tunnel_in_which_nothing_passes_is_ended():
    fresh(agree)
    with gateway.connect() as s:
        s.sendall(get(UPGRADE))
        until(s, b"welcome")
        for _ in range(4):
            time.sleep(1)
            s.sendall(b"x")
            until(s, b"X")
        started = time.monotonic()
        _, closed, _ = read_answers(s, 20)
    equal((closed, time.monotonic() - started > 2), (True, True))


@test
def test_a_short_answer_that_never_ends_is_given_up_and_a_slow_one_is_not():
    fresh(lambda c, r: (c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), c.more()))
    with gateway.connect() as s:
        s.sendall(get())
        _, closed, _ = read_answers(s, 20)
    equal(closed, True)
    fresh(lambda c, r: (time.sleep(4), ok(c, r)))
    equal(gateway.get("/s/slow").status, 200, "the time of the service counts until it answers")


@test
def test_a_refused_upgrade_is_answered_as_it_is():
    fresh(lambda c, r: c.send(b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nContent-Length: 2\r\n\r\nno"))
    with gateway.connect() as s:
        s.sendall(get(UPGRADE))
        got = until(s, b"\r\n\r\nno")
        assert got.startswith(b"HTTP/1.1 426") and b"Sec-WebSocket-Version: 13" in got
        fresh()
        s.sendall(get())
        until(s, b"hello")


@test
def test_bytes_before_the_101_never_reach_the_service():
    def late(connection, request):
        time.sleep(0.3)
        connection.send(AGREED)
        connection.more()
    fresh(late)
    with gateway.connect() as s:
        s.sendall(get(UPGRADE) + b"GET /s/hidden HTTP/1.1\r\nHost: h\r\n\r\n")
        answers, closed, _ = read_answers(s, 5)
    equal(([a.status for a in answers], closed), ([400], True))
    assert b"hidden" not in service.raw()
    equal(len(service.requests), 1)


@test
def test_no_other_protocol_is_asked_for():
    for extra in (b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n", b"Upgrade: websocket\r\n", b"Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
                  b"Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n", b"Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n"):
        fresh()
        with gateway.connect() as s:
            s.sendall(get(extra) + (b"abc" if b"Length" in extra else b""))
            until(s, b"hello")
        equal((service.last().names() & {"upgrade", "connection", "http2-settings"} - {"http2-settings"}), set(), extra)


# Pace and memory

@test
def test_a_large_answer_needs_no_memory():
    size = 256 * MIB

    def large(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        part = bytes(MIB)
        for _ in range(size // MIB):
            connection.send(part)
    fresh(large)
    before, got = memory_high(), 0
    with plain().connect() as s:
        s.sendall(get(b"Connection: close\r\n"))
        while part := s.recv(MIB):
            got += len(part)
    assert size < got < size + 1000, got
    assert memory_high() - before < 4, (before, memory_high())


@test
def test_a_large_body_needs_no_memory():
    size = 256 * MIB

    def count(connection, request):
        got = len(connection.received) - connection.at
        while got < size and (data := connection.socket.recv(MIB)):
            got += len(data)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n%d" % got)
    fresh(count)
    before = memory_high()
    with plain().connect() as s:
        s.sendall(post(b"Content-Length: %d\r\n" % size))
        part = bytes(MIB)
        for _ in range(size // MIB):
            s.sendall(part)
        until(s, b"%d" % size, 30)
    assert memory_high() - before < 4, (before, memory_high())


@test
def test_a_caller_that_does_not_read_stops_the_service():
    sent = []

    def endless(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.socket.settimeout(1.5)
        part = chunks(bytes(65536))
        try:
            for _ in range(2000):
                connection.send(part)
                sent.append(1)
        except OSError:
            sent.append(-1)
    fresh(endless)
    before = memory_high()
    with plain().connect() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        s.sendall(get())
        wait_until(lambda: sent and sent[-1] == -1, 20, "the service to be stopped")
        assert memory_high() - before < 4, (before, memory_high())
    assert len(sent) < 500, len(sent)


@test
def test_a_service_that_does_not_read_stops_the_caller():
    go = threading.Event()

    def lazy(connection, request):
        go.wait(10)
        connection.body(request)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    fresh(lazy)
    before = memory_high()
    with plain().connect() as s:
        s.sendall(post(b"Transfer-Encoding: chunked\r\n"))
        s.settimeout(1)
        count, part = 0, chunks(bytes(65536))
        rest = b""
        with contextlib.suppress(TimeoutError):
            while count < 2000:
                rest = part
                while rest:
                    rest = rest[s.send(rest):]
                count += 1
        assert count < 500, count
        assert memory_high() - before < 4, (before, memory_high())
        go.set()
        s.settimeout(10)
        s.sendall(rest + b"0\r\n\r\n")
        until(s, b"ok")
    equal(len(service.last().body), (count + 1) * 65536)


@test
def test_a_body_that_trickles_is_ended():
    fresh(lambda c, r: c.body(r))
    with gateway.connect() as s:
        s.sendall(post(b"Content-Length: 1000000\r\n"))
        end = time.monotonic() + 30
        s.settimeout(0.3)
        data = b""
        while time.monotonic() < end and b"408" not in data:
            with contextlib.suppress(TimeoutError):
                s.sendall(b"x")
                data += s.recv(1000)
    assert data.startswith(b"HTTP/1.1 408"), data


# Ends

@test
def test_a_caller_that_goes_ends_the_exchange_and_is_recorded():
    for method, extra in ((b"GET", b""), (b"POST", b"Content-Length: 1\r\n")):
        ended = threading.Event()

        def wait(connection, request, e=ended):
            connection.body(request)
            connection.more()
            e.set()
        fresh(wait)
        before = len(gateway.records("/s/x"))
        with gateway.connect() as s:
            s.sendall(get(extra, method=method) + (b"x" if extra else b""))
            service.wait_request()
            time.sleep(0.1)
        assert ended.wait(10), method
        count = 1 if method == b"GET" else 2
        wait_until(lambda: len(gateway.records("/s/x")) == before + count, 5, f"the records of {method}")
        equal(gateway.records("/s/x")[-1]["status_detail"], "the caller went away")


@test
def test_a_caller_that_goes_during_its_body_leaves_no_whole_request():
    fresh()
    with gateway.connect() as s:
        s.sendall(post(b"Content-Length: 10\r\n") + b"abc")
        wait_until(lambda: service.raw().endswith(b"abc"), 10, "the first part")
    wait_until(lambda: service.connections[-1].is_closed, 10, "the exchange to end")
    equal([r.body for r in service.requests], [None])


@test
def test_a_caller_that_goes_during_an_answer_ends_it():
    ended = threading.Event()

    def endless(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                connection.send(chunks(b"x"))
                time.sleep(0.02)
        ended.set()
    fresh(endless)
    before = len(completions())
    with gateway.connect() as s:
        s.sendall(get())
        until(s, b"x\r\n")
    assert ended.wait(10)
    wait_until(lambda: len(completions()) == before + 1, 5, "the completion")


if __name__ == "__main__":
    main()

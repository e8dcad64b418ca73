#!/usr/bin/env python3
"""Routes while something else happens: the ledger cannot keep a record, the configuration is reloaded under a stream, a
limit of bytes holds an answer back, a person without a session opens a page, the service is away."""
import contextlib
import os
import signal
import socket
import subprocess
import threading
import time

from harness import Gateway, equal, main, read_answers, test, wait_until
from recorder import Recorder, ok

service = Recorder()
UPGRADE = b"GET /s/x HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"


def routes(config):
    config["workers"] = 1
    config["issuers"]["local"]["login"] = True
    config["limits"] = {"drain_timeout": "20s"}
    config["backends"]["app"] = {"type": "http", "url": service.url, "breaker": {"failures": 0, "open": "1s"}}
    config["backends"]["away"] = {"type": "http", "url": "http://127.0.0.1:1", "connect_timeout": "1s"}
    public = ["GET", "HEAD", "POST", "PUT"]
    config["routes"] = [
        {"path": "/s/*", "backend": "app", "public": public},
        {"path": "/paced/*", "backend": "app", "public": public, "limits": {"bytes": "200KiB/s"}},
        {"path": "/page/*", "backend": "app", "page": True, "allow": {"reader": "all"}},
        {"path": "/away/*", "backend": "away", "public": public},
    ]


gateway = Gateway(change=routes)


def fresh(answer=ok):
    service.forget()
    service.answer = answer


@contextlib.contextmanager
def full_disk():
    """The ledger can write no more."""
    ledger, = gateway.children("ledger")
    size = max(f.stat().st_size for f in (gateway.folder / "audit").glob("*.jsonl"))
    subprocess.run(["prlimit", f"--pid={ledger}", f"--fsize={size + 100}:unlimited"], check=True)
    try:
        yield
    finally:
        subprocess.run(["prlimit", f"--pid={ledger}", "--fsize=unlimited"], check=True)


@test
def test_what_cannot_be_recorded_reaches_no_service():
    fresh()
    equal(gateway.get("/s/x").status, 200)
    fresh()
    with full_disk():
        for _ in range(2):
            answer = gateway.request("POST", "/s/lost", body="abc")
            equal((answer.status, "retry-after" in answer.headers), (503, True))
        with gateway.connect() as s:
            s.sendall(UPGRADE)
            answers, _, _ = read_answers(s, 2)
            equal([a.status for a in answers], [503])
        equal((service.requests, service.raw()), ([], b""))
        answer = gateway.get("/s/lost")
        equal((answer.status, b"hello" in answer.body), (503, False))
    wait_until(lambda: gateway.get("/s/x").status == 200, 10, "records to be kept again")


@test
def test_no_byte_is_forwarded_before_the_record_is_kept():
    fresh()
    ledger, = gateway.children("ledger")
    with gateway.connect() as s:
        os.kill(ledger, signal.SIGSTOP)
        try:
            s.sendall(b"POST /s/waits HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
            time.sleep(0.5)
            equal((service.requests, service.raw()), ([], b""))
        finally:
            os.kill(ledger, signal.SIGCONT)
        answers, _, _ = read_answers(s, 1)
    equal(([a.status for a in answers], service.last().body), ([200], b"abc"))


@test
def test_a_caller_that_goes_before_the_record_is_kept_calls_nobody():
    fresh()
    ledger, = gateway.children("ledger")
    os.kill(ledger, signal.SIGSTOP)
    try:
        with gateway.connect() as s:
            s.sendall(b"POST /s/gone HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc")
            time.sleep(0.2)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        time.sleep(0.3)
    finally:
        os.kill(ledger, signal.SIGCONT)
    wait_until(lambda: len([r for r in gateway.records("/s/gone")]) == 2, 5, "both records")
    equal((service.requests, gateway.records("/s/gone")[-1]["status_detail"]), ([], "the caller went away"))


@test
def test_a_tunnel_whose_caller_ended_before_it_was_recorded_ends():
    def answer(connection, _):
        connection.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        while connection.more():
            pass
        raise EOFError
    fresh(answer)
    ledger, = gateway.children("ledger")
    with gateway.connect() as s:
        os.kill(ledger, signal.SIGSTOP)
        try:
            s.sendall(UPGRADE.replace(b"/s/x", b"/s/ended"))
            s.shutdown(socket.SHUT_WR)
            time.sleep(0.3)
        finally:
            os.kill(ledger, signal.SIGCONT)
        wait_until(lambda: len(gateway.records("/s/ended")) == 2, 10, "the end of the tunnel to be recorded")
        service.wait_request()
        wait_until(lambda: service.connections[-1].is_closed, 5, "the service to be let go")


@test
def test_a_reload_keeps_a_stream_a_tunnel_and_a_body():
    go = threading.Event()

    def answer(connection, request):
        if request.method == "POST":
            ok(connection, request)
        elif request.get("upgrade"):
            connection.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            while connection.more():
                connection.send(connection.received[connection.at:].upper())
                connection.at = len(connection.received)
        else:
            connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            go.wait(20)
            connection.send(b"3\r\ntwo\r\n0\r\n\r\n")
    fresh(answer)
    old = gateway.children("worker")
    with gateway.connect() as stream, gateway.connect() as tunnel, gateway.connect() as body:
        stream.sendall(b"GET /s/x HTTP/1.1\r\nHost: h\r\n\r\n")
        wait_until(lambda: b"one" in stream.recv(65536), 5, "the first part")
        tunnel.sendall(UPGRADE)
        assert tunnel.recv(65536).startswith(b"HTTP/1.1 101")
        body.sendall(b"POST /s/x HTTP/1.1\r\nHost: h\r\nContent-Length: 6\r\n\r\nabc")
        service.wait_request(3)
        gateway.signal(signal.SIGHUP)
        wait_until(lambda: any("configuration is in use" in line for line in gateway.log), 20, "the reload")
        equal(gateway.request("POST", "/s/y", body="x").status, 200, "by the new worker")
        tunnel.sendall(b"abc")
        equal(tunnel.recv(100), b"ABC")
        body.sendall(b"def")
        answers, _, _ = read_answers(body, 3)
        equal([a.status for a in answers], [200])
        go.set()
        _, closed, raw = read_answers(stream, 5)
        equal((closed, raw), (True, b"3\r\ntwo\r\n0\r\n\r\n"))
    wait_until(lambda: not set(gateway.children("worker")) & set(old), 20, "the old worker to end")


@test
def test_a_limit_of_bytes_slows_an_answer_down():
    fresh(lambda c, r: c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 800000\r\n\r\n" + bytes(800000)))
    started = time.monotonic()
    equal(len(gateway.get("/paced/x").body), 800000)
    assert time.monotonic() - started > 1, time.monotonic() - started
    fresh()
    started = time.monotonic()
    equal(gateway.request("POST", "/paced/y", body=bytes(800000)).status, 200)
    equal(len(service.last().body), 800000)
    assert time.monotonic() - started > 1, time.monotonic() - started


@test
def test_a_limit_of_bytes_holds_for_what_is_short_too():
    for options in ({"method": "GET"}, {"method": "POST", "body": bytes(50000)}):
        fresh(lambda c, r: (c.body(r), c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n" + bytes(50000))))
        started = time.monotonic()
        for _ in range(12):
            equal(len(gateway.request(path="/paced/x", **options).body), 50000)
        assert time.monotonic() - started > 0.5, (options["method"], time.monotonic() - started)


@test
def test_people_without_a_session_are_sent_to_the_login_and_programs_are_not():
    fresh()
    answer = gateway.get("/page/x?a=1", headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"})
    equal((answer.status, answer.headers["location"]), (303, "/login?return_to=%2Fpage%2Fx%3Fa%3D1"))
    # For the log it is the refusal that a program gets.
    record, = wait_until(lambda: gateway.records("/page/x"), 5, "its record")
    equal((record["unmapped"]["outcome"], record["status_code"], record["status_detail"]), ("denied", "303", "no bearer token was sent"))
    equal(gateway.get("/page/x").status, 401)
    equal(gateway.request("POST", "/page/x", headers={"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}).status, 401)
    equal(service.requests, [])
    equal(gateway.get("/page/x", "ada").status, 200)


@test
def test_a_service_that_is_away_is_an_outage_of_its_routes_only():
    fresh()
    answer = gateway.get("/away/x")
    assert answer.status in (502, 503), answer
    if answer.status == 503:
        assert int(answer.headers["retry-after"]) > 0
    equal(gateway.get("/s/x").status, 200)


@test
def test_no_request_is_lost_when_workers_are_replaced_under_load():
    fresh()
    running, got = True, []

    def call():
        while running:
            try:
                got.append(gateway.request("POST", "/s/x", body="abc").status)
            except OSError as e:
                got.append(repr(e))
    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for _ in range(3):
        gateway.signal(signal.SIGHUP)
        time.sleep(0.5)
    running = False
    for caller in callers:
        caller.join()
    equal(set(got), {200})


if __name__ == "__main__":
    main()

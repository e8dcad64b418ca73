"""Lifetimes in the front end: callers that go away, sister processes that stand still, and what is owed after."""
import contextlib
import os
import signal
import socket
import struct
import time

from harness import Gateway, equal, main, query, test, wait_until

SLOW = """create view slow as with recursive c(x) as (select 1 union all select x + 1 from c limit 1000000)
select count(*) as n from c"""


def one_worker(config):
    config["workers"] = 1
    config["resources"]["slow"] = {"backend": "books", "table": "slow", "allow": {"reader": ["read"]}}


def add_slow_view(folder):
    import sqlite3
    with contextlib.closing(sqlite3.connect(folder / "data/books.db")) as db:
        db.execute(SLOW)
        db.commit()


_gateway = None


def gateway():
    global _gateway
    if _gateway is None:
        _gateway = Gateway(change=one_worker, before=add_slow_view)
    return _gateway


def reset(sock):
    """Closes with RST: gone at once."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def head(g, path, method="GET", more=""):
    return (f"{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {g.token('ada')}\r\n{more}\r\n").encode()


@contextlib.contextmanager
def stopped(pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def same_worker(g, before):
    equal(g.children("worker"), before, "the worker")
    equal(g.get("/api/books/1", "ada").status, 200, "the next request")


def count(g, resource):
    return sum(1 for r in g.records() if r["unmapped"].get("resource") == resource)


@test
def test_a_caller_that_goes_during_a_slow_read_is_recorded_once():
    g = gateway()
    workers = g.children("worker")
    g.token("ada")
    before = count(g, "slow")
    with stopped(g.children("ledger")[0]):
        for _ in range(4):
            s = g.connect()
            s.sendall(head(g, "/api/slow"))
            time.sleep(0.1)
            reset(s)
        time.sleep(3)
    same_worker(g, workers)
    equal(count(g, "slow"), before + 4, "records of four callers that went away")


@test
def test_a_wrong_body_waits_for_its_record_once():
    g = gateway()
    workers = g.children("worker")
    token = g.token("grace")
    s = g.connect()
    s.sendall((f"POST /api/books HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: "
               "application/json\r\nTransfer-Encoding: chunked\r\n\r\n").encode())
    time.sleep(0.2)
    with stopped(g.children("ledger")[0]):
        s.sendall(b"zz\r\n")
        time.sleep(7.5)
    s.settimeout(5)
    data = b""
    with contextlib.suppress(ConnectionError):
        while part := s.recv(65536):
            data += part
    equal(data.count(b"HTTP/1.1 "), 1, "answers")
    equal(data[9:12], b"400", "status")
    same_worker(g, workers)


@test
def test_callers_that_go_during_a_login_leave_no_place_taken():
    g = gateway()
    body = b"grant_type=refresh_token&refresh_token=" + b"x" * 40
    request = (b"POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
               b"Content-Length: %d\r\n\r\n" % len(body)) + body
    with stopped(g.children("keeper")[0]):
        for _ in range(50):
            s = g.connect()
            s.sendall(request)
            time.sleep(0.005)
            reset(s)
        time.sleep(0.3)
    def waiting():
        return [line for line in g.admin("/metrics").body.decode().splitlines()
                if line.startswith("gatewarden_keeper_waiting ")]
    wait_until(lambda: waiting() == ["gatewarden_keeper_waiting 0"], 5, "no login to be waiting")
    equal(g.login("ada").status, 200, "a login")


@test
def test_ten_thousand_pipelined_requests_are_all_answered():
    g = gateway()
    one = head(g, "/api/books/1")
    total = 10000
    s = g.connect()
    s.settimeout(60)
    import threading
    sender = threading.Thread(target=lambda: s.sendall(one * total), daemon=True)
    sender.start()
    seen, tail = 0, b""
    while seen < total:
        part = s.recv(1 << 20)
        if not part:
            break
        data = tail + part
        seen += data.count(b"HTTP/1.1 200 OK\r\n")
        tail = data[-16:]
        if tail.count(b"HTTP/1.1 200 OK\r\n"):
            raise AssertionError("miscounted")
    equal(seen, total, "answers")
    s.close()


@test
def test_open_connections_are_those_of_the_data_listener():
    g = gateway()
    g.get("/api/books/1", "ada")
    sockets = [g.connect() for _ in range(5)]
    time.sleep(0.2)

    def count_open():
        return [line for line in g.admin("/metrics").body.decode().splitlines()
                if line.startswith("gatewarden_connections_open ")]
    wait_until(lambda: count_open() == ["gatewarden_connections_open 5"], 3, "five open connections")
    for s in sockets:
        s.close()
    wait_until(lambda: count_open() == ["gatewarden_connections_open 0"], 3, "no open connection")


if __name__ == "__main__":
    main()

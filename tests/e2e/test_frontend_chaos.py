"""Callers that break off anywhere, sister processes that are killed, and callers that read slowly, all at once.

Whatever happens, no process but those killed ends, no report is written, and the audit log verifies.
"""
import contextlib
import os
import random
import signal
import socket
import sqlite3
import struct
import threading
import time

from harness import Gateway, equal, main, query, test, wait_until

SECONDS = float(os.environ.get("GATEWARDEN_CHAOS_SECONDS", "8"))


def change(config):
    config["workers"] = 2
    config["resources"]["books"]["page_max"] = 1000
    config["resources"]["slow"] = {"backend": "books", "table": "slow", "allow": {"reader": ["read"]}}
    config["resources"]["big"] = {"backend": "books", "table": "big", "page_max": 10000, "allow": {"reader": ["read"]}}
    config["limits"] = {"head_timeout": "1s", "idle_timeout": "1s", "write_timeout": "2s"}


def before(folder):
    with contextlib.closing(sqlite3.connect(folder / "data/books.db")) as db:
        db.execute("create view slow as with recursive c(x) as (select 1 union all select x + 1 from c limit 200000) "
                   "select count(*) as n from c")
        db.execute("create table big (id integer primary key, t text)")
        db.executemany("insert into big values (?, ?)", ((i, "x" * 300) for i in range(5000)))
        db.commit()


def one_request(g, tokens, rng):
    """Bytes of some request, right or wrong."""
    ada, grace = tokens

    def build(method, path, token=None, body=b"", more=""):
        top = f"{method} {path} HTTP/1.1\r\nHost: x\r\n{more}"
        if token:
            top += f"Authorization: Bearer {token}\r\n"
        if body:
            top += f"Content-Length: {len(body)}\r\n"
        return top.encode() + b"\r\n" + body

    form = "Content-Type: application/x-www-form-urlencoded\r\n"
    kind = "Content-Type: application/json\r\n"
    row = b'{"stock": %d}' % rng.randrange(100)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(row), row)
    return rng.choice([
        lambda: build("GET", f"/api/books/{rng.randrange(1, 400)}", ada),
        lambda: build("GET", "/api/books" + query(first=500), ada),
        lambda: build("GET", "/api/big" + query(first=5000), ada),
        lambda: build("GET", "/api/slow", ada),
        lambda: build("PATCH", f"/api/books/{rng.randrange(1, 300)}", grace, row, kind),
        lambda: build("PATCH", "/api/books/1", grace, b"", kind + "Transfer-Encoding: chunked\r\n") + chunked,
        lambda: build("PUT", "/api/books/7", grace, row, kind + "Expect: 100-continue\r\n"),
        lambda: build("DELETE", "/api/books/999999", grace),
        lambda: build("POST", "/token", None, b"grant_type=refresh_token&refresh_token=abc", form),
        lambda: build("GET", "/docs"), lambda: build("GET", "/openapi.json", ada), lambda: build("HEAD", "/me", ada),
        lambda: build("GET", "/api/books", "bad.token.here"), lambda: build("GET", "/nothing"),
        lambda: b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", lambda: b"\x16\x03\x01\x02\x00",
        lambda: build("PATCH", "/api/books/1", grace, b"", kind + "Transfer-Encoding: chunked\r\n") + b"zz\r\n",
    ])()


def caller(g, tokens, seed, end):
    rng = random.Random(seed)
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            s = socket.socket()
            if rng.random() < 0.3:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            s.settimeout(3)
            s.connect(("127.0.0.1", g.http_port))
            data = b"".join(one_request(g, tokens, rng) for _ in range(rng.choice([1, 1, 1, 3, 20])))
            if rng.random() < 0.4:
                data = data[:rng.randrange(len(data) + 1)]
            while data:
                cut = rng.choice([len(data), len(data), rng.randrange(1, len(data) + 1)])
                s.sendall(data[:cut])
                data = data[cut:]
                if rng.random() < 0.2:
                    time.sleep(rng.random() * 0.02)
            how = rng.random()
            if how < 0.4:
                time.sleep(rng.random() * 0.1)
            elif how < 0.8:
                s.settimeout(0.3)
                for _ in range(rng.randrange(20)):
                    part = s.recv(rng.choice([100, 65536]))
                    if not part:
                        break
            if rng.random() < 0.3:
                s.shutdown(socket.SHUT_WR)
            if rng.random() < 0.5:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()


def run(g, kills):
    tokens = g.token("ada"), g.token("grace")
    workers = sorted(g.children("worker"))
    end = time.monotonic() + SECONDS
    threads = [threading.Thread(target=caller, args=(g, tokens, seed, end)) for seed in range(24)]
    for t in threads:
        t.start()
    rng = random.Random(1)
    while time.monotonic() < end:
        time.sleep(0.4)
        if kills:
            for pid in g.children(rng.choice(kills)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, rng.choice([signal.SIGKILL, signal.SIGSTOP]))
                    time.sleep(0.3)
                    os.kill(pid, signal.SIGCONT)
    for t in threads:
        t.join()
    equal(sorted(g.children("worker")), workers, "the workers")
    wait_until(lambda: g.is_ready() and g.get("/api/books/1", "ada").status == 200, 15, "an answer")
    # Nothing is left behind: neither connections nor records nor logins.
    def left():
        lines = g.admin("/metrics").body.decode().splitlines()
        names = ("connections_open", "audit_waiting", "keeper_waiting")
        return [line for line in lines if line.startswith(tuple(f"gatewarden_{n} " for n in names))
                and not line.endswith(" 0")]
    with contextlib.suppress(AssertionError):
        wait_until(lambda: not left(), 15)
    equal(left(), [])


@test
def test_callers_that_break_off_anywhere_leave_nothing_behind():
    run(Gateway(change=change, before=before), [])


@test
def test_killed_sister_processes_under_load_leave_nothing_behind():
    run(Gateway(change=change, before=before), ["keeper", "ledger"])


@test
def test_reloads_under_load_leave_nothing_behind():
    g = Gateway(change=change, before=before)
    tokens = g.token("ada"), g.token("grace")
    end = time.monotonic() + SECONDS
    threads = [threading.Thread(target=caller, args=(g, tokens, seed, end)) for seed in range(16)]
    for t in threads:
        t.start()
    while time.monotonic() < end:
        time.sleep(1)
        g.signal(signal.SIGHUP)
    for t in threads:
        t.join()
    wait_until(lambda: len(g.children("worker")) == 2, 40, "the old workers to be gone")
    wait_until(lambda: g.is_ready() and g.get("/api/books/1", "ada").status == 200, 15, "an answer")


if __name__ == "__main__":
    main()

"""Long lists leave in parts: constant memory, back-pressure, a second record, and no end for what broke."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import sqlite3
import time

from harness import PLAIN, Gateway, equal, main, query, test, wait_until

ROWS = 10000
TEXT = "x" * 1000


def change(config):
    config["workers"] = 1
    config["resources"]["big"] = {"backend": "books", "table": "big", "page_size": 10, "page_max": ROWS,
                                  "allow": {"reader": ["read"]}}
    config["resources"]["small"] = {"backend": "books", "table": "small", "page_size": 10, "page_max": ROWS,
                                    "allow": {"reader": ["read"]}}
    config["resources"]["broken"] = {"backend": "books", "table": "broken", "page_size": 10, "page_max": ROWS,
                                     "allow": {"reader": ["read"]}}
    config["limits"] = {"write_timeout": "5s"}


def before(folder):
    with contextlib.closing(sqlite3.connect(folder / "data/books.db")) as db:
        db.execute("create table big (id integer primary key, t text)")
        db.executemany("insert into big values (?, ?)", ((i, f"{i} {TEXT}") for i in range(ROWS)))
        db.execute("create table small (id integer primary key, t text)")
        db.executemany("insert into small values (?, ?)", ((i, f"{i}") for i in range(100)))
        # Its last but one row cannot be read: a whole number overflows.
        db.execute("create table broken (id integer primary key, t text)")
        db.execute("insert into broken select id, t from big")
        db.execute("alter table broken add column v integer generated always as "
                   f"(case when id = {ROWS - 2} then abs(-9223372036854775807 - 1) else id end) virtual")
        db.commit()


_gateway = None


def gateway():
    global _gateway
    if _gateway is None:
        _gateway = Gateway(change=change, before=before)
    return _gateway


def head(g, path, version="1.1", more=""):
    return (f"GET {path} HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {g.token('ada')}\r\n{more}\r\n").encode()


def records(g, resource):
    return [r for r in g.records() if r["unmapped"].get("resource") == resource]


def settled(g):
    """How many records there are of the big table when no more come."""
    count = -1
    while count != len(records(g, "big")):
        count = len(records(g, "big"))
        time.sleep(0.3)
    return count


def connect_small(g):
    """With little room in the socket, so that what is not read is not sent."""
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    s.settimeout(15)
    s.connect(("127.0.0.1", g.http_port))
    return s


def read_all(sock, pause=0.0):
    data = bytearray()
    with contextlib.suppress(ConnectionError, TimeoutError):
        while part := sock.recv(65536):
            data += part
            time.sleep(pause)
    return bytes(data)


def unchunk(data):
    """-> (body, whole)"""
    body = b""
    while True:
        line, gap, data = data.partition(b"\r\n")
        if not gap:
            return body, False
        size = int(line, 16)
        if size == 0:
            return body, True
        if len(data) < size + 2:
            return body + data[:size], False
        body, data = body + data[:size], data[size + 2:]


def memory_kib(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1])
    return 0


@test
def test_a_long_list_comes_in_chunks_whole_and_with_two_records():
    g = gateway()
    done = settled(g)
    answer = g.get("/api/big" + query(first=ROWS), "ada")
    equal(answer.status, 200)
    equal(answer.headers.get("transfer-encoding"), "chunked")
    equal(answer.headers.get("content-length"), None)
    rows = answer.json()["value"]
    equal(len(rows), ROWS)
    equal(rows[-1], {"id": ROWS - 1, "t": f"{ROWS - 1} {TEXT}"})
    wait_until(lambda: len(records(g, "big")) == done + 2, 5, "two records")
    first, last = records(g, "big")[-2:]
    equal(first["metadata"]["uid"], last["metadata"]["uid"], "decision")
    equal(last["unmapped"]["rows"], ROWS, "rows of the completion")
    equal(last["unmapped"]["bytes"], len(answer.body), "bytes of the completion")


@test
def test_a_long_page_ends_with_a_link_that_goes_on():
    g = gateway()
    path, seen = "/api/big" + query(first=2500, orderby="t desc"), []
    while path:
        page = g.get(path, "ada").json()
        seen += [row["id"] for row in page["value"]]
        path = page.get("nextLink")
        path = path and path[path.index("/api/"):]
    equal(len(seen), ROWS)
    equal(len(set(seen)), ROWS)


@test
def test_a_short_list_says_its_length():
    answer = gateway().get("/api/small" + query(first=100), "ada")
    equal((answer.status, answer.headers.get("content-length")), (200, str(len(answer.body))))


@test
def test_a_caller_of_http_1_0_and_a_head_get_the_length():
    g = gateway()
    with g.connect() as s:
        s.sendall(head(g, "/api/big" + query(first=2000), "1.0"))
        top, _, body = read_all(s).partition(b"\r\n\r\n")
    equal(b"chunked" in top, False)
    equal(len(json.loads(body)["value"]), 2000)
    answer = g.request("HEAD", "/api/big" + query(first=2000), "ada")
    equal((answer.status, answer.headers.get("content-length"), answer.body), (200, str(len(body)), b""))


@test
def test_slow_readers_cost_no_memory():
    g = Gateway(change=change, before=before, binary=PLAIN)
    g.get("/api/big" + query(first=ROWS), "ada")
    worker = g.children("worker")[0]
    sockets = []
    start = memory_kib(worker)
    for _ in range(2):
        s = connect_small(g)
        s.sendall(head(g, "/api/big" + query(first=ROWS)))
        sockets.append(s)
    time.sleep(1)
    grown = memory_kib(worker) - start
    if grown > 8 << 10:
        raise AssertionError(f"{grown} KiB for two callers that do not read")
    # Others are served meanwhile, also by those connections to the data that are left.
    equal(g.get("/api/small", "ada").status, 200)
    equal(len(g.get("/api/big" + query(first=ROWS), "ada").json()["value"]), ROWS)
    for s in sockets:
        body, whole = unchunk(read_all_until_end(s).partition(b"\r\n\r\n")[2])
        equal((whole, len(json.loads(body)["value"])), (True, ROWS))
        s.close()
    g.check_end()


def read_all_until_end(sock):
    data = bytearray()
    sock.settimeout(10)
    while not data.endswith(b"\r\n0\r\n\r\n"):
        part = sock.recv(65536)
        if not part:
            break
        data += part
    return bytes(data)


@test
def test_a_caller_that_never_reads_is_closed_and_recorded_as_failed():
    g = gateway()
    done = settled(g)
    with connect_small(g) as s:
        s.sendall(head(g, "/api/big" + query(first=ROWS)))
        wait_until(lambda: len(records(g, "big")) == done + 2, 20, "the record of its end")
        last = records(g, "big")[-1]
        equal(last["unmapped"]["outcome"], "failed")
        body, whole = unchunk(read_all(s).partition(b"\r\n\r\n")[2])
        equal(whole, False, "an end was sent")


@test
def test_an_error_in_mid_stream_has_no_last_chunk():
    g = gateway()
    with g.connect() as s:
        s.sendall(head(g, "/api/broken" + query(first=ROWS)) + head(g, "/api/small"))
        data = read_all(s)
    equal(data.count(b"HTTP/1.1 "), 1, "answers: nothing may follow what broke")
    body, whole = unchunk(data.partition(b"\r\n\r\n")[2])
    equal(whole, False, "an end was sent")
    if len(body) < 1 << 20:
        raise AssertionError(f"{len(body)} bytes came")
    wait_until(lambda: len(records(g, "broken")) == 2, 5, "two records")
    equal([r["unmapped"]["outcome"] for r in records(g, "broken")], ["allowed", "failed"])
    # Where nothing has left yet it is an error like any other.
    answer = g.get("/api/broken" + query(filter=f"id ge {ROWS - 3}"), "ada")
    equal((answer.status, answer.error()["code"]), (503, "unavailable"))


@test
def test_a_caller_that_goes_in_mid_stream_is_recorded_twice():
    g = gateway()
    done = settled(g)
    for wait in (0, 0.02, 0.1):
        s = g.connect()
        s.sendall(head(g, "/api/big" + query(first=ROWS)))
        s.recv(1000)
        time.sleep(wait)
        s.close()
    wait_until(lambda: len(records(g, "big")) == done + 6, 10, "six records")
    equal(g.get("/api/small", "ada").status, 200)


@test
def test_the_end_of_a_stream_waits_for_its_record():
    g = gateway()
    with connect_small(g) as s:
        s.sendall(head(g, "/api/big" + query(first=ROWS)))
        data = s.recv(1000)
        ledger = g.children("ledger")[0]
        os.kill(ledger, signal.SIGSTOP)
        try:
            s.settimeout(3)
            data += read_all(s)
            equal(unchunk(data.partition(b"\r\n\r\n")[2])[1], False, "an end was sent")
        finally:
            os.kill(ledger, signal.SIGCONT)
        s.settimeout(10)
        equal(s.recv(100), b"0\r\n\r\n")


@test
def test_pipelined_streams_come_in_order():
    g = gateway()
    with g.connect() as s:
        s.sendall(head(g, "/api/big" + query(first=3000)) + head(g, "/api/small") +
                  head(g, "/api/big" + query(first=2000), more="Connection: close\r\n"))
        s.settimeout(20)
        data = read_all(s)
    top, _, rest = data.partition(b"\r\n\r\n")
    end = rest.index(b"\r\n0\r\n\r\n") + 7
    equal(len(json.loads(unchunk(rest[:end])[0])["value"]), 3000)
    top, _, rest = rest[end:].partition(b"\r\n\r\n")
    length = int(top.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
    equal(len(json.loads(rest[:length])["value"]), 10)
    top, _, rest = rest[length:].partition(b"\r\n\r\n")
    body, whole = unchunk(rest)
    equal((whole, len(json.loads(body)["value"])), (True, 2000))


@test
def test_a_row_has_an_etag_that_changes_with_it():
    g = gateway()
    first = g.get("/api/books/1", "ada")
    tag = first.headers["etag"]
    equal(tag, g.get("/api/books/1", "ada").headers["etag"])
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = g.get("/api/books/1", "ada", headers={"If-None-Match": known})
        equal((again.status, again.body, again.headers.get("etag")), (304, b"", tag), known)
    equal(g.get("/api/books/1", "ada", headers={"If-None-Match": '"other"'}).status, 200)
    equal(g.request("PATCH", "/api/books/1", "grace", body={"stock": 77}).status, 200)
    changed = g.get("/api/books/1", "ada", headers={"If-None-Match": tag})
    equal(changed.status, 200)
    equal(changed.headers["etag"] == tag, False)
    equal(g.get("/api/books/99999", "ada", headers={"If-None-Match": "*"}).status, 404)


if __name__ == "__main__":
    main()

"""Peers that take their time, and how many of them there may be."""
import contextlib
import socket
import threading
import time

from harness import Gateway, equal, main, query, shared, test


def change(config):
    config["workers"] = 1
    config["limits"] = {"head_timeout": "1s", "idle_timeout": "1s", "write_timeout": "1s", "body_rate": "1KiB",
                        "connections": 200, "connections_per_address": 60}


def gateway():
    return shared(change=change)


def closes_after(sock, low, high, feed=None):
    """Seconds until the peer closes; `feed()` is sent every 200 ms."""
    begun = time.monotonic()
    sock.settimeout(0.2)
    while time.monotonic() - begun < high + 2:
        try:
            if not sock.recv(4096):
                break
        except (TimeoutError, socket.timeout):
            pass
        except ConnectionError:
            break
        if feed:
            with contextlib.suppress(ConnectionError):
                sock.sendall(feed())
    took = time.monotonic() - begun
    assert low <= took <= high, f"{took:.1f} s, expected {low} to {high}"


@test
def test_50_a_head_that_does_not_end_is_cut_off():
    with gateway().connect() as s:
        s.sendall(b"GET /me HTTP/1.1\r\nHost: x\r\n")
        closes_after(s, 0.5, 4, lambda: b"X: y\r\n")


@test
def test_50_a_head_byte_by_byte_is_cut_off():
    with gateway().connect() as s:
        closes_after(s, 0.5, 4, lambda: b"G")


@test
def test_50_an_idle_connection_is_closed():
    g = gateway()
    with g.connect() as s:
        s.sendall(b"GET /docs HTTP/1.1\r\nHost: x\r\n\r\n")
        closes_after(s, 0.5, 5)


@test
def test_50_a_connection_that_says_nothing_is_closed():
    with gateway().connect() as s:
        closes_after(s, 0.5, 5)


@test
def test_50_a_body_below_the_rate_is_cut_off():
    g = gateway()
    with g.connect() as s:
        s.sendall(f"POST /api/books HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {g.token('grace')}\r\n"
                  "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n".encode())
        closes_after(s, 4, 12, lambda: b"a")


@test
def test_50_a_reader_that_takes_nothing_is_dropped_and_others_are_served():
    g = gateway()
    token = g.token("grace")
    line = f"GET /api/books{query(first=100)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        s.connect(("127.0.0.1", g.http_port))
        s.settimeout(0.5)
        with contextlib.suppress(TimeoutError, socket.timeout, ConnectionError):
            for _ in range(2000):
                s.sendall(line)
        begun = time.monotonic()
        equal(g.get("/api/books/1", token).status, 200)
        assert time.monotonic() - begun < 10, "another caller waited"
        time.sleep(3)
        s.settimeout(5)
        with contextlib.suppress(ConnectionError):
            while s.recv(1 << 20):
                pass
    assert g.is_ready()


@test
def test_50_one_address_has_so_many_connections_and_no_more():
    g = gateway()
    sockets = []
    try:
        for _ in range(80):
            s = g.connect()
            with contextlib.suppress(ConnectionError):
                s.sendall(b"GET /me HTTP/1.1\r\nHost: x\r\nX: ")
            sockets.append(s)
        time.sleep(0.2)
        refused = 0
        for s in sockets:
            s.setblocking(False)
            try:
                data = s.recv(1000)
                refused += data == b"" or data.startswith((b"HTTP/1.1 429", b"HTTP/1.1 503"))
            except BlockingIOError:
                pass
            except ConnectionError:
                refused += 1
        assert 15 <= refused <= 25, f"{refused} of 80 were refused, 60 are allowed"
    finally:
        for s in sockets:
            s.close()
    time.sleep(0.3)
    equal(g.get("/api/books/1", "ada").status, 200, "places are given back")


@test
def test_memory_does_not_grow_with_what_attackers_send():
    from harness import PLAIN
    import pathlib
    g = Gateway(lambda c: c.update(workers=1), binary=PLAIN)

    def resident():
        total = 0
        for pid in [g.pid(), *g.children()]:
            for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
                if line.startswith("VmRSS"):
                    total += int(line.split()[1])
        return total

    def flood(count):
        for i in range(count):
            g.get("/api/books/1", f"bad.{i}.token")
            g.get(f"/api/nothing{i}", "ada")
            g.get("/api/books" + query(filter=f"title eq 'x{i}'"), "ada")
            if i % 10 == 0:
                g.raw(b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000, 0.01)
    flood(300)
    before = resident()
    flood(900)
    grown = resident() - before
    assert grown < 4096, f"{grown} KiB more after the flood (from {before})"
    g.check_end()


@test
def test_the_limit_of_one_address_does_not_depend_on_who_closed():
    g = gateway()
    for _ in range(3):
        threads = [threading.Thread(target=lambda: g.raw(b"BROKEN\r\n\r\n", 0.5)) for _ in range(50)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
    time.sleep(0.5)
    answers, _, _ = g.raw(b"GET /me HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    equal(answers[0].status, 401)


main()

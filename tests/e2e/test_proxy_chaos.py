#!/usr/bin/env python3
"""A service and callers that do anything, at random, with a fixed seed: afterwards nothing is left over, the log
verifies, and the next caller is answered. Meant for the sanitizers."""
import contextlib
import random
import re
import socket
import threading
import time

from harness import Gateway, equal, main, test, wait_until
from recorder import Recorder, ok

SECONDS, CALLERS = 8, 10
rng = random.Random(7)


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def pieces(connection, request):
    connection.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(rng.randrange(20)):
        connection.send(chunk(bytes(rng.randrange(1, 200000))))
        time.sleep(rng.random() * 0.003)
    if rng.random() < 0.3:
        connection.reset()
    else:
        connection.send(b"0\r\nX-T: 1\r\n\r\n")


def cut(connection, request):
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + bytes(rng.randrange(100000)))
    connection.close()


def late(connection, request):
    time.sleep(rng.random() * 0.4)
    ok(connection, request)


def saying(text, then):
    def answer(connection, request):
        connection.send(text)
        then(connection, request)
    return answer


def close(connection, request):
    connection.close()


def tunnel(connection, request):
    if not request.get("upgrade"):
        ok(connection, request)
        return
    connection.send(b"HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nhi")
    for _ in range(rng.randrange(5)):
        connection.send(bytes(rng.randrange(1, 100000)))
    if rng.random() < 0.5:
        connection.more()
    connection.close()


BEHAVIOURS = [ok, ok, ok, pieces, pieces, cut, late, tunnel, tunnel, close, lambda c, r: c.reset(),
              lambda c, r: (c.send(rng.randbytes(300)), c.close()),
              saying(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd", close),
              saying(b"HTTP/1.1 413 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", close),
              saying(b"HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n", late), saying(b"HTTP/1.1 100 Continue\r\n\r\n", ok)]

service = Recorder(lambda c, r: rng.choice(BEHAVIOURS)(c, r))


def routes(config):
    config["workers"] = 1
    config["limits"] = {"stream_idle_timeout": "1s"}
    config["backends"]["app"] = {"type": "http", "url": service.url, "response_timeout": "300ms", "connections": 8, "queue": 20,
                                 "breaker": {"failures": 0, "open": "1s"}}
    config["routes"] = [{"path": "/open/*", "backend": "app", "public": ["GET", "POST", "HEAD", "PUT"], "limits": {"bytes": "20MiB/s"}},
                        {"path": "/watched/*", "backend": "app", "observe": True, "public": ["GET"]}]


def request(own):
    """-> (head, as much of the body as is sent)"""
    method = own.choice(["GET", "POST", "HEAD", "PUT"])
    head = f"{method} /{own.choice(['open', 'watched'])}/x HTTP/1.{own.choice('1110')}\r\nHost: h\r\n"
    body = b""
    if own.random() < 0.1:
        head += "Connection: Upgrade\r\nUpgrade: websocket\r\n"
    if method in ("POST", "PUT"):
        body = bytes(own.randrange(300000))
        if own.random() < 0.4:
            head += f"Content-Length: {len(body)}\r\n"
        else:
            head += "Transfer-Encoding: chunked\r\n"
            body = (chunk(body) if body else b"") + b"0\r\nT: 1\r\n\r\n"
        if own.random() < 0.2:
            head += "Expect: 100-continue\r\n"
    return head.encode() + b"\r\n", body[:len(body) if own.random() < 0.8 else own.randrange(len(body) + 1)]


def read_some(sock, own):
    sock.settimeout(own.choice([0.01, 0.1, 0.5]))
    with contextlib.suppress(TimeoutError):
        for _ in range(own.randrange(1, 8)):
            if not sock.recv(own.choice([10, 1000, 100000])):
                return
    sock.settimeout(5)


def call(gateway, own):
    with gateway.connect() as sock:
        for _ in range(own.randrange(1, 4)):
            head, body = request(own)
            sock.sendall(head + body)
            if own.random() < 0.2:
                return
            read_some(sock, own)
        if own.random() < 0.3:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif own.random() < 0.3:
            sock.shutdown(socket.SHUT_WR)
            read_some(sock, own)


def call_on(gateway, seed, end):
    own = random.Random(seed)
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            call(gateway, own)


def metric(gateway, name):
    return float(re.search(rf"(?m)^{name}(?:{{[^}}]*}})? (\S+)$", gateway.admin("/metrics").body.decode())[1])


@test
def test_nothing_is_left_of_a_service_and_callers_that_do_anything():
    gateway = Gateway(change=routes)
    end = time.monotonic() + SECONDS
    callers = [threading.Thread(target=call_on, args=(gateway, seed, end)) for seed in range(CALLERS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(service.requests) > 50, len(service.requests)
    service.answer = ok
    for name in ("gatewarden_service_exchanges", "gatewarden_service_waiting"):
        wait_until(lambda n=name: metric(gateway, n) == 0, 20, f"{name} to be 0")
    equal((gateway.get("/open/x").status, len(gateway.children("worker"))), (200, 1))
    gateway.check_end()


if __name__ == "__main__":
    main()

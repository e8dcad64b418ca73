"""WebSockets and server-sent events through the gate, by clients of PyPI and npm we did not write."""
import asyncio
import json
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import httpx  # noqa: E402
import websockets  # noqa: E402
from httpx_sse import connect_sse  # noqa: E402
from websockets.asyncio.client import connect  # noqa: E402

from harness import ROOT, equal, main, test, wait_until  # noqa: E402

from fastapi_books import gate_before, slowly  # noqa: E402

NEW = {"title": "Emma", "author": "Jane Austen", "year": 1815}
USERS = ("ada", "grace")
_state = {}


def world():
    if not _state:
        _state["world"] = gate_before()
    return _state["world"]


def chat(user="ada", g=None, **more):
    g = g or world()[0]
    headers = {"Authorization": f"Bearer {g.token(user)}"} if user else {}
    return connect(g.url.replace("http", "ws", 1) + "/chat", additional_headers=headers, proxy=None,
                   max_size=32 << 20, open_timeout=30, **more)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 120))


# WebSocket, PyPI websockets

@test
def test_websocket_messages_go_both_ways():
    async def talk():
        async with chat() as ws:
            for n in range(200):
                await ws.send(f"message {n}")
                equal(await ws.recv(), f"ada: message {n}")
            await ws.send(b"\0\1\2")
            equal(await ws.recv(), b"\0\1\2")
            await ws.send("")
            equal(await ws.recv(), "ada: ")

    run(talk())


@test
def test_websocket_many_messages_at_once_keep_their_order():
    async def talk():
        async with chat() as ws:
            async def send():
                for n in range(2000):
                    await ws.send(n.to_bytes(4, "big"))
            sender = asyncio.create_task(send())
            for n in range(2000):
                equal(await ws.recv(), n.to_bytes(4, "big"))
            await sender

    run(talk())


@test
def test_websocket_large_messages():
    async def talk():
        async with chat() as ws:
            for size in (125, 126, 65_535, 65_536, 1_000_000, 15_000_000):
                data = os.urandom(size)
                await ws.send(data)
                assert await ws.recv() == data, size

    run(talk())


@test
def test_websocket_fragments():
    async def talk():
        async with chat() as ws:
            await ws.send(iter(["one ", "two ", "three"]))
            equal(await ws.recv(), "ada: one two three")
            pieces = [piece async for piece in fragments(ws)]
            equal("".join(pieces), "ada: again")

    async def fragments(ws):
        await ws.send(iter(["a", "gain"]))
        async for piece in ws.recv_streaming():
            yield piece

    run(talk())


@test
def test_websocket_ping_and_pong():
    async def talk():
        async with chat(ping_interval=None) as ws:
            for data in (b"", b"x" * 125):
                latency = await asyncio.wait_for(await ws.ping(data), 20)
                assert latency >= 0
            await ws.pong(b"nobody asked")
            await ws.send("still here")
            equal(await ws.recv(), "ada: still here")

    run(talk())


@test
def test_websocket_close_codes_go_both_ways():
    async def talk():
        async with chat() as ws:
            await ws.send("bye")
            try:
                await ws.recv()
                raise AssertionError("no close")
            except websockets.ConnectionClosed as e:
                equal((e.rcvd.code, e.rcvd.reason), (4000, "goodbye ada"))
        async with chat() as ws:
            await ws.close(4321, "enough")
            equal((ws.close_code, ws.close_reason), (4321, "enough"))  # the service's echo of it

    run(talk())


@test
def test_websocket_handshakes_that_are_refused():
    g, _ = world()

    async def status(**more):
        try:
            async with chat(**more):
                return 101
        except websockets.InvalidStatus as e:
            return e.response.status_code

    equal(run(status(user=None)), 401)
    equal(run(status()), 101)
    equal(run(status(subprotocols=["unknown"])), 101)
    # Not through a route without it, and not with a method that has none.
    equal(g.request("POST", "/chat", "ada", headers={"Connection": "Upgrade", "Upgrade": "websocket"}).status, 403)


@test
def test_websocket_100_at_once():
    async def talk():
        sockets = await asyncio.gather(*(chat(user=USERS[n % 2], close_timeout=30) for n in range(100)))
        for n, ws in enumerate(sockets):
            await ws.send(f"{n}")
        for n, ws in enumerate(sockets):
            equal(await ws.recv(), f"{USERS[n % 2]}: {n}")
        await asyncio.gather(*(ws.close() for ws in sockets))
        return len(sockets)

    equal(run(talk()), 100)
    equal(run(talk()), 100)  # none of the first hundred is still counted


@test
def test_websocket_clients_that_vanish_leave_nothing():
    g, application = world()

    async def talk():
        for _ in range(30):
            ws = await chat()
            await ws.send(b"x" * 100_000)
            ws.transport.abort()

    before = open_sockets(application)
    run(talk())
    wait_until(lambda: open_sockets(application) <= before + 2, 30, "the application's sockets to be closed")
    equal(g.get("/books", "ada").status, 200)


def open_sockets(application):
    folder = pathlib.Path(f"/proc/{application.process.pid}/fd")
    count = 0
    for entry in folder.iterdir():
        try:
            count += os.readlink(entry).startswith("socket:")
        except OSError:
            pass
    return count


@test
def test_websocket_who_does_not_read_is_not_read_from():
    g, _ = world()
    s = socket.create_connection(("127.0.0.1", g.http_port), timeout=20)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    s.sendall((f"GET /chat HTTP/1.1\r\nHost: 127.0.0.1:{g.http_port}\r\nAuthorization: Bearer {g.token('ada')}\r\n"
               "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += s.recv(1)
    assert head.startswith(b"HTTP/1.1 101 "), head
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head, head
    frame = b"\x82\xff" + struct.pack(">Q", 65536) + b"\0\0\0\0" + b"x" * 65536
    s.setblocking(False)
    sent, pending, stalled = 0, memoryview(b""), time.monotonic()
    while time.monotonic() - stalled < 2:
        if not pending:
            pending = memoryview(frame)
        try:
            n = s.send(pending)
            pending, sent, stalled = pending[n:], sent + n, time.monotonic()
        except BlockingIOError:
            select.select([], [s], [], 0.1)
        assert sent < 128 << 20, "it takes whatever is sent"
    # And all of it comes back when it is read.
    s.setblocking(True)
    s.settimeout(30)
    frames = sent // len(frame)
    rest = len(frame) - sent % len(frame)
    threading.Thread(target=s.sendall, args=(frame[-rest:],), daemon=True).start()
    expected = (frames + 1) * (65536 + 10)
    got = 0
    while got < expected:
        part = s.recv(1 << 20)
        assert part, f"closed after {got} of {expected}"
        got += len(part)
    equal(got, expected)
    s.close()


@test
def test_websocket_stays_open_while_the_gate_is_reloaded():
    g, _ = world()

    async def talk():
        async with chat() as ws:
            await ws.send("before")
            await ws.recv()
            workers = set(g.children("worker"))
            g.signal(signal.SIGHUP)
            await asyncio.to_thread(wait_until, lambda: set(g.children("worker")) - workers, 20, "new workers")
            for n in range(20):
                await ws.send(f"{n}")
                equal(await ws.recv(), f"ada: {n}")
                await asyncio.sleep(0.1)
            async with chat() as other:
                await other.send("new")
                equal(await other.recv(), "ada: new")
            assert workers & set(g.children("worker")), "the worker that has the socket"
            await ws.send("bye")
            try:
                await ws.recv()
                raise AssertionError("no close")
            except websockets.ConnectionClosed as e:
                equal(e.rcvd.code, 4000)
            await asyncio.to_thread(wait_until, lambda: not workers & set(g.children("worker")), 30,
                                    "the workers of before to end")

    run(talk())


@test
def test_a_tunnel_is_recorded_when_it_begins_and_when_it_ends():
    g, _ = world()

    async def talk():
        async with chat() as ws:
            await ws.send("x" * 1000)
            await ws.recv()
            wait_until(lambda: len(of_chat()) > before, 15, "the record of the handshake")

    def of_chat():
        return g.records("/chat")

    before = len(of_chat())
    run(talk())
    wait_until(lambda: len(of_chat()) > before + 1, 15, "the record of its end")


# Server-sent events

def listen(g, events, ready, count):
    with httpx.Client(trust_env=False, timeout=60) as client, connect_sse(
            client, "GET", g.url + "/events", headers={"Authorization": f"Bearer {g.token('ada')}"}) as source:
        equal(source.response.headers["Content-Type"].split(";")[0], "text/event-stream")
        for event in source.iter_sse():
            events.append(event)
            ready.set()
            if len(events) == count:
                return


def added(g, title="Emma"):
    answer = g.request("POST", "/books", "grace", body={**NEW, "title": title})
    equal(answer.status, 201)
    return answer.json()["id"]


@test
def test_events_arrive_as_they_happen():
    g, _ = world()
    events, ready = [], threading.Event()
    thread = threading.Thread(target=listen, args=(g, events, ready, 4), daemon=True)
    thread.start()
    assert ready.wait(20), "the first event"
    key = added(g)
    wait_until(lambda: len(events) == 2, 20, "the second event")
    assert slowly(lambda: len(events) == 2, 0.5), "an event of its own making"
    equal(g.request("DELETE", f"/books/{key}", "grace").status, 204)
    wait_until(lambda: len(events) == 3, 20, "the third event")
    added(g, "Łódź\u2028and more")
    thread.join(20)
    equal([(e.event, e.id) for e in events], [("hello", ""), ("book", "1"), ("book", "2"), ("book", "3")])
    data = [json.loads(e.data) for e in events]
    equal((data[1]["what"], data[2]["what"], data[3]["title"]), ("added", "deleted", "Łódź\u2028and more"))


@test
def test_events_for_many_listeners():
    g, application = world()
    everyone = [([], threading.Event()) for _ in range(40)]
    before = open_sockets(application)
    threads = [threading.Thread(target=listen, args=(g, events, ready, 2), daemon=True) for events, ready in everyone]
    for thread in threads:
        thread.start()
    for _, ready in everyone:
        assert ready.wait(30), "the first event"
    added(g)
    for thread in threads:
        thread.join(30)
    equal([len(events) for events, _ in everyone], [2] * 40)
    # They are gone at the application too: a stream that has not ended cannot serve another request.
    wait_until(lambda: open_sockets(application) <= before + 2, 30, "the application's sockets to be closed")


@test
def test_events_are_for_those_who_may():
    g, _ = world()
    equal(g.get("/events").status, 401)
    equal(g.request("POST", "/events", "ada").status, 403)


# npm ws and eventsource

@test
def test_npm_ws_and_eventsource():
    g, _ = world()
    told = json.dumps({"url": g.url, "ada": g.token("ada"), "grace": g.token("grace"), "name": "ada"})
    done = subprocess.run(["node", pathlib.Path(__file__).parent / "streams.mjs"], cwd=ROOT / "tests", input=told,
                          text=True, capture_output=True, timeout=150, check=False)
    print(done.stdout, end="")
    equal(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    main()

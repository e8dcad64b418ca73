#!/usr/bin/env python3
"""Services behind the gate: several origins, pools, deadlines, the breaker, health, TLS, HTTP/2, names."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import re
import resource
import secrets
import socket
import tempfile
import threading
import time

from harness import Gateway, Skip, equal, free_port, main, test, wait_until  # isort: skip (it finds the rest)
from front import Authority
from recorder import Recorder, ok
from services import Hypercorn, Nginx

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="gatewarden-services-"))
(FOLDER / "other").mkdir()
AUTHORITY, OTHER = Authority(FOLDER), Authority(FOLDER / "other")


class Origin(Recorder):
    """One that can die and come back on its port."""

    def die(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.close()

    def revive(self):
        self.connections = []
        self.listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self.accept, daemon=True).start()

    def open(self):
        return [c for c in self.connections if not c.is_closed]


def gateway(url, methods=("GET", "POST", "PUT"), **settings):
    def change(config):
        config["workers"] = 1
        config["backends"]["app"] = {"type": "http", "url": url, **settings}
        config["routes"] = [{"path": "/app/*", "backend": "app", "public": list(methods)}]
    return Gateway(change)


@contextlib.contextmanager
def ended(*things):
    """They are stopped, and the gateways' ends checked, whatever happens."""
    try:
        yield things[0]
        for thing in things:
            if isinstance(thing, Gateway):
                thing.check_end()
    finally:
        for thing in things:
            if isinstance(thing, Gateway):
                thing.kill()
                thing.discard()
            elif hasattr(thing, "stop"):
                thing.stop()
            else:
                thing.close()


def metric(g, name):
    """The sum over all that it is counted by."""
    text = g.admin("/metrics").body.decode()
    return sum(int(line.rsplit(" ", 1)[1]) for line in text.splitlines()
               if re.match(rf"gatewarden_{name}(_total)?[{{ ]", line))


def said(g, *words):
    return [line for line in g.log if all(word in line for word in words)]


def many(g, count, workers=8, method="GET", path="/app/x"):
    """Statuses of so many requests, by so many callers at once."""
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda _: g.request(method, path).status, range(count)))


def slowly(connection, request):
    connection.body(request)
    time.sleep(0.3)
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nslow")


def never(connection, request):
    connection.body(request)
    connection.more()


def after(name):
    def answer(connection, request):
        connection.body(request)
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name))
    return answer


# Origins

@test
def test_connections_are_used_again():
    service = Origin()
    with ended(gateway(service.url), service) as g:
        for _ in range(50):
            equal(g.get("/app/x").status, 200)
        equal((len(service.connections), len(service.requests)), (1, 50))
        equal(set(many(g, 100, workers=8)), {200})
        assert len(service.connections) <= 8, len(service.connections)


@test
def test_the_origin_with_least_to_do_is_asked():
    services = [Origin(after(b"%d" % i)) for i in range(3)]
    services[0].answer = slowly
    with ended(gateway([s.url for s in services]), *services) as g:
        equal(set(many(g, 90, workers=6)), {200})
        counts = [len(s.requests) for s in services]
        assert counts[0] < counts[1] / 2 and counts[0] < counts[2] / 2, counts
        assert abs(counts[1] - counts[2]) < 20, counts


@test
def test_a_gate_without_descriptors_does_not_blame_the_service():
    def once(connection, request):  # a new connection is needed each time
        connection.send(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    service = Origin(once)
    with ended(gateway(service.url, breaker={"failures": 3, "open": "1h"},
                       health={"path": "/healthz", "interval": "200ms", "fall": 1, "rise": 100}), service) as g:
        worker, = g.children("worker")
        kept, callers, refused = g.connect(), [], 0
        wait_until(lambda: service.requests, 10, "a probe")
        limits = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        used = len(os.listdir(f"/proc/{worker}/fd"))
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (used + 4, limits[1]))
        callers = [g.connect() for _ in range(20)]
        while refused < 8:
            kept.sendall(b"GET /app/x HTTP/1.1\r\nHost: %s\r\n\r\n" % g.url.removeprefix("http://").encode())
            refused += b" 503 " in kept.recv(65536)
        time.sleep(1)  # for probes
        for caller in callers:
            caller.close()
        resource.prlimit(worker, resource.RLIMIT_NOFILE, limits)
        equal((g.get("/app/x").status, said(g, "breaker"), said(g, "is down")), (200, [], []))


@test
def test_an_origin_that_dies_and_comes_back_fails_nobody():
    services = [Origin() for _ in range(3)]
    with ended(gateway([s.url for s in services], breaker={"failures": 3, "open": "1s"}), *services) as g:
        seen, stop = [], threading.Event()

        def call():
            while not stop.is_set():
                seen.append(g.get("/app/x").status)
        callers = [threading.Thread(target=call) for _ in range(4)]
        for caller in callers:
            caller.start()
        wait_until(lambda: all(s.requests for s in services), 10, "all to be asked")
        services[1].die()
        mark = len(seen)
        wait_until(lambda: len(seen) > mark + 200, 20, "requests without it")
        before = len(services[1].requests)
        services[1].revive()
        wait_until(lambda: len(services[1].requests) > before + 10, 20, "it to be asked again")
        stop.set()
        for caller in callers:
            caller.join()
        equal(set(seen), {200})
        assert said(g, "origin of a service failed", f":{services[1].port}"), g.log[-5:]


@test
def test_when_all_are_down_it_is_503_and_readyz_says_so():
    service = Origin()
    with ended(gateway(service.url, breaker={"failures": 2, "open": "1s"}), service) as g:
        equal(g.get("/app/x").status, 200)
        service.die()
        for _ in range(4):
            answer = g.get("/app/x")
            assert answer.status in (502, 503), answer
        equal(answer.status, 503)
        assert int(answer.headers["retry-after"]) >= 1, answer.headers
        ready = g.admin("/readyz")
        equal(ready.status, 200, "others are served")
        assert "app" in json.loads(ready.body)["services_down"], ready.body
        equal(metric(g, "service_origins_up"), 0)
        service.revive()
        wait_until(lambda: g.get("/app/x").status == 200, 10, "the breaker to close")
        assert "services_down" not in json.loads(g.admin("/readyz").body)
        equal(metric(g, "service_origins_up"), 1)


@test
def test_the_breaker_keeps_callers_from_a_service_that_fails():
    def cut(connection, request):
        connection.body(request)
        connection.close()
    service = Origin(cut)
    with ended(gateway(service.url, breaker={"failures": 3, "open": "2s"}, retries=0), service) as g:
        statuses = [g.get("/app/x").status for _ in range(10)]
        equal((statuses, len(service.requests)), ([502] * 3 + [503] * 7, 3))
        assert said(g, "circuit breaker"), g.log
        service.answer = ok
        wait_until(lambda: g.get("/app/x").status == 200, 10, "one that tries")
        equal(set(many(g, 20)), {200})


@test
def test_the_log_names_a_service_that_stays_away_once():
    service = Origin()
    with ended(gateway(service.url, health={"path": "/healthz", "interval": "100ms"}, breaker={"failures": 3, "open": "1s"}), service) as g:
        equal(g.get("/app/x").status, 200)
        service.die()
        wait_until(lambda: said(g, "circuit breaker"), 10, "the breaker to open")
        failed = metric(g, "service_failures")
        wait_until(lambda: metric(g, "service_failures") > failed + 10, 20, "more probes that fail")
        for what in ("circuit breaker", "origin of a service failed", "origin of a service is down"):
            equal(sum(what in line for line in g.log), 1, what)


@test
def test_the_health_path_decides_who_is_asked():
    sick = threading.Event()

    def answer(connection, request):
        connection.body(request)
        status = b"500 No" if sick.is_set() and request.target == "/healthz" else b"200 OK"
        connection.send(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
    services = [Origin(answer), Origin()]
    health = {"path": "/healthz", "interval": "100ms", "timeout": "2s", "rise": 2, "fall": 2}
    with ended(gateway([s.url for s in services], health=health), *services) as g:
        equal(set(many(g, 10)), {200})
        sick.set()
        wait_until(lambda: metric(g, "service_origins_up") == 1, 10, "it to be down")
        assert said(g, "is down", f":{services[0].port}"), g.log
        before = len([r for r in services[0].requests if r.target != "/healthz"])
        equal(set(many(g, 20)), {200})
        equal(len([r for r in services[0].requests if r.target != "/healthz"]), before)
        sick.clear()
        wait_until(lambda: metric(g, "service_origins_up") == 2, 10, "it to be up")


# What is said to one is never heard by another

POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


def whim(connection, request):
    """A whole answer that names its request, and more or less than that. (What a service says when the next request is
    under way, HTTP/1.1 cannot tell from the answer to it.)"""
    connection.body(request)
    name = request.target.rsplit("/", 1)[1].encode()
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(name), name)
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(name), name)
    kind = secrets.randbelow(12)
    if kind == 0:
        connection.send(whole + POISON)
    elif kind == 1:
        connection.send(whole)
        connection.reset()
    elif kind == 2:
        connection.send(whole[:-2])
        connection.reset()
    elif kind == 3:
        connection.send(chunked[:-6])
        connection.close()
    elif kind == 4:
        connection.reset()
    elif kind == 5:
        connection.send(b"HTTP/1.1 103 Early Hints\r\n\r\n" + chunked)
    elif kind == 6:
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + name)
        connection.close()
    elif kind == 7:
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" + POISON)
    elif kind == 8:
        time.sleep(0.05)
        connection.send(whole)
    else:
        connection.send(chunked if kind == 9 else whole)


@test
def test_no_answer_meets_another_request():
    services = [Origin(whim), Origin(whim)]
    with ended(gateway([s.url for s in services], connections=4, breaker={"failures": 0}, retries=2), *services) as g:
        def call(n):
            method = ("GET", "POST", "PUT")[n % 3]
            body = b"" if method == "GET" else b"x" * (n % 50)
            try:
                with g.connect() as s:
                    s.sendall(b"%s /app/%08d HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" %
                              (method.encode(), n, len(body), body))
                    if n % 11 == 0:
                        return None  # gone before the answer
                    data = b""
                    while part := s.recv(65536):
                        data += part
            except ConnectionResetError:
                return 0  # cut off, as the service did
            head, _, body = data.partition(b"\r\n\r\n")
            while head.split(b" ", 2)[1:2] == [b"103"]:
                head, _, body = body.partition(b"\r\n\r\n")
            assert b"poison" not in data, data
            status = int(head.split(b" ", 2)[1]) if head else 0
            if status == 200:
                assert b"%08d" % n in body or len(body.replace(b"\r\n", b"")) < 10, (n, data)
            return status
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(call, range(600)))
        assert statuses.count(200) > 200, statuses
        assert set(statuses) <= {None, 0, 200, 502, 503, 504}, set(statuses)
        for service in services:
            service.answer = ok
        equal(set(many(g, 40)), {200}, "it is well again")
        wait_until(lambda: metric(g, "service_exchanges") == 0, 10, "all to have ended")
        assert metric(g, "service_connections") <= 8


# Limits and deadlines

@test
def test_a_full_queue_is_503():
    service = Origin(slowly)
    with ended(gateway(service.url, connections=2, queue=2), service) as g:
        statuses = many(g, 12, workers=12)
        assert set(statuses) == {200, 503}, statuses
        assert statuses.count(200) >= 4, statuses
        equal(len(service.connections), 2)
        answers = []
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(lambda _: g.get("/app/x"), range(12)))
        assert all("retry-after" in a.headers for a in answers if a.status == 503), answers


@test
def test_who_waits_for_a_connection_does_not_wait_for_ever():
    service = Origin(never)
    with ended(gateway(service.url, connections=1, connect_timeout="500ms", response_timeout="5s"), service) as g:
        start = time.monotonic()
        statuses = sorted(many(g, 3, workers=3))
        equal(statuses, [503, 503, 504])
        assert time.monotonic() - start < 14


@test
def test_a_service_that_does_not_answer_is_504():
    def drip(connection, request):
        connection.body(request)
        connection.send(b"HTTP/1.1 200 OK\r\nX: ")
        with contextlib.suppress(OSError):
            for _ in range(200):
                connection.send(b"a")
                time.sleep(0.05)
    service = Origin(never)
    with ended(gateway(service.url, response_timeout="500ms"), service) as g:
        for answer in (never, drip):
            service.answer = answer
            equal(g.get("/app/x").status, 504, answer.__name__)
        equal(len(service.requests), 2, "not tried again")
        wait_until(lambda: not service.open(), 5, "its connections to be closed")


@contextlib.contextmanager
def black_hole():
    """A port that lets nobody in: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            s = stack.enter_context(socket.socket())
            s.setblocking(False)
            s.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@test
def test_a_connection_that_is_not_made_is_504():
    with black_hole() as port, ended(gateway(f"http://127.0.0.1:{port}", connect_timeout="500ms", breaker={"failures": 0})) as g:
        start = time.monotonic()
        equal(g.get("/app/x").status, 504)
        assert time.monotonic() - start < 10


@test
def test_another_origin_is_asked_where_one_cannot_be_reached():
    service = Origin()
    with black_hole() as port, ended(gateway([f"http://127.0.0.1:{port}", service.url], connect_timeout="500ms"), service) as g:
        equal({g.request("POST", "/app/x", body="x").status for _ in range(6)}, {200})


# Names

@test
def test_a_name_is_looked_up_again_from_inside_the_sandbox():
    service = Origin()
    with ended(gateway(f"http://localhost:{service.port}", breaker={"failures": 0}), service) as g:
        equal(g.get("/app/x").status, 200)
        workers = g.children("worker")
        service.die()
        equal(g.get("/app/x").status, 503)
        time.sleep(1.5)  # a second later, and then each 30
        service.revive()
        wait_until(lambda: g.get("/app/x").status == 200, 10, "it to be asked again")
        equal((g.children("worker"), said(g, "cannot be looked up")), (workers, []))


@test
def test_a_name_that_nobody_knows_is_503_and_does_not_keep_the_gate_from_starting():
    with ended(gateway("http://no-such-host.invalid:80")) as g:
        equal(g.get("/app/x").status, 503)
        assert "app" in json.loads(g.admin("/readyz").body)["services_down"]


# TLS

def on_tls(url, **tls):
    def change(config):
        config["workers"] = 1
        config["backends"]["app"] = {"type": "http", "url": url, "breaker": {"failures": 0},
                                     "tls": {"ca": str(AUTHORITY.file), **tls}}
        config["routes"] = [{"path": "/app/*", "backend": "app", "public": ["GET", "POST"]}]
    return change


def nginx(port, files, how="ssl", more=""):
    if not Nginx.is_there():
        raise Skip("nginx is not installed")
    return Nginx(port, how, f"ssl_certificate {files[0]}; ssl_certificate_key {files[1]}; {more}")


@test
def test_a_service_is_reached_by_tls():
    port, files = free_port(), AUTHORITY.certificate("service", ["service.example"])
    server = nginx(port, files)
    with ended(Gateway(on_tls(f"https://127.0.0.1:{port}", server_name="service.example")), server) as g:
        for _ in range(10):
            equal(g.get("/app/x").body, b"HTTP/1.1 NONE service.example")
        equal({line[0] for line in server.lines()}, {server.lines()[0][0]}, "one connection")


@test
def test_a_service_that_is_not_who_it_should_be_is_502():
    for what, files, expected, word in (
            ("another address", AUTHORITY.certificate("elsewhere", ["elsewhere.example"]), {}, "of another address"),
            ("another name", AUTHORITY.certificate("elsewhere", ["elsewhere.example"]), {"server_name": "service.example"}, "of another name"),
            ("an expired certificate", AUTHORITY.certificate("old", end=-1), {}, "has ended"),
            ("an unknown authority", OTHER.certificate("unknown"), {}, "not valid")):
        port = free_port()
        server = nginx(port, files)
        with ended(Gateway(on_tls(f"https://127.0.0.1:{port}", **expected)), server) as g:
            answer = g.get("/app/x")
            equal(answer.status, 502, what)
            lines = wait_until(lambda g=g, port=port: said(g, "origin of a service failed", f":{port}"), 10, "the log")
            assert word in lines[0], (what, lines)
            equal(server.lines(), [], "nothing was asked")


@test
def test_a_port_without_tls_is_502():
    listener = socket.create_server(("127.0.0.1", 0))

    def refuse():
        with contextlib.suppress(OSError):
            while True:
                s, _ = listener.accept()
                s.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                s.close()
    threading.Thread(target=refuse, daemon=True).start()
    with ended(Gateway(on_tls(f"https://127.0.0.1:{listener.getsockname()[1]}")), listener) as g:
        equal(g.get("/app/x").status, 502)


@test
def test_a_certificate_is_shown_to_a_service_that_asks_for_one():
    files, mine = AUTHORITY.certificate("asking"), AUTHORITY.certificate("gate")
    port = free_port()
    server = nginx(port, files, more=f"ssl_client_certificate {AUTHORITY.file}; ssl_verify_client on;")
    url = f"https://127.0.0.1:{port}"
    without = Gateway(on_tls(url))
    with ended(Gateway(on_tls(url, certificate=str(mine[0]), key=str(mine[1]))), without, server) as g:
        equal(g.get("/app/x").body.split()[1], b"SUCCESS")
        equal(without.get("/app/x").status, 400, "nginx refuses who shows none")


# HTTP/2

@test
def test_http2_is_agreed_on_by_tls():
    port, files = free_port(), AUTHORITY.certificate("two")
    server = nginx(port, files, how="ssl http2")
    with ended(Gateway(on_tls(f"https://127.0.0.1:{port}")), server) as g:
        equal(g.get("/app/x").body.split()[0], b"HTTP/2.0")
        equal(set(many(g, 60, workers=12)), {200})
        equal(len({line[0] for line in server.lines()}), 1, "all on one connection")


@test
def test_http2_is_spoken_in_the_clear_where_the_operator_says_so():
    if not Nginx.is_there():
        raise Skip("nginx is not installed")
    port = free_port()
    server = Nginx(port, "http2")
    with ended(gateway(f"http://127.0.0.1:{port}", protocol="http2"), server) as g:
        equal(set(many(g, 60, workers=12)), {200})
        equal({line[2] for line in server.lines()}, {"HTTP/2.0"})
        equal(len({line[0] for line in server.lines()}), 1, "all on one connection")


@test
def test_nginx_that_ends_its_http2_connections_fails_nobody():
    """nginx sends GOAWAY after so many requests on one connection."""
    if not Nginx.is_there():
        raise Skip("nginx is not installed")
    port = free_port()
    server = Nginx(port, "http2", "keepalive_requests 7;")
    with ended(gateway(f"http://127.0.0.1:{port}", protocol="http2"), server) as g:
        equal(set(many(g, 100, workers=6)), {200})
        assert len({line[0] for line in server.lines()}) >= 10


@test
def test_an_application_is_asked_over_http2():
    if not Hypercorn.is_there():
        raise Skip("hypercorn is not installed: ./dev test")
    port, files = free_port(), AUTHORITY.certificate("hypercorn")
    server = Hypercorn(port, "--certfile", str(files[0]), "--keyfile", str(files[1]))
    plain = Hypercorn(free_port())
    with ended(Gateway(on_tls(f"https://127.0.0.1:{port}")), gateway(f"http://127.0.0.1:{plain.port}"), server, plain) as g:
        answer = g.get("/app/x")
        equal((answer.status, answer.headers["x-version"]), (200, "2"))
        body = "a" * 300000
        equal(g.request("POST", "/app/x", body=body).body, b"300000 " + b"a" * 40)
        answer = g.get("/app/size/3000000")
        equal(len(answer.body), 3000000)
        equal(set(many(g, 40, workers=8)), {200})


@test
def test_upgrades_beside_http2_keep_to_the_limit_of_connections():
    """Each needs a connection of its own, of HTTP/1.1. Who finds none is in nobody's way."""
    silent = Recorder(lambda c, r: c.more())
    port, files = free_port(), AUTHORITY.certificate("upgrades")
    server = nginx(port, files, how="ssl http2", more=f"location /app/ws {{ proxy_pass {silent.url}; }}")

    def change(config):
        on_tls(f"https://127.0.0.1:{port}")(config)
        config["backends"]["app"] |= {"connections": 3, "queue": 50}
    with ended(Gateway(change), server) as g, contextlib.ExitStack() as open_sockets:
        equal(g.get("/app/x").status, 200)
        for _ in range(8):
            s = open_sockets.enter_context(g.connect())
            s.sendall(b"GET /app/ws HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        wait_until(lambda: len(silent.requests) >= 2, 10, "two upgrades at the service")
        wait_until(lambda: metric(g, "service_refusals") == 6, 10, "the others to be refused")
        equal((metric(g, "service_connections"), set(many(g, 20))), (3, {200}))
        equal(len(silent.requests), 2)


@test
def test_services_of_both_kinds_stand_side_by_side():
    if not (Hypercorn.is_there() and Nginx.is_there()):
        raise Skip("nginx or hypercorn is not installed")
    port, files = free_port(), AUTHORITY.certificate("mixed")
    server = nginx(port, files, how="ssl http2")
    plain = nginx(free_port(), files)
    with ended(Gateway(on_tls([f"https://127.0.0.1:{p}" for p in (port, plain.port)])), server, plain) as g:
        equal(set(many(g, 40, workers=4)), {200})
        equal(({line[2] for line in server.lines()}, {line[2] for line in plain.lines()}), ({"HTTP/2.0"}, {"HTTP/1.1"}))


@test
def test_an_http2_service_that_dies_and_comes_back_fails_nobody():
    if not Nginx.is_there():
        raise Skip("nginx is not installed")
    ports = [free_port(), free_port()]
    servers = [Nginx(port, "http2") for port in ports]
    with ended(gateway([f"http://127.0.0.1:{p}" for p in ports], protocol="http2"), servers[0]) as g:
        equal(set(many(g, 20)), {200})
        servers[1].stop()
        equal(set(many(g, 40)), {200})
        servers[1] = Nginx(ports[1], "http2")
        wait_until(lambda: g.get("/app/x").status == 200 and servers[1].lines(), 10, "it to be asked again")
        servers[1].stop()


if __name__ == "__main__":
    main()

"""The FastAPI example behind TLS and HTTP/2: httpx over h2, wss, and the application that fetches its keys by https."""
import asyncio
import atexit
import concurrent.futures
import hashlib
import json
import pathlib
import random
import shutil
import ssl
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import httpx  # noqa: E402
from httpx_sse import aconnect_sse  # noqa: E402
from websockets.asyncio.client import connect  # noqa: E402

from harness import Gateway, equal, main, test  # noqa: E402

from fastapi_books import Application, configure  # noqa: E402
from front import Authority  # noqa: E402

NEW = {"title": "Emma", "author": "Jane Austen", "year": 1815}
_state = {}


def world():
    """-> (gate, its https URL, the file of what a client trusts)"""
    if not _state:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="gatewarden-fastapi-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        authority = Authority(folder)
        certificate, key = authority.certificate("gate")
        g = Gateway(start=False)
        url = f"https://127.0.0.1:{g.http_port}"
        application = Application(url, environment={"SSL_CERT_FILE": str(authority.file)}).start()

        def secure(text):
            plain = f"  http: 127.0.0.1:{g.http_port}\n"
            equal(text.count(plain), 1, text)
            tls = f"  http: {{address: 127.0.0.1:{g.http_port}, tls: {{certificate: {certificate}, key: {key}}}}}\n"
            return f"public_url: {url}\n" + text.replace(plain, tls)

        configure(g, application, secure)
        g.start()
        _state["world"] = g, url, authority.file
    return _state["world"]


def client(kind=httpx.Client, user=None, **more):
    g, url, file = world()
    options = {"http2": True, "base_url": url, "verify": ssl.create_default_context(cafile=file), "trust_env": False, "timeout": 60, **more}
    headers = {}
    if user:
        if user not in g.tokens:
            with httpx.Client(**options) as c:
                answer = c.post("/token", data={"grant_type": "password", "username": user, "password": g.passwords[user]})
                equal((answer.status_code, answer.http_version), (200, "HTTP/2"))
                g.tokens[user] = answer.json()["access_token"]
                g.keep_secrets(answer.json())
        headers["Authorization"] = f"Bearer {g.tokens[user]}"
    return kind(headers=headers, **options)


@test
def test_roles_over_http2():
    with client() as nobody, client(user="ada") as ada, client(user="grace") as grace:
        for c, expected in ((nobody, (401, 401)), (ada, (200, 403)), (grace, (200, 201))):
            answers = c.get("/books"), c.post("/books", json=NEW)
            equal(tuple(a.status_code for a in answers), expected)
            equal({a.http_version for a in answers}, {"HTTP/2"})
        equal(nobody.get("/hello").json(), "Hello, stranger")
        who = ada.get("/whoami").json()
        equal((who["name"], who["claims"]["iss"]), ("ada", world()[1]))


@test
def test_a_file_of_20_mb_over_http2():
    data = random.Random(3).randbytes(20_000_000)
    with client(user="grace") as c:
        path = f"/books/{c.post('/books', json=NEW).json()['id']}/manuscript"
        answer = c.put(path, content=data)
        equal((answer.status_code, answer.json()), (200, {"bytes": len(data)}))
        digest = hashlib.sha256()
        with c.stream("GET", path) as answer:
            for part in answer.iter_bytes():
                digest.update(part)
        equal(digest.hexdigest(), hashlib.sha256(data).hexdigest())


@test
def test_many_requests_on_one_connection():
    async def ask():
        async with client(httpx.AsyncClient, "ada", limits=httpx.Limits(max_connections=1)) as c:
            answers = await asyncio.gather(*(c.get(f"/books/{1 + n % 2}") for n in range(60)))
            equal({a.status_code for a in answers}, {200})
            equal([a.json()["id"] for a in answers], [1 + n % 2 for n in range(60)])

    asyncio.run(asyncio.wait_for(ask(), 60))


@test
def test_events_over_http2_beside_other_requests():
    async def listen():
        async with client(httpx.AsyncClient, "grace", limits=httpx.Limits(max_connections=1)) as c:
            async with aconnect_sse(c, "GET", "/events") as source:
                equal(source.response.http_version, "HTTP/2")
                events = source.aiter_sse()
                equal((await anext(events)).event, "hello")
                for n in range(5):  # on the very connection that waits for events
                    equal((await c.post("/books", json={**NEW, "title": f"{n}"})).status_code, 201)
                    equal(json.loads((await anext(events)).data)["title"], f"{n}")

    asyncio.run(asyncio.wait_for(listen(), 60))


@test
def test_a_websocket_over_tls():
    async def talk():
        async with connect(url.replace("https", "wss", 1) + "/chat", ssl=ssl.create_default_context(cafile=file),
                           proxy=None, max_size=8 << 20,
                           additional_headers={"Authorization": f"Bearer {g.tokens['ada']}"}) as ws:
            await ws.send("hello")
            equal(await ws.recv(), "ada: hello")
            data = random.Random(4).randbytes(5_000_000)
            await ws.send(data)
            assert await ws.recv() == data
            await ws.close(4321)
            equal(ws.close_code, 4321)

    g, url, file = world()
    client(user="ada").close()
    asyncio.run(asyncio.wait_for(talk(), 60))


@test
def test_downloads_that_pause_do_not_hold_each_other_up():
    with client(user="ada") as c:
        with c.stream("GET", "/export?lines=200000") as slow:
            lines = slow.iter_lines()
            next(lines)
            with concurrent.futures.ThreadPoolExecutor(1) as pool:  # another connection
                equal(pool.submit(lambda: client(user="ada").get("/books").status_code).result(30), 200)
            equal(sum(1 for _ in lines), 199_999)


if __name__ == "__main__":
    main()

import http.server
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from gatewarden_fastapi import Gate
from gatewarden_fastapi.testing import Signer


@pytest.fixture
def gate() -> Gate:
    return Gate("https://gate.test.invalid", "books")


@pytest.fixture
def signer(gate: Gate) -> Iterator[Signer]:
    with Signer(gate, audience="books") as made:
        yield made


class Server:
    """Answers GET with `body`, and counts."""

    def __init__(self) -> None:
        self.status, self.body, self.count = 200, b"", 0
        self.headers: dict[str, str] = {}
        self.may_answer = threading.Event()
        self.may_answer.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.count += 1
                outer.may_answer.wait(10)
                self.send_response(outer.status)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(outer.body)))
                self.end_headers()
                self.wfile.write(outer.body)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.may_answer.set()
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.close()

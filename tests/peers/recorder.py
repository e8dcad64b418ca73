"""A service on loopback for tests: keeps exactly the bytes each connection brought, and answers as it is told.

    service = Recorder()
    service.answer = lambda c, r: c.send(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")

`answer(connection, request)` is called for each request whose head is there; what it raises ends the connection. It
reads the body itself where it wants one (`connection.body(request)`), so it can answer early, late, in pieces, or not
at all.
"""
import contextlib
import socket
import threading
import time


class Request:
    """A head as it was sent."""

    def __init__(self, head):
        self.head = head
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, self.version = lines[0].split(" ", 2)
        self.fields = [tuple(line.split(":", 1)) for line in lines[1:] if line]
        self.fields = [(name, value.strip()) for name, value in self.fields]
        self.body = None
        self.trailers = None

    def all(self, name):
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name):
        values = self.all(name)
        return values[0] if values else None

    def names(self):
        return {name.lower() for name, _ in self.fields}


class Connection:
    def __init__(self, service, sock):
        self.service, self.socket = service, sock
        self.received = b""  # everything, in order
        self.at = 0          # what of it was used
        self.is_closed = False

    def send(self, data):
        self.socket.sendall(data)

    def more(self):
        """Waits for bytes; False at the end."""
        try:
            data = self.socket.recv(262144)
        except OSError:
            data = b""
        if self.service.keeps:
            self.received += data
        self.service.total += len(data)
        self.is_closed |= not data
        return bool(data)

    def until(self, mark):
        while True:
            found = self.received.find(mark, self.at)
            if found >= 0:
                text, self.at = self.received[self.at:found + len(mark)], found + len(mark)
                return text
            if not self.more():
                raise EOFError

    def take(self, count):
        while len(self.received) - self.at < count:
            if not self.more():
                raise EOFError
        self.at += count
        return self.received[self.at - count:self.at]

    def head(self):
        return Request(self.until(b"\r\n\r\n")[:-4])

    def body(self, request):
        """All of it, decoded; strict about the framing that a gate must send."""
        if "transfer-encoding" in request.names():
            assert request.all("transfer-encoding") == ["chunked"] and "content-length" not in request.names()
            parts = []
            while True:
                size = int(self.until(b"\r\n")[:-2], 16)
                if size == 0:
                    break
                parts.append(self.take(size))
                assert self.take(2) == b"\r\n"
            request.trailers = []
            while (line := self.until(b"\r\n")) != b"\r\n":
                request.trailers.append(line[:-2].decode())
            request.body = b"".join(parts)
        else:
            lengths = request.all("content-length")
            assert len(lengths) <= 1
            request.body = self.take(int(lengths[0])) if lengths else b""
        return request.body

    def close(self):
        self.is_closed = True
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()
        self.is_closed = True


def ok(connection, request):
    connection.body(request)
    body = b"" if request.method == "HEAD" else b"hello"
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\n" + body)


class Recorder:
    def __init__(self, answer=ok, keeps=True):
        self.answer, self.keeps = answer, keeps
        self.total = 0
        self.requests = []     # heads, in the order they came
        self.connections = []
        self.problems = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, sock)
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            while True:
                request = connection.head()
                self.requests.append(request)
                self.answer(connection, request)
        except (EOFError, OSError):
            pass
        except Exception as e:  # noqa: BLE001 - what it was sent is what is tested
            self.problems.append(e)
        connection.close()

    def forget(self):
        """What came so far. Connections that a pool keeps stay."""
        self.connections = [c for c in self.connections if not c.is_closed]
        for connection in self.connections:
            connection.received, connection.at = b"", 0
        self.requests, self.problems, self.total = [], [], 0

    def raw(self):
        """All bytes of all connections."""
        return b"".join(c.received for c in self.connections)

    def last(self):
        return self.requests[-1]

    def wait_request(self, count=1, seconds=10):
        end = time.monotonic() + seconds
        while len(self.requests) < count:
            if time.monotonic() > end:
                raise AssertionError(f"the service got {len(self.requests)} of {count} requests")
            time.sleep(0.01)
        return self.requests[count - 1]

    def close(self):
        self.listener.close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.close()

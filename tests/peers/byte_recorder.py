"""A service on loopback that keeps every byte it is sent and answers 200 to whatever it can take for a request.

It reads as leniently as a careless service would: what a gate lets through must be harmless even here.
"""
import re
import socket
import threading

IDLE_S = 0.15
LENGTH = re.compile(rb"(?im)^content-length:[ \t]*(\d+)[ \t]*\r?$")
CODING = re.compile(rb"(?im)^transfer-encoding:.*chunked")


class Recorder:
    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.socket.getsockname()[1]
        self.lock = threading.Lock()
        self.requests = []  # whole requests, as bytes
        self.rest = []      # bytes that made none
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def take(self):
        """(requests, other bytes) since the last call."""
        with self.lock:
            got = self.requests, self.rest
            self.requests, self.rest = [], []
        return got

    def has_any(self):
        with self.lock:
            return bool(self.requests)

    def serve(self, connection):
        data = b""
        with connection:
            while True:
                end = whole(data)
                if end:
                    request, data = data[:end], data[end:]
                    with self.lock:
                        self.requests.append(request)
                    try:
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % 2 + (b"" if request.startswith(b"HEAD ") else b"ok"))
                    except OSError:
                        return
                    continue
                try:
                    # A request that has begun and stops is over; between requests a pool may wait.
                    connection.settimeout(IDLE_S if data else None)
                    more = connection.recv(65536)
                except OSError:
                    more = b""
                if not more:
                    break
                data += more
        if data:
            with self.lock:
                self.rest.append(data)

    def close(self):
        self.socket.close()


def head_end(data):
    """Empty lines in front of a request line are none of it (RFC 9112 section 2.2)."""
    match = re.match(rb"[\r\n]*[^\r\n].*?\r?\n\r?\n", data, re.S)
    return match.end() if match else 0


def whole(data):
    """Length of the first request in `data`, or 0."""
    end = head_end(data)
    if not end:
        return 0
    head = data[:end]
    if CODING.search(head):
        return end_of_chunks(data, end)
    length = LENGTH.search(head)
    end += int(length[1]) if length else 0
    return end if len(data) >= end else 0


def end_of_chunks(data, at):
    while True:
        line = data.find(b"\n", at)
        if line < 0:
            return 0
        try:
            size = int(data[at:line].split(b";")[0].strip() or b"x", 16)
        except ValueError:
            return 0
        at = line + 1
        if size == 0:
            while True:
                line = data.find(b"\n", at)
                if line < 0:
                    return 0
                if not data[at:line].strip():
                    return line + 1
                at = line + 1
        at += size
        if data[at:at + 2] == b"\r\n":
            at += 2
        if at > len(data):
            return 0


def parts(request):
    """(method, target, [(lower-case name, value)], decoded body) of what the service was sent."""
    end = head_end(request)
    lines = request[:end].replace(b"\r\n", b"\n").strip(b"\n").split(b"\n")
    method, _, rest = lines[0].partition(b" ")
    fields = [(name.lower(), value.strip(b" \t")) for name, _, value in (line.partition(b":") for line in lines[1:])]
    body = request[end:]
    if any(name == b"transfer-encoding" for name, _ in fields):
        body = dechunk(body)
    return method, rest.rsplit(b" ", 1)[0], fields, body


def dechunk(data):
    out, at = b"", 0
    while True:
        line = data.find(b"\n", at)
        try:
            size = int(data[at:line].split(b";")[0].strip(), 16)
        except ValueError:
            return out
        if size == 0:
            return out
        out += data[line + 1:line + 1 + size]
        at = line + 1 + size + 2

"""A client of HTTP/2 that sends exactly the frames a test wants, also those nobody should."""
import contextlib
import select
import socket
import struct
import time

import hpack

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED, WITH_PRIORITY = 1, 1, 4, 8, 32
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM, CANCEL, CALM = (
    0, 1, 2, 3, 5, 6, 7, 8, 11)
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind, flags=0, stream=0, payload=b"", length=None):
    return struct.pack(">I", len(payload) if length is None else length)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def literal(*fields):
    """A header block without tables or Huffman: any bytes at all, as they are."""
    def text(value):
        value = value if isinstance(value, bytes) else value.encode("latin-1")
        length = len(value)
        if length < 127:
            return bytes([length]) + value
        rest, out = length - 127, [127]
        while rest >= 128:
            out.append(rest % 128 + 128)
            rest //= 128
        return bytes(out + [rest]) + value
    return b"".join(b"\x10" + text(name) + text(value) for name, value in fields)


class Stream:
    def __init__(self):
        self.heads, self.body, self.ended, self.reset = [], b"", False, None

    @property
    def status(self):
        return int(dict(self.heads[0])[":status"]) if self.heads else None

    def field(self, name):
        return dict(self.heads[0]).get(name)


class Peer:
    """`window`: of each stream and of the connection; what is received is not given back by itself."""

    def __init__(self, port, authority=None, window=None, settings=(), quiet=False, context=None, host="127.0.0.1"):
        self.socket = socket.create_connection((host, port), timeout=10)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname=host)
        self.authority = authority or f"{host}:{port}"
        self.decoder, self.encoder = hpack.Decoder(), hpack.Encoder()
        self.buffer, self.frames, self.streams = b"", [], {}
        self.goaway, self.closed, self.settings, self.pings, self.updates = None, False, None, 0, {}
        self.next = 1
        if not quiet:
            entries = list(settings) + ([(4, window)] if window is not None else [])
            self.send(PREFACE + frame(SETTINGS, payload=b"".join(struct.pack(">HI", *e) for e in entries)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.close()

    def send(self, data):
        """False: the other end takes no more."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    # Requests

    def head(self, method="GET", path="/openapi.json", token=None, scheme="http", authority=True, fields=()):
        head = [(":method", method), (":scheme", scheme), (":path", path)]
        if authority:
            head.append((":authority", self.authority if authority is True else authority))
        return head + ([("authorization", f"Bearer {token}")] if token else []) + list(fields)

    def open(self, *args, end=True, **more):
        """A request; -> its stream."""
        return self.open_block(self.encoder.encode(self.head(*args, **more)), end)

    def open_block(self, block, end=True, flags=END_HEADERS):
        stream, self.next = self.next, self.next + 2
        self.send(frame(HEADERS, flags | (END_STREAM if end else 0), stream, block))
        return stream

    def data(self, stream, data=b"", end=False):
        return self.send(frame(DATA, END_STREAM if end else 0, stream, data))

    # What comes

    def receive(self, seconds):
        """One read. False: nothing came, or no more will."""
        pending = getattr(self.socket, "pending", lambda: 0)()
        if self.closed or (not pending and not select.select([self.socket], [], [], seconds)[0]):
            return False
        try:
            data = self.socket.recv(1 << 18)
        except OSError:
            data = b""
        self.closed = not data
        self.buffer += data
        while len(self.buffer) >= 9:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                break
            kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
            payload, self.buffer = self.buffer[9:9 + length], self.buffer[9 + length:]
            self.take(kind, flags, stream & 0x7fffffff, payload)
        return bool(data)

    def take(self, kind, flags, stream, payload):
        self.frames.append((kind, flags, stream, len(payload)))
        of = self.streams.setdefault(stream, Stream())
        if kind == HEADERS:
            assert flags & END_HEADERS
            of.heads.append(self.decoder.decode(payload))
        elif kind == DATA:
            of.body += payload
        elif kind == RST_STREAM:
            of.reset = int.from_bytes(payload, "big")
        elif kind == GOAWAY:
            self.goaway = int.from_bytes(payload[4:8], "big")
            self.last_stream = int.from_bytes(payload[:4], "big")
        elif kind == SETTINGS and not flags & ACK:
            self.settings = dict(struct.unpack(">HI", payload[i:i + 6]) for i in range(0, len(payload), 6))
            self.send(frame(SETTINGS, ACK))
        elif kind == PING and not flags & ACK:
            self.pings += 1
            if self.answers_pings:
                self.send(frame(PING, ACK, payload=payload))
        elif kind == WINDOW_UPDATE:
            self.updates[stream] = self.updates.get(stream, 0) + int.from_bytes(payload, "big")
        if kind in (HEADERS, DATA) and flags & END_STREAM:
            of.ended = True

    answers_pings = True

    def until(self, condition, seconds=15):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"waited {seconds} s; frames {self.frames[-12:]}, goaway {self.goaway}, closed {self.closed}")
            if not self.receive(0.05) and self.closed and not condition():
                raise AssertionError(f"closed; frames {self.frames[-12:]}, goaway {self.goaway}")
        return True

    def of(self, stream):
        return self.streams.setdefault(stream, Stream())

    def finish(self, stream):
        """The whole answer."""
        self.until(lambda: self.of(stream).ended or self.of(stream).reset is not None)
        return self.of(stream)

    def ask(self, *args, **more):
        return self.finish(self.open(*args, **more))

    def fate(self, seconds=15):
        """Reads until the end of the connection. -> code of its GOAWAY, or None."""
        with contextlib.suppress(AssertionError):
            self.until(lambda: self.closed, seconds)
        assert self.closed, f"the connection stays open: {self.frames[-12:]}"
        return self.goaway

    def update(self, stream, count):
        self.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", count)))

#!/usr/bin/env python3
"""HTTP/2 from clients that mean harm: cases 53 to 58 of the project's list of attacks. Each flood is calmed, or does
no harm, while others are served; what a downgrade could smuggle reaches no service."""
import struct
import threading
import time

import hpack

from harness import equal, main, shared, test
from h2peer import (ACK, CALM, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PADDED, PING, PREFACE, PRIORITY, PROTOCOL_ERROR,
                    RST_STREAM, SETTINGS, STREAM_CLOSED, WINDOW_UPDATE, Peer, frame, literal)
from recorder import Recorder, ok

service = Recorder()


def change(config):
    config["workers"] = 1
    config["limits"] = {"head_timeout": "2s"}
    config["backends"]["app"] = {"type": "http", "url": service.url, "response_timeout": "30s", "protocol": "http1"}
    config["routes"] = [{"path": "/open/*", "backend": "app", "public": ["GET", "POST"], "allow": {"reader": "all"}}]


def gateway():
    return shared(change=change)


def peer(**more):
    return Peer(gateway().http_port, **more)


def fresh(answer=ok):
    service.forget()
    service.answer = answer


def others_are_served():
    with peer() as p:
        equal(p.ask("GET", "/me", token=gateway().token("ada")).status, 200)


# Case 53 and 54: streams that are given up

@test
def test_53_rapid_reset_is_calmed():
    with peer() as p:
        token = gateway().token("ada")
        block = p.encoder.encode(p.head("GET", "/api/books?$first=100", token=token))
        p.open_block(block)
        block = p.encoder.encode(p.head("GET", "/api/books?$first=100", token=token))
        for _ in range(600):
            stream = p.open_block(block)
            if not p.send(frame(RST_STREAM, 0, stream, struct.pack(">I", 8))):
                break
        equal(p.fate(), CALM)
    others_are_served()


@test
def test_53_a_few_cancelled_requests_are_nothing():
    with peer() as p:
        for _ in range(50):
            stream = p.open("GET", "/openapi.json")
            p.send(frame(RST_STREAM, 0, stream, struct.pack(">I", 8)))
        equal(p.ask("GET", "/openapi.json").status, 200)


@test
def test_54_streams_that_we_are_made_to_reset_are_counted():
    """Each request is fine; then a window that overflows makes us reset its stream."""
    waits = threading.Event()

    def answer(connection, request):
        waits.wait(20)
    fresh(answer)
    with peer() as p:
        block = p.encoder.encode(p.head("GET", "/open/slow"))
        p.open_block(block)
        block = p.encoder.encode(p.head("GET", "/open/slow"))
        for _ in range(600):
            stream = p.open_block(block)
            if not p.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0x7fffffff))):
                break
        equal(p.fate(), CALM)
    assert len(service.requests) <= 100, len(service.requests)
    others_are_served()
    waits.set()
    others_are_served()


# Case 55: header blocks

@test
def test_55_a_flood_of_continuation_is_calmed():
    with peer() as p:
        p.send(frame(HEADERS, 0, 1, literal((":method", "GET"))))
        for i in range(200000):
            if not p.send(frame(CONTINUATION, 0, 1, literal((f"x{i}", "y")))):
                break
        equal(p.fate(), CALM)
    others_are_served()


@test
def test_55_empty_continuations_are_calmed():
    with peer() as p:
        p.send(frame(HEADERS, 0, 1, b""))
        for _ in range(100):
            p.send(frame(CONTINUATION, 0, 1))
        equal(p.fate(), CALM)


@test
def test_55_a_head_in_a_few_pieces_is_read():
    with peer() as p:
        block = p.encoder.encode(p.head("GET", "/openapi.json"))
        p.send(frame(HEADERS, END_STREAM, 1, block[:3]) + frame(CONTINUATION, 0, 1, block[3:9]) + frame(CONTINUATION, END_HEADERS, 1, block[9:]))
        equal(p.finish(1).status, 200)


@test
def test_a_head_that_never_ends_is_given_up():
    with peer() as p:
        p.send(frame(HEADERS, 0, 1, literal((":method", "GET"))))
        p.fate(20)


@test
def test_a_head_that_is_refused_ends_nobody_else():
    """It has come to its end: nothing is awaited of it any more, and who shares the connection is served on."""
    go_on = threading.Event()

    def answer(connection, request):
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        go_on.wait(20)
        connection.send(b"x" * 100000)
    fresh(answer)
    with peer(window=1 << 20) as p:
        p.update(0, 1 << 20)
        stream = p.open("GET", "/open/x")
        p.until(lambda: p.of(stream).heads)
        for field in ("x", "a\nb"), ("connection", "close"), ("Upper", "x"):
            refused = p.open_block(literal(*base(), field))
            p.until(lambda: p.of(refused).reset == PROTOCOL_ERROR)
        time.sleep(4)  # more than the time a head has
        go_on.set()
        equal((len(p.finish(stream).body), p.goaway), (100000, None))
    fresh()


# Case 56: frames without use

def flood(*frames, count=20000):
    with peer() as p:
        for _ in range(count // 100):
            if not p.send(b"".join(frames) * 100) or p.closed:
                break
            while p.receive(0):
                pass
        equal(p.fate(), CALM, frames[0][:12])
    others_are_served()


@test
def test_56_floods_of_frames_without_use_are_calmed():
    flood(frame(PING, 0, 0, b"12345678"))
    flood(frame(SETTINGS))
    flood(frame(SETTINGS, payload=struct.pack(">HI", 4, 65535)))
    flood(frame(PRIORITY, 0, 9, struct.pack(">IB", 3, 1)))
    flood(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1)))
    flood(frame(0xbe, 0, 0, b"what nobody knows"))
    flood(frame(PING, ACK, 0, b"12345678"))


@test
def test_56_floods_on_a_stream_are_calmed():
    for part in (frame(DATA, 0, 1), frame(DATA, PADDED, 1, b"\0"), frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1))):
        with peer() as p:
            p.open("POST", "/token", end=False, fields=[("content-type", "application/x-www-form-urlencoded")])
            for _ in range(100):
                if not p.send(part * 100):
                    break
            equal(p.fate(), CALM, part)
    others_are_served()


@test
def test_56_a_client_that_grants_a_byte_at_a_time_is_calmed():
    """CVE-2019-9511: each byte it grants would be a frame."""
    with peer(window=0) as p:
        stream = p.open("GET", "/openapi.json")
        p.until(lambda: p.of(stream).heads)
        for _ in range(600):
            if not p.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 1))):
                break
            while p.receive(0):
                pass
        equal(p.fate(), CALM)
    others_are_served()


@test
def test_56_pings_of_a_client_in_use_are_answered():
    with peer() as p:
        for _ in range(60):
            p.send(frame(PING, 0, 0, b"12345678"))
            equal(p.ask("GET", "/openapi.json").status, 200)
        equal(p.goaway, None)


# Case 57: HPACK

@test
def test_57_a_bomb_of_indexed_fields_is_calmed():
    """One field of 4,000 bytes in the table, and then a byte for each time it is named."""
    with peer() as p:
        block = p.encoder.encode(p.head("GET", "/openapi.json"))
        bomb = b"\x40\x01x" + b"\x7f" + bytes([0xa1, 0x1e]) + b"y" * 4000
        p.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, block + bomb + b"\xbe" * 8000))
        equal(p.fate(), CALM)
    others_are_served()


@test
def test_57_the_table_stays_as_small_as_we_said():
    with peer() as p:
        p.send(frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\x3f\xe1\xff\xff\x03" + hpack.Encoder().encode(p.head())))
        equal(p.fate(), 9)  # COMPRESSION_ERROR


@test
def test_57_heads_that_are_too_large_are_told_so():
    with peer() as p:
        equal(p.ask(fields=[("x", "y" * 15000)]).status, 200)
        equal(p.ask(fields=[(f"x{i}", "y") for i in range(101)]).status, 431)
        equal(p.ask(path="/" + "a" * 9000).status, 414)
        large = literal(*p.head(), *((f"x{i}", "y" * 12000) for i in range(3)))
        stream = p.open_block(large[:16000], flags=0)
        p.send(frame(CONTINUATION, 0, stream, large[16000:32000]) + frame(CONTINUATION, END_HEADERS, stream, large[32000:]))
        equal(p.finish(stream).status, 431)
        equal(p.ask().status, 200)
        equal(p.settings[6], 32768)


# Case 58: what a downgrade could smuggle

def refused(*head, data=None):
    """A reset, or an error of ours; the service sees nothing, the connection goes on."""
    fresh()
    with peer() as p:
        stream = p.open_block(literal(*head), end=data is None)
        for part in data or ():
            p.data(stream, part, end=part is data[-1])
        answer = p.finish(stream)
        assert answer.reset == PROTOCOL_ERROR or answer.status in (400, 501, 505), (head, answer.heads, answer.reset)
        equal(p.ask("GET", "/openapi.json").status, 200, head)
    equal(len(service.requests), 0, head)


def base(method="GET", path="/open/x", scheme="http", authority="a.example"):
    return [(":method", method), (":path", path), (":scheme", scheme), (":authority", authority)]


@test
def test_58_bytes_that_would_break_a_line_are_refused():
    for evil in ("a\r\nX: y", "a\nX: y", "a\rb", "a\0b", "\r\n\r\nGET /admin HTTP/1.1\r\nHost: x\r\n\r\n", "a\x7fb", "a\x01b"):
        refused(*base(), ("x", evil))
        refused(*base(), ("x" + evil, "y"))
        refused(*base(path="/open/" + evil))
        refused(*base(method="GET" + evil))
        refused(*base(authority="a.example" + evil))
        refused(*base(scheme="http" + evil))
        refused(*base(), ("cookie", evil))
        refused(*base(), ("host", "a.example" + evil))


@test
def test_58_names_that_are_read_differently_are_refused():
    for name in ("a:b", ":x", "a b", "A", "X-Upper", "", "a_b", "x-gatewarden_user", "a\t", " a", "a(", "a/", "ä"):
        refused(*base(), (name, "y"))
    for value in (" a", "a ", "\ta", "a\t"):
        refused(*base(), ("x", value))


@test
def test_58_pseudo_header_fields_stand_once_and_first():
    refused(*base()[1:])
    refused((":method", "GET"), (":scheme", "http"), (":authority", "a.example"))
    refused((":method", "GET"), (":path", "/open/x"), (":authority", "a.example"))
    refused(*base()[:3])
    for extra in base():
        refused(*base(), extra)
    refused(*base()[:3], ("x", "y"), base()[3])
    refused(*base(), (":status", "200"))
    refused(*base(), (":protocol", "websocket"))
    refused(*base(path=""))
    refused(*base(path="*"))
    refused(*base(path="http://a.example/open/x"))
    refused(*base(path="open/x"))
    refused(*base(path="/open/x y"))
    refused(*base(path="/open/x HTTP/1.1\r\nHost: b"))
    refused(*base(path="/open/x#y"))
    refused(*base(scheme="ftp"))
    refused(*base(authority="user@a.example"))
    refused(*base(authority="a.example, b.example"))
    refused(*base(authority=""))
    refused(*base(method="CONNECT"))
    refused((":method", "CONNECT"), (":authority", "a.example:443"))
    refused(*base(method="TRACE"))
    refused(*base(method="GET /admin HTTP/1.1"))


@test
def test_58_hosts_that_disagree_are_refused():
    refused(*base(), ("host", "b.example"))
    refused(*base(), ("host", "a.example"), ("host", "a.example"))
    refused(*base(), ("host", "a.example:80"))
    fresh()
    with peer() as p:
        stream = p.open_block(literal(*base(), ("host", "A.example")))
        equal(p.finish(stream).status, 200)
    equal(service.last().all("host"), ["a.example"])


@test
def test_58_fields_of_connections_are_refused():
    for name, value in (("connection", "close"), ("connection", "x-gatewarden-assertion"), ("transfer-encoding", "chunked"), ("upgrade", "h2c"),
                        ("keep-alive", "5"), ("proxy-connection", "x"), ("te", "gzip"), ("te", "trailers, deflate")):
        refused(*base(), (name, value))
        refused(*base("POST"), (name, value), data=[b"0\r\n\r\n"])
    fresh()
    with peer() as p:
        equal(p.ask("GET", "/open/x", fields=[("te", "trailers")]).status, 200)
    equal(service.last().all("te"), [])


@test
def test_58_lengths_that_are_not_those_of_the_body_are_refused():
    for length in ("4", "6", "0", "+5", "5, 5", "05", "0x5", "", "5 ", "99999999999999999999"):
        head = [*base("POST", "/token"), ("content-type", "application/x-www-form-urlencoded"), ("content-length", length)]
        refused(*head, data=[b"abc", b"de"])
    refused(*base("POST"), ("content-length", "5"), ("content-length", "5"), data=[b"abcde"])
    refused(*base("POST"), ("content-length", "5"))


@test
def test_58_trailers_are_fields_only():
    for trailer in ((":path", "/x"), ("x", "a\r\nb"), ("A", "b"), ("transfer-encoding", "chunked")):
        fresh()
        with peer() as p:
            stream = p.open("POST", "/token", end=False, fields=[("content-type", "application/x-www-form-urlencoded")])
            p.data(stream, b"x=y")
            p.send(frame(HEADERS, END_HEADERS | END_STREAM, stream, literal(trailer)))
            equal(p.finish(stream).reset, PROTOCOL_ERROR, trailer)


@test
def test_floods_and_requests_are_counted():
    def count(name):
        lines = gateway().admin("/metrics").body.decode().splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(f"gatewarden_{name}_total"))
    faults, streams = count("http2_faults"), count("http2_streams")
    flood(frame(PING, 0, 0, b"12345678"), count=1000)
    equal((count("http2_faults") - faults, count("http2_streams") - streams), (1, 1))


# Streams

@test
def test_frames_for_what_is_over_end_the_connection():
    for later in (frame(DATA, END_STREAM, 1, b"x"), frame(HEADERS, END_HEADERS | END_STREAM, 1, literal(*base()))):
        with peer() as p:
            equal(p.ask("GET", "/openapi.json").status, 200)
            p.send(later)
            equal(p.fate(), STREAM_CLOSED)
    with peer() as p:
        p.next = 5
        equal(p.ask("GET", "/openapi.json").status, 200)
        p.next = 3
        p.open("GET", "/openapi.json")
        equal(p.fate(), PROTOCOL_ERROR)


@test
def test_a_stream_too_many_is_refused_or_ends_the_connection():
    waits = threading.Event()
    fresh(lambda connection, request: waits.wait(20))
    with peer() as p:
        streams = [p.open("GET", "/open/slow") for _ in range(102)]
        p.until(lambda: p.goaway is not None or all(p.of(s).reset is not None for s in streams[100:]))
    waits.set()
    others_are_served()


@test
def test_what_is_no_preface_is_answered_or_closed():
    for start in (PREFACE[:-2] + b"xx", b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", b"PRI / HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        with peer(quiet=True) as p:
            p.send(start + frame(SETTINGS))
            p.fate()
    others_are_served()


@test
def test_a_preface_that_comes_byte_by_byte_is_read():
    with peer(quiet=True) as p:
        for byte in PREFACE + frame(SETTINGS) + frame(HEADERS, END_HEADERS | END_STREAM, 1, literal(*p.head())):
            p.send(bytes([byte]))
        equal(p.finish(1).status, 200)


if __name__ == "__main__":
    main()

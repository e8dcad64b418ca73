#!/usr/bin/env python3
"""Cases 33 to 52 of the security page through a route: what reaches the service is exactly one well-formed request
that was decided, or nothing."""
import contextlib
import os
import socket
import time

from harness import Gateway, equal, main, read_answers, test, wait_until
from recorder import Recorder, ok

service = Recorder()


def routes(config):
    config["workers"] = 1
    config["backends"]["app"] = {"type": "http", "url": service.url, "breaker": {"failures": 0, "open": "1s"}}
    config["routes"] = [
        {"path": "/open/*", "backend": "app", "public": ["GET", "POST", "PUT"], "allow": {"reader": "all"}, "identity": ["assertion", "auth_request", "forwarded", "client_principal", "pomerium"]},
        {"path": "/private/*", "backend": "app", "allow": {"books-admin": "all"}},
    ]


gateway = Gateway(change=routes)


def fresh(answer=ok):
    service.forget()
    service.answer = answer


def send(data, seconds=0.4):
    """-> (statuses, closed, heads that the service got)"""
    service.forget()
    answers, closed = [], False
    with gateway.connect() as s:
        s.sendall(data)
        s.settimeout(10)
        with contextlib.suppress(ConnectionError):
            s.recv(1, socket.MSG_PEEK)  # however slow the machine is, an answer comes
            answers, closed, _ = read_answers(s, seconds)
    equal(service.problems, [], data)
    return [a.status for a in answers], closed, service.requests


def refused(data, *statuses):
    got, closed, requests = send(data, 5)
    assert got and got[0] in statuses and len(got) == 1, (got, data)
    equal((closed, [r.head for r in requests]), (True, []), data)


def request(line=b"GET /open/x HTTP/1.1", *fields, body=b"", host=True):
    lines = [line] + ([b"Host: h"] if host else []) + list(fields)
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


POST = b"POST /open/x HTTP/1.1"
INNER = b"GET /private/x HTTP/1.1\r\nHost: h\r\n\r\n"


@test
def test_33_lengths_that_readers_disagree_on():
    for fields in ([b"Content-Length: 5", b"Transfer-Encoding: chunked"], [b"Content-Length: 5", b"Content-Length: 6"], [b"Content-Length: 5", b"Content-Length: 5"],
                   [b"Content-Length: 5, 5"], [b"Content-Length: +5"], [b"Content-Length: 0x5"], [b"Content-Length: 1_0"], [b"Content-Length:"], [b"Content-Length: -1"],
                   [b"Content-Length: 05"], [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], [b"Transfer-Encoding: \xa0chunked"],
                   [b"Transfer-Encoding: chunked, identity"], [b"Transfer-Encoding: identity"], [b"Transfer-Encoding: xchunked"], [b"Transfer-Encoding:\x0bchunked"],
                   [b"Content-Length: 99999999999999999999999"]):
        refused(request(POST, *fields, body=b"0\r\n\r\n" + INNER), 400, 501, 413)
    refused(request(b"POST /open/x HTTP/1.0", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + INNER), 400)


@test
def test_34_chunks_that_readers_disagree_on():
    for body in (b"0_2e\r\n", b"-1\r\n", b"1" * 17 + b"\r\n", b"1;a\nb\r\nx\r\n0\r\n\r\n", b"1\r\nx0\r\n\r\n", b"1\nx\r\n0\r\n\r\n", b"0x1\r\nx\r\n0\r\n\r\n",
                 b"1 \r\nx\r\n0\r\n\r\n", b"\r\n1\r\nx\r\n0\r\n\r\n", b"g\r\n", b"0\r\nX Y: 1\r\n\r\n", b"0\r\n X: 1\r\n\r\n", b"0\r\nX: \x00\r\n\r\n", b"0\r\n: 1\r\n\r\n", b"0\r\nX_Y: 1\r\n\r\n"):
        service.forget()
        answers, closed, _ = gateway.raw(request(POST, b"Transfer-Encoding: chunked", body=body + INNER), 5)
        equal(([a.status for a in answers], closed), ([400], True), body)
        assert b"private" not in service.raw(), body
        # What was begun is never completed: no last chunk follows.
        wait_until(lambda: all(c.is_closed or not c.received for c in service.connections), 5, "the exchange to end")
        assert not service.raw().endswith(b"0\r\n\r\n"), body
        equal([r.body for r in service.requests], [None] * len(service.requests), body)
    time.sleep(0.5)  # whatever was begun has come, also on a slow machine


@test
def test_35_and_36_lines_that_readers_disagree_on():
    for field in (b"X: a\rb", b"X: a\nY: b", b"X: a\x00b", b"X: a\r\n folded", b"X : a", b" X: a", b": empty", b"", b"X", b"X\t: a", b"X: \x7f", b"X(: a", b"\x80: a"):
        if field:
            refused(request(b"GET /open/x HTTP/1.1", field), 400)
    for line in (b"GET  /open/x HTTP/1.1", b"GET /open/x  HTTP/1.1", b"GET /open/x HTTP/1.1 ", b"GET /open/\tx HTTP/1.1", b" GET /open/x HTTP/1.1", b"GET\t/open/x HTTP/1.1",
                 b"GET /open/x HTTP/2.0", b"GET /open/x HTTP/1.10", b"GET /open/x http/1.1", b"GET /open/x", b"get /open/x HTTP/1.1", b"TRACE /open/x HTTP/1.1", b"CONNECT h:443 HTTP/1.1"):
        refused(request(line), 400, 405, 501, 505)


@test
def test_37_lengths_above_what_is_read():
    refused(request(b"GET /open/" + b"a" * 10000 + b" HTTP/1.1"), 414)
    refused(request(b"GET /open/x HTTP/1.1", b"X: " + b"a" * 40000), 431)
    refused(request(b"GET /open/x HTTP/1.1", *[b"X: a"] * 200), 431)


@test
def test_38_and_39_every_spelling_of_who_somebody_is_is_taken_away():
    names = ["X-Gatewarden-Assertion", "x-gatewarden-ASSERTION", "X-Gatewarden-User", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups", "X-Forwarded-Preferred-Username",
             "X-Forwarded-Uri", "X-Forwarded-Method", "X-Forwarded-Access-Token", "X-Original-URL", "X-Original-URI", "X-Original-Method", "X-Auth-Request-User", "X-Auth-Request-Email", "X-Auth-Request-Groups",
             "X-Auth-Request-Access-Token", "X-Pomerium-Jwt-Assertion", "X-MS-CLIENT-PRINCIPAL", "X-MS-CLIENT-PRINCIPAL-ID", "X-MS-CLIENT-PRINCIPAL-NAME", "X-MS-API-ROLE", "Remote-User", "Forwarded",
             "X-Real-IP", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Rewrite-URL"]
    for user in (None, "ada"):
        fields = [f"{name}: forged".encode() for name in names]
        if user:
            fields.append(f"Authorization: Bearer {gateway.token(user)}".encode())
        statuses, _, requests = send(request(b"GET /open/x HTTP/1.1", *fields))
        equal((statuses, [r.method for r in requests]), ([200], ["GET"]), service.raw())
        assert b"forged" not in service.raw(), service.raw()
        equal("x-gatewarden-assertion" in requests[0].names(), user is not None)
    for name in ("X_Forwarded_User", "X-Forwarded_User", "X_MS_API_ROLE", "X_Gatewarden_Assertion"):
        refused(request(b"GET /open/x HTTP/1.1", f"{name}: forged".encode()), 400)


@test
def test_40_no_field_exempts_from_the_decision():
    for field in (b"User-Agent: kube-probe/1.0", b"User-Agent: GoogleHC/1.0", b"X-Health-Check: 1", b"X-Original-URL: /open/x", b"X-Rewrite-URL: /open/x", b"X-HTTP-Method-Override: GET", b"X-Forwarded-Uri: /open/x"):
        statuses, _, requests = send(request(b"GET /private/x HTTP/1.1", field))
        equal((statuses, requests), ([401], []), field)


@test
def test_41_and_43_what_is_matched_is_what_is_forwarded():
    for path in (b"/open/../private/x", b"/open/%2e%2e/private/x", b"/open/.%2e/private", b"/open/%2e/x", b"/open/./x", b"/open%2fx", b"/open/..%2fprivate", b"/open/..%5cprivate", b"/open\\..\\private",
                 b"//open/x", b"/open//x", b"/open/x;y=/../../private", b"/open/;/x", b"/open/%252e%252e/private", b"/open/%00", b"/open/%c0%ae%c0%ae/private", b"/open/%e0%80%af", b"/open/%", b"/open/%2", b"/open/%zz",
                 b"/open/%0d%0aX:%201", b"/open/\xc3\xa4", b"/open/%ff"):
        statuses, _, requests = send(request(b"GET " + path + b" HTTP/1.1"))
        equal((statuses, requests), ([400], []), path)
    for path in (b"/private/x?/open/x", b"/private/x?a=/open/", b"/private/open/x", b"/PRIVATE/x", b"/xopen/x", b"/openx", b"/?/open/x"):
        statuses, _, requests = send(request(b"GET " + path + b" HTTP/1.1"))
        equal((statuses, requests), ([401], []), path)


@test
def test_42_a_fragment_is_no_part_of_a_target():
    for target in (b"/open/x#/../private", b"/private/x#/open/x", b"/open/x?a#b"):
        refused(request(b"GET " + target + b" HTTP/1.1"), 400)


@test
def test_44_all_values_of_a_field_are_checked():
    token = gateway.token("ada").encode()
    for fields in ([b"Authorization: Bearer " + token, b"Authorization: Bearer x"], [b"Authorization: Bearer x", b"Authorization: Bearer " + token]):
        statuses, closed, requests = send(request(b"GET /private/x HTTP/1.1", *fields), 5)
        equal((statuses, closed, requests), ([400], True, []))
    statuses, _, requests = send(request(b"GET /open/x HTTP/1.1", b"Connection: close", b"Connection: X-A, x-b", b"X-A: 1", b"X-B: 2", b"X-C: 3"))
    equal((statuses, requests[0].names() & {"x-a", "x-b", "x-c", "connection"}), ([200], {"x-c"}))


@test
def test_45_authorities_that_readers_disagree_on():
    refused(request(host=False), 400)
    for host in (b"Host: a\r\nHost: a", b"Host: a\r\nHost: b", b"Host: user@h", b"Host: a b", b"Host: ", b"Host: a,b", b"Host: h/x", b"Host: h:80:80"):
        refused(request(b"GET /open/x HTTP/1.1", host, host=False), 400)
    refused(request(b"GET http://other/open/x HTTP/1.1"), 400, 421)
    refused(request(b"GET http://user@h/open/x HTTP/1.1"), 400)
    statuses, _, requests = send(request(b"GET http://h/open/x HTTP/1.1"))
    equal((statuses, [(r.target, r.get("host")) for r in requests]), ([200], [("/open/x", "h")]))


@test
def test_47_nobody_names_our_fields_away():
    token = gateway.token("ada").encode()
    for option in (b"X-Gatewarden-Assertion", b"close, X-Gatewarden-Assertion, X-Forwarded-For", b"X-Auth-Request-User", b"Host", b"Content-Length, Transfer-Encoding", b"traceparent", b"Cookie, Authorization"):
        statuses, _, requests = send(request(POST, b"Authorization: Bearer " + token, b"Connection: " + option, b"Content-Length: 3", body=b"abc"))
        equal((statuses, len(requests)), ([200], 1), option)
        got = requests[0]
        equal((len(got.all("x-gatewarden-assertion")), len(got.all("x-forwarded-for")), len(got.all("x-auth-request-user")), len(got.all("host")), got.body), (1, 1, 1, 1, b"abc"), option)
        equal(got.names() & {"connection", "keep-alive"}, set(), option)
    for name in (b"Keep-Alive: 5", b"Proxy-Connection: close", b"TE: gzip", b"Trailer: X", b"Proxy-Authorization: Basic x", b"Upgrade: h2c"):
        _, _, requests = send(request(b"GET /open/x HTTP/1.1", name))
        equal(requests[0].get(name.decode().split(":")[0]), None, name)


@test
def test_48_an_answer_is_not_split():
    for head in (b"HTTP/1.1 200 OK\r\nX: a\rb\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: a\nY: b\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 0\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\nX : a\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 O\rK\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n",
                 b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n\r\na", b"HTTP/1.1 600 OK\r\n\r\n", b"HTTP/1.1 20 OK\r\n\r\n", b"HTTP/3.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"):
        fresh(lambda c, r, h=head: (c.body(r), c.send(h)))
        answers, _, raw = gateway.raw(request(POST, b"Content-Length: 1", body=b"x"), 1)
        equal([a.status for a in answers], [502], head)
    service.answer = ok


@test
def test_48_bytes_behind_an_answer_meet_no_other_request():
    extra = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
    fresh(lambda c, r: (c.body(r), c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + extra)))
    for _ in range(5):
        equal(gateway.get("/open/x").body, b"ok")
        time.sleep(0.02)
    fresh(lambda c, r: (c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), time.sleep(0.05), c.send(extra)))
    for _ in range(5):
        equal(gateway.get("/open/x").body, b"ok")
        time.sleep(0.1)
    service.answer = ok


@test
def test_49_what_a_caller_writes_stays_one_line_of_the_audit_log():
    gateway.get("/open/%22%7D%5D%20%E2%80%A8x", headers={"User-Agent": '"}\\n{'})
    wait_until(lambda: gateway.records("/open/%22"), 5, "the record")


@test
def test_51_nothing_follows_a_refusal():
    statuses, closed, requests = send(request(b"POST /private/x HTTP/1.1", b"Content-Length: 50", body=INNER) + request(), 5)
    equal((statuses, closed, requests), ([401], True, []))
    statuses, closed, requests = send(request(b"POST /private/x HTTP/1.1", b"Content-Length: 50", b"Expect: 100-continue") + INNER, 5)
    equal((statuses, closed, requests), ([401], True, []))
    refused(request(POST, b"Content-Length: 5", b"Expect: 200-ok"), 417)
    fresh(lambda c, r: (c.send(b"HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n"), c.more()))
    answers, closed, _ = gateway.raw(request(POST, b"Content-Length: 500", body=b"x") + INNER, 5)
    equal(([a.status for a in answers], closed), ([400], True))
    service.answer = ok


@test
def test_52_what_is_encoded_passes_as_it_is():
    bomb = os.urandom(1000)
    statuses, _, requests = send(request(POST, b"Content-Encoding: gzip", b"Content-Length: 1000", body=bomb))
    equal((statuses, requests[0].body, requests[0].get("content-encoding")), ([200], bomb, "gzip"))


@test
def test_requests_behind_each_other_stay_apart():
    data = b""
    for i in range(30):
        data += request(b"POST /open/%d HTTP/1.1" % i, b"Content-Length: %d" % len(INNER), body=INNER)
        data += request(b"POST /open/%d HTTP/1.1" % i, b"Transfer-Encoding: chunked", body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(INNER), INNER))
    statuses, _, requests = send(data, 2)
    equal((statuses, len(requests)), ([200] * 60, 60))
    equal([(r.target, r.body) for r in requests], [(f"/open/{i // 2}", INNER) for i in range(60)])


@test
def test_requests_one_byte_at_a_time_are_the_same_requests():
    service.forget()
    data = request(POST, b"Transfer-Encoding: chunked", b"X-A: b", body=b"3;q=\"a\"\r\nabc\r\n0\r\nX-T: 1\r\n\r\n") + request(b"GET /open/y?z HTTP/1.1", b"Connection: close")
    with gateway.connect() as s:
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for i in range(len(data)):
            s.sendall(data[i:i + 1])
        answers, closed, _ = read_answers(s, 5)
    equal(([a.status for a in answers], closed), ([200, 200], True))
    equal([(r.target, r.body, r.trailers) for r in service.requests], [("/open/x", b"abc", ["X-T: 1"]), ("/open/y?z", b"", None)])


if __name__ == "__main__":
    main()

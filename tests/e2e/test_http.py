"""Attacks on HTTP/1.1 over raw sockets: whatever two readers could understand differently is refused."""
import time

from harness import equal, main, shared, test
from rows import NEW
import json


def gateway():
    return shared()


def host():
    return gateway().url[7:].encode()


def send(data, seconds=1.5):
    return gateway().raw(data.replace(b"@HOST@", host()), seconds)


def refused(data, *statuses, closed=True):
    """One answer of such a status, and then the end of the connection."""
    answers, was_closed, raw = send(data)
    assert answers, f"no answer to {data[:200]!r}: {raw[:200]!r}"
    assert answers[0].status in (statuses or (400,)), f"{data[:200]!r}: {answers}"
    equal(len(answers), 1, f"answers to {data[:200]!r}: {answers}")
    if closed:
        assert was_closed, f"the connection stays open after {data[:200]!r}"


def head(*lines, request=b"GET /me HTTP/1.1"):
    return b"\r\n".join([request, b"Host: @HOST@", *lines]) + b"\r\n\r\n"


def post(*lines, body=b""):
    return head(b"Content-Type: application/x-www-form-urlencoded", *lines, request=b"POST /token HTTP/1.1") + body


SMUGGLED = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@test
def test_33_length_and_transfer_encoding_disagree():
    refused(post(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n" + SMUGGLED))
    refused(post(b"Transfer-Encoding: chunked", b"Content-Length: 6", body=b"0\r\n\r\n" + SMUGGLED))
    refused(post(b"Content-Length: 3", b"Content-Length: 4", body=b"abcd"))
    refused(post(b"Content-Length: 3", b"Content-Length: 3", body=b"abc"))
    for value in (b"3, 3", b"3,4", b"+5", b"-1", b"0x5", b"1_0", b"", b"5 5", b"5;", b"5.0", b"1e3", b"99999999999999999999999", b"\xd9\xa5"):
        refused(post(b"Content-Length: " + value, body=b"abcde"), 400, 413)


@test
def test_33_transfer_encodings_other_than_chunked():
    for value in (b"identity", b"gzip", b"gzip, chunked", b"chunked, identity", b"chunked, chunked", b"\xa0chunked", b"chunked\xa0",
                  b"x", b"", b"chunked;q=1", b"\"chunked\"", b"chunke", b"chunked,", b",chunked"):
        refused(post(b"Transfer-Encoding: " + value, body=b"0\r\n\r\n" + SMUGGLED), 400, 501)
    refused(post(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"))
    refused(b"POST /token HTTP/1.0\r\nHost: @HOST@\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400)


@test
def test_34_chunk_sizes_are_hexadecimal_and_nothing_else():
    for size in (b"0_2e", b"-1", b"1" * 17, b"0x2", b"+2", b" 2", b"", b"g", b"2\n", b"2 ;x\ny", b"\x002", b"2\t"):
        refused(post(b"Transfer-Encoding: chunked", body=size + b"\r\nab\r\n0\r\n\r\n"), 400, 413)
    for body in (b"2\nab\r\n0\r\n\r\n", b"2\r\nab\n0\r\n\r\n", b"2\r\nabc\r\n0\r\n\r\n", b"2\r\nabXX0\r\n\r\n", b"2;a\nb\r\nab\r\n0\r\n\r\n",
                 b"0\r\nX\r\n\r\n", b"0\r\nbad header: x\r\n\r\n"):
        refused(post(b"Transfer-Encoding: chunked", body=body + SMUGGLED))


@test
def test_34_an_unfinished_chunked_body_gets_no_answer_and_no_hang():
    answers, _, _ = send(post(b"Transfer-Encoding: chunked", body=b"2\r\nab\r\n0\r\n"), 0.7)
    equal(answers, [])


@test
def test_35_bare_cr_lf_and_nul_in_the_head():
    for line in (b"X: a\rb", b"X: a\nb", b"X: a\x00b", b"X\x00: a", b"X: \x01", b"X: a\x7f", b"X: a\n b", b"X\r: a"):
        refused(head(line))
    refused(b"GET /me HTTP/1.1\nHost: @HOST@\n\n")
    refused(b"GET /me HTTP/1.1\r\nHost: @HOST@\n\r\n")
    refused(head(request=b"GET /m\re HTTP/1.1"))


@test
def test_35_folded_lines_and_spaces_around_names():
    for line in (b"X: a\r\n b", b"X: a\r\n\tb", b"X : a", b" X: a", b"\tX: a", b"X\t: a", b"X y: a", b"X", b"X=a", b"(x): a", b"X\xe9: a"):
        refused(head(line))
    refused(b"GET /me HTTP/1.1\r\n Host: @HOST@\r\n\r\n")


@test
def test_36_an_empty_name():
    refused(head(b": a"))
    refused(head(b":"))


@test
def test_37_lengths_near_the_limits_of_integers():
    for value in (b"18446744073709551615", b"18446744073709551616", b"9223372036854775807", b"4294967296", b"4294967297"):
        refused(post(b"Content-Length: " + value, body=b"abcde"), 400, 413)
    for size in (b"FFFFFFFFFFFFFFFF", b"FFFFFFFFFFFFFFF", b"80000000"):
        refused(post(b"Transfer-Encoding: chunked", body=size + b"\r\nab"), 400, 413)


@test
def test_38_names_with_underscores_are_refused_or_mean_nothing():
    g = gateway()
    token = g.token("ada")
    for name in ("X_Forwarded_User", "X_MS_API_ROLE", "Content_Length", "Transfer_Encoding"):
        answer = g.request("GET", "/me", token, headers={name: "5"})
        assert answer.status in (200, 400), (name, answer)
        if answer.status == 200:
            equal(answer.json()["roles"], ["reader"])


@test
def test_39_headers_that_others_trust_change_nothing():
    g = gateway()
    token = g.token("ada")
    for name in ("X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Uri", "x-envoy-original-path", "X-HTTP-Method-Override", "X-Forwarded-Host", "Forwarded"):
        answer = g.request("GET", "/api/books/1", token, headers={name: "DELETE" if "Method" in name else "/docs"})
        equal(answer.status, 200, name)
    record_client = g.record_of(g.request("DELETE", "/api/books/1", token, headers={"X-Forwarded-For": "6.6.6.6"}).error()["decision"])
    equal(record_client[0]["src_endpoint"]["ip"], "127.0.0.1")


@test
def test_40_health_needs_the_admin_listener_whatever_the_user_agent():
    g = gateway()
    for path in ("/healthz", "/readyz", "/metrics"):
        answer = g.request("GET", path, headers={"User-Agent": "kube-probe/1.30"})
        assert answer.status in (401, 404), (path, answer)


@test
def test_41_a_path_is_matched_whole():
    g = gateway()
    for path in ("/api/books/1?x=/docs", "/me?/docs", "/api/books?/openapi.json", "/docsx", "/docs/../me", "/docs/%2e%2e/me", "/api/books/1;/docs"):
        answer = g.get(path)
        assert answer.status in (400, 401, 404), (path, answer)


@test
def test_42_a_fragment_in_the_target():
    for target in (b"/me#x", b"/docs#/../me", b"/#"):
        refused(head(request=b"GET " + target + b" HTTP/1.1"))


@test
def test_43_paths_that_two_readers_read_differently():
    for target in (b"/docs/../me", b"/docs/./me", b"/%2e%2e/me", b"/docs/%2E./me", b"/api%2fbooks", b"/api%2Fbooks", b"/api%5cbooks", b"/api\\books",
                   b"//me", b"/api//books", b"/me%00", b"/me%", b"/me%g0", b"/me%2", b"/%c0%ae%c0%ae/me", b"/api/books/%ff", b"/m\xc3\xa9", b"me",
                   b"*", b"/a b", b"/me\x7f", b"/..", b"/.", b"/api/books/..%2f1"):
        refused(head(request=b"GET " + target + b" HTTP/1.1"))


@test
def test_43_double_encoding_is_read_once():
    answer = gateway().get("/api/%2562ooks", "ada")
    equal(answer.status, 400, answer)


@test
def test_44_a_header_with_two_values_where_one_counts():
    g = gateway()
    token = g.token("ada").encode()
    refused(head(b"Authorization: Bearer " + token, b"Authorization: Bearer x"))
    refused(head(b"Authorization: Bearer x", b"Authorization: Bearer " + token))
    body = json.dumps(NEW).encode()
    refused(head(b"Authorization: Bearer " + g.token("grace").encode(), b"Content-Type: application/json", b"Content-Type: text/plain",
                 b"Content-Length: " + str(len(body)).encode(), request=b"POST /api/books HTTP/1.1") + body, closed=False)


@test
def test_45_host_missing_twice_or_odd():
    refused(b"GET /me HTTP/1.1\r\n\r\n")
    refused(b"GET /me HTTP/1.1\r\nHost: @HOST@\r\nHost: @HOST@\r\n\r\n")
    for value in (b"user@x", b"a b", b"x/y", b"x?y", b"x#y", b"x\\y", b"x:port", b"x:99999999", b"[::1", b"a,b", b"", b"http://x"):
        refused(b"GET /me HTTP/1.1\r\nHost: " + value + b"\r\n\r\n", 400, 421)
    refused(b"GET http://other.test/me HTTP/1.1\r\nHost: @HOST@\r\n\r\n", 400, 421)


@test
def test_46_connect_and_upgrade_are_not_served():
    refused(b"CONNECT example.test:443 HTTP/1.1\r\nHost: example.test:443\r\n\r\n", 400, 405, 501)
    answers, _, _ = send(head(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABk") + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    equal(answers[0].status, 401)
    assert all(a.status in (400, 401, 505) for a in answers), answers


@test
def test_47_connection_cannot_strip_the_authorization():
    g = gateway()
    answers, _, _ = send(head(b"Authorization: Bearer " + g.token("ada").encode(), b"Connection: close, Authorization"))
    equal(answers[0].status, 200)


@test
def test_48_no_text_of_the_data_or_the_caller_splits_an_answer():
    g = gateway()
    for path in ("/api/books?$filter=%0d%0aX-Injected:%201", "/api/x%0d%0aX-Injected:%201", "/me%0d%0aX-Injected:%201"):
        answer = g.get(path, "ada")
        assert "x-injected" not in answer.headers, answer


@test
def test_51_expect_with_a_refused_body():
    answers, closed, raw = send(head(b"Expect: 100-continue", b"Content-Type: application/json", b"Content-Length: 50", request=b"POST /api/books HTTP/1.1"))
    equal(answers[0].status, 401, raw)
    assert closed, "the body that may still come must not be read as a request"
    refused(post(b"Expect: something", b"Content-Length: 0"), 417)


@test
def test_51_expect_gets_100_before_the_body_is_sent():
    g = gateway()
    body = b"grant_type=password&username=ada&password=" + g.passwords["ada"].encode()
    with g.connect() as s:
        s.sendall(post(b"Expect: 100-continue", b"Content-Length: " + str(len(body)).encode()).replace(b"@HOST@", host()))
        s.settimeout(5)
        equal(s.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
        s.sendall(body)
        data = s.recv(65536)
    assert data.startswith(b"HTTP/1.1 200 "), data[:100]
    g.keep_secrets(json.loads(data.split(b"\r\n\r\n", 1)[1]))


@test
def test_51_pipelined_requests_are_answered_in_order_and_none_behind_an_error():
    g = gateway()
    token = g.token("ada").encode()
    one = lambda n: head(b"Authorization: Bearer " + token, request=b"GET /api/books/" + str(n).encode() + b" HTTP/1.1")  # noqa: E731
    answers, _, _ = send(one(1) + one(2) + one(3))
    equal([a.json()["value"][0]["id"] for a in answers], [1, 2, 3])
    answers, closed, _ = send(one(1) + b"BROKEN\r\n\r\n" + one(3))
    equal([a.status for a in answers], [200, 400])
    assert closed


@test
def test_52_compressed_bodies_are_415():
    import gzip
    bomb = gzip.compress(b"[" + b" " * 1_000_000 + b"]")
    g = gateway()
    for coding in ("gzip", "deflate", "br", "gzip, gzip"):
        answer = g.request("POST", "/api/books", "grace", body=bomb, headers={"Content-Encoding": coding, "Content-Type": "application/json"})
        equal(answer.status, 415, coding)


@test
def test_request_lines_that_are_none():
    for line in (b"GET /me", b"GET  /me HTTP/1.1", b"GET /me  HTTP/1.1", b"get /me HTTP/1.1", b"GET /me HTTP/1.2", b"GET /me HTTP/2.0", b"GET /me HTTP/1.1 ",
                 b" GET /me HTTP/1.1", b"GET /me http/1.1", b"GET /me HTTP/01.1", b"GET /me HTTP/1.10", b"G\x00T /me HTTP/1.1", b"GET\t/me\tHTTP/1.1",
                 b"BREW /me HTTP/1.1", b"", b"GET", b"/me HTTP/1.1", b"GET /me FTP/1.1", b"\x16\x03\x01\x02\x00\x01"):
        refused(head(request=line), 400, 405, 501, 505)


@test
def test_heads_that_are_too_large():
    refused(head(b"X: " + b"a" * 70_000), 431)
    refused(head(*[b"X%d: a" % i for i in range(300)]), 431)
    refused(head(request=b"GET /" + b"a" * 20_000 + b" HTTP/1.1"), 414, 431)


@test
def test_bodies_that_are_too_large():
    g = gateway()
    token = g.token("grace").encode()
    big = head(b"Authorization: Bearer " + token, b"Content-Type: application/json", b"Content-Length: 2000000", request=b"POST /api/books HTTP/1.1")
    refused(big, 413)
    chunk = b"10000\r\n" + b"a" * 65536 + b"\r\n"
    data = head(b"Authorization: Bearer " + token, b"Content-Type: application/json", b"Transfer-Encoding: chunked", request=b"POST /api/books HTTP/1.1") + chunk * 20
    answers, _, _ = send(data)
    assert not answers or answers[0].status == 413, answers


@test
def test_chunked_bodies_are_understood():
    g = gateway()
    body = json.dumps({**NEW, "code": "BK-9800001"}).encode()
    parts = b"".join(b"%x;ext=1\r\n" % len(p) + p + b"\r\n" for p in (body[:7], body[7:30], body[30:])) + b"0\r\nTrailer: x\r\n\r\n"
    answers, _, _ = send(head(b"Authorization: Bearer " + g.token("grace").encode(), b"Content-Type: application/json", b"Transfer-Encoding: chunked",
                              request=b"POST /api/books HTTP/1.1") + parts)
    equal(answers[0].status, 201, answers)


@test
def test_a_head_may_come_byte_by_byte():
    g = gateway()
    data = head(b"Authorization: Bearer " + g.token("ada").encode(), b"Connection: close").replace(b"@HOST@", host())
    with g.connect() as s:
        for i in range(0, len(data), 3):
            s.sendall(data[i:i + 3])
            time.sleep(0.0005)
        from harness import read_answers
        answers, _, _ = read_answers(s, 5)
    equal(answers[0].status, 200)


@test
def test_http_1_0_is_answered_and_closed():
    g = gateway()
    answers, closed, _ = send(b"GET /me HTTP/1.0\r\nHost: @HOST@\r\nAuthorization: Bearer " + g.token("ada").encode() + b"\r\n\r\n")
    equal((answers[0].status, closed), (200, True))


@test
def test_keep_alive_serves_many_and_close_ends_it():
    g = gateway()
    import http.client
    connection = http.client.HTTPConnection("127.0.0.1", g.http_port, timeout=10)
    for i in range(1, 10):
        connection.request("GET", f"/api/books/{i}", headers={"Authorization": f"Bearer {g.token('ada')}"})
        equal(connection.getresponse().read()[:9], b'{"value":')
    connection.close()
    _, closed, _ = send(head(b"Connection: close"))
    assert closed


@test
def test_every_path_keeps_the_connection():
    g = gateway()
    token = g.token("ada").encode()
    for target in (b"/me", b"/docs", b"/docs/docs.js", b"/openapi.json", b"/.well-known/jwks.json", b"/api/books/1", b"/api/nothing", b"/nothing"):
        one = head(b"Authorization: Bearer " + token, request=b"GET " + target + b" HTTP/1.1")
        answers, closed, _ = send(one + one, 0.4)
        equal((len(answers), closed), (2, False), target)
    form = b"grant_type=password&username=ada&password=wrong%20one"
    answers, closed, _ = send(post(b"Content-Length: " + str(len(form)).encode(), body=form), 3)
    equal((len(answers), closed), (1, False), "/token")


@test
def test_every_byte_of_a_request_changed_once_never_hurts():
    good = head(b"Accept: */*", b"Content-Length: 0", b"Connection: close", request=b"POST /token HTTP/1.1").replace(b"@HOST@", host())
    g = gateway()
    for i in range(0, len(good)):
        for byte in (0, 10, 255):
            answers, _, _ = g.raw(good[:i] + bytes([byte]) + good[i + 1:], 0.15)
            assert all(a.status in (400, 401, 403, 404, 405, 408, 413, 414, 415, 417, 421, 422, 431, 501, 505) for a in answers), (i, byte, answers)
    assert g.is_ready()


main()

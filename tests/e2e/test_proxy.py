#!/usr/bin/env python3
"""Requests through a route to a service: who may, what the service reads, what the caller is told, what is recorded."""
import json

from harness import Gateway, equal, main, read_answers, test, wait_until
from recorder import Recorder, ok

service = Recorder()


def routes(config):
    config["workers"] = 1
    config["backends"]["app"] = {"type": "http", "url": service.url, "response_timeout": "5s"}
    config["routes"] = [
        {"path": "/app/*", "backend": "app", "public": ["OPTIONS"], "strip": "/app",
         "allow": {"reader": ["GET", "HEAD"], "books-admin": "all"}},
        {"path": "/open/*", "backend": "app", "public": ["GET", "POST"], "allow": {"reader": "all"}},
        {"path": "/watched/*", "backend": "app", "observe": True, "allow": {"books-admin": "all"}},
        {"path": "/small/*", "backend": "app", "body": "1KiB", "public": ["GET", "POST"]},
        {"path": "/keep/*", "backend": "app", "authorization": "keep", "allow": {"reader": "all"}},
        {"path": "/docs/*", "backend": "app", "allow": {"reader": "all"}},
        {"path": "/hosted/*", "hosts": ["api.example.com"], "backend": "app", "public": ["GET"]},
        {"path": "/slow/*", "backend": "app", "public": ["GET"], "response_timeout": "500ms"},
    ]


gateway = Gateway(change=routes)


def fresh(answer=ok):
    service.forget()
    service.answer = answer


def records_of(answer):
    return wait_until(lambda: gateway.records(answer.error()["decision"]), 5, "its record")


def records_at(path, count=1):
    def find():
        found = [r for r in gateway.records(path) if r.get("http_request", {}).get("url", {}).get("path") == path]
        return found if len(found) >= count else None
    return wait_until(find, 5, f"{count} records of {path}")


def unmapped(record):
    return record.get("unmapped", {})


def saying(text):
    def answer(connection, request):
        connection.body(request)
        connection.send(text)
    return answer


# What the service reads

@test
def test_a_get_is_forwarded_and_its_answer_comes_back():
    fresh()
    answer = gateway.get("/app/items/7?x=1&x=2", "ada")
    equal((answer.status, answer.body), (200, b"hello"))
    request = service.last()
    equal((request.method, request.target, request.version), ("GET", "/items/7?x=1&x=2", "HTTP/1.1"))
    equal(request.all("host"), [f"127.0.0.1:{gateway.http_port}"])
    equal(answer.headers["content-type"], "text/plain")
    equal(answer.headers["content-length"], "5")


@test
def test_a_post_is_forwarded_with_its_body():
    fresh()
    answer = gateway.request("POST", "/app/items", "grace", body='{"a":1}', headers={"Content-Type": "application/json"})
    equal((answer.status, answer.body), (200, b"hello"))
    equal((service.last().body, service.last().target), (b'{"a":1}', "/items"))
    equal(service.last().all("content-length"), ["7"])


@test
def test_a_head_tells_the_length_and_has_no_body():
    fresh()
    answer = gateway.request("HEAD", "/app/items", "ada")
    equal((answer.status, answer.headers["content-length"], answer.body), (200, "5", b""))
    equal(service.last().method, "HEAD")


@test
def test_paths_are_forwarded_as_they_were_matched():
    for sent, forwarded in (("/app", "/"), ("/app/", "/"), ("/app?q", "/?q"), ("/app/a/", "/a/"), ("/app/%61%2Bb", "/a+b"),
                            ("/app/a%20b%3F%23", "/a%20b%3F%23"), ("/app/%c3%a4", "/%C3%A4"), ("/app/a:b@c,d", "/a:b@c,d"),
                            ("/%61pp/x", "/x"), ("/app/x%3By", "/x%3By"), ("/app/x?", "/x?"), ("/app/x?a=%2F..%2f#".rstrip("#"), "/x?a=%2F..%2f"),
                            ("/open/x", "/open/x"), ("/app/[a]|", "/%5Ba%5D%7C")):
        fresh()
        equal(gateway.get(sent, "ada").status, 200, sent)
        equal(service.last().target, forwarded, sent)


@test
def test_authorization_goes_on_only_where_it_is_configured():
    fresh()
    gateway.get("/app/x", "ada")
    assert "authorization" not in service.last().names()
    gateway.get("/keep/x", "ada")
    equal(service.last().all("authorization"), [f"Bearer {gateway.token('ada')}"])


@test
def test_other_fields_go_on_as_they_are_also_twice():
    fresh()
    gateway.raw(b"GET /open/x HTTP/1.1\r\nHost: h\r\nX-One: a\r\nX-One: b\r\nAccept:  text/*  \r\nVia: 1.1 me\r\nCookie: a=1; gatewarden=s; b=2\r\n"
                b"Connection: close\r\n\r\n")
    request = service.last()
    equal((request.all("x-one"), request.all("accept"), request.all("via"), request.all("cookie")),
          (["a", "b"], ["text/*"], ["1.1 me"], ["a=1; b=2"]))


@test
def test_the_service_learns_where_the_caller_came_from():
    fresh()
    gateway.get("/open/x", headers={"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil",
                                    "Forwarded": "for=6.6.6.6", "X-Real-IP": "6.6.6.6"})
    request = service.last()
    equal(request.all("x-forwarded-for"), ["127.0.0.1"])
    equal(request.all("x-forwarded-proto"), ["http"])
    equal(request.all("x-forwarded-host"), [f"127.0.0.1:{gateway.http_port}"])
    equal(request.names() & {"forwarded", "x-real-ip"}, set())
    equal(len(request.all("traceparent")), 1)


@test
def test_the_callers_assertion_is_the_only_one():
    fresh()
    gateway.get("/app/x", "ada", headers={"X-Gatewarden-Assertion": "forged"})
    got = service.last().all("x-gatewarden-assertion")
    equal((len(got), got != ["forged"]), (1, True))
    gateway.get("/open/x", headers={"X-Gatewarden-Assertion": "forged"})
    equal(service.last().all("x-gatewarden-assertion"), [], "of nobody")


# Who may

@test
def test_refusals_reach_no_service():
    fresh()
    for method, path, user, status in (("GET", "/app/x", None, 401), ("POST", "/app/x", "ada", 403), ("GET", "/nowhere", None, 401),
                                       ("GET", "/nowhere", "grace", 403), ("GET", "/app/x", "forged", 401), ("GET", "/open/x", "forged", 401),
                                       ("DELETE", "/open/x", None, 401), ("GET", "/hosted/x", None, 401)):
        answer = gateway.request(method, path, user)
        equal(answer.status, status, f"{method} {path} {user}")
        equal(len(answer.error()["decision"]), 26)
        if status == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")
    equal(service.requests, [])


@test
def test_public_methods_need_no_token():
    fresh()
    equal(gateway.get("/open/x").status, 200)
    equal(gateway.request("OPTIONS", "/app/x").status, 200)
    equal(gateway.get("/open/x", "ada").status, 200)


@test
def test_a_route_is_for_its_hosts():
    fresh()
    for host, status in (("api.example.com", 200), ("API.example.COM:8080", 200), ("api.example.com.", 200), ("API.example.com.:80", 200),
                         ("other.example.com", 401), ("api.example.com..", 401), ("api.example.com.evil.example", 401)):
        equal(gateway.get("/hosted/x", headers={"Host": host}).status, status, host)
    equal(service.requests[1].all("host"), ["API.example.COM:8080"])


@test
def test_our_own_paths_stay_ours_unless_a_route_names_them():
    fresh()
    equal(gateway.get("/me", "ada").json()["subject"] != "", True)
    equal(gateway.get("/api/books/1", "ada").status, 200)
    equal(service.requests, [])
    equal((gateway.get("/docs/x", "ada").status, service.last().target), (200, "/docs/x"))


@test
def test_an_observed_route_refuses_nobody_and_records_what_it_would_have():
    fresh()
    equal((gateway.request("POST", "/watched/one", body="x").status, gateway.get("/watched/two", "forged").status,
           gateway.get("/watched/three", "ada").status, gateway.get("/watched/four", "grace").status), (200, 200, 200, 200))
    equal(len(service.requests), 4)
    equal("x-gatewarden-assertion" in service.requests[0].names(), False)
    equal("x-gatewarden-assertion" in service.requests[2].names(), True)
    for path, would in (("one", True), ("two", True), ("three", True), ("four", False)):
        for record in records_at(f"/watched/{path}"):
            equal((unmapped(record)["observed"], unmapped(record)["outcome"]), (would, "denied" if would else "allowed"), path)


# What is recorded

@test
def test_a_get_has_one_record_and_a_post_two():
    fresh()
    gateway.get("/app/recorded?secret=1", "grace")
    (record,) = records_at("/app/recorded")
    equal((record["api"]["operation"], record["status_code"]), ("GET", "200"))
    assert "secret" not in json.dumps(record)
    gateway.request("POST", "/app/kept", "grace", body="abc")
    intent, completion = records_at("/app/kept", 2)
    equal((unmapped(intent)["completion"], unmapped(completion)["completion"]), (False, True))
    equal((completion["status_code"], intent["metadata"]["uid"]), ("200", completion["metadata"]["uid"]))


@test
def test_a_write_that_fails_behind_its_record_is_recorded_so():
    fresh(lambda connection, request: connection.close())
    answer = gateway.request("POST", "/app/broken", "grace", body="abc")
    equal((answer.status, answer.error()["code"]), (502, "bad_gateway"))
    intent, completion = records_at("/app/broken", 2)
    equal((unmapped(intent)["completion"], unmapped(completion)["completion"], completion["status_code"]), (False, True, "502"))


# What the caller is told

@test
def test_what_a_service_answers_comes_through():
    text = b"HTTP/1.1 418 Teapot\r\nX-A: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-Length: 3\r\n\r\nabc"
    fresh(saying(text))
    (answer,), _, raw = gateway.raw(b"GET /open/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    equal((answer.status, answer.body, raw.count(b"Set-Cookie: "), raw.count(b"Date: ")), (418, b"abc", 2, 1))
    assert b"Date: Mon, 01 Jan 2024" in raw and b"nosniff" not in raw and b"no-store" not in raw, raw


@test
def test_what_is_ours_to_say_does_not_come_from_a_service():
    text = (b"HTTP/1.1 200 OK\r\nX-Gatewarden-Assertion: a\r\nx-gatewarden-x: b\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
            b"Set-Cookie: gatewarden=evil; Path=/\r\nSet-Cookie: mine=1\r\nContent-Length: 0\r\n\r\n")
    fresh(saying(text))
    (answer,), _, raw = gateway.raw(b"GET /open/x HTTP/1.1\r\nHost: h\r\n\r\n", 0.5)
    equal(answer.status, 200)
    for word in (b"atewarden", b"X-Hop", b"Keep-Alive"):
        assert word not in raw, raw
    assert b"mine=1" in raw and b"Date: " in raw


@test
def test_a_service_that_fails_is_a_502_503_or_504():
    for behave, path, status in ((lambda c, r: c.close(), "/open/x", 502), (saying(b"garbage\r\n\r\n"), "/open/x", 502),
                                 (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"), "/open/x", 502),
                                 (saying(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"), "/open/x", 502),
                                 (saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab") and (lambda c, r: (c.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab"), c.close())), "/open/x", 502),
                                 (lambda c, r: c.more(), "/slow/x", 504)):
        fresh(behave)
        answer = gateway.request("POST" if status == 502 else "GET", path, body="x" if status == 502 else None)
        equal((answer.status, len(answer.error()["decision"])), (status, 26), path)
        equal(answer.error()["code"], {502: "bad_gateway", 504: "gateway_timeout"}[status])
        fresh()
        wait_until(lambda: gateway.get("/open/again").status == 200, 20, "the service to be tried again")


@test
def test_a_body_above_its_limit_reaches_no_service():
    fresh()
    equal(gateway.request("POST", "/small/x", body=b"x" * 1024).status, 200)
    fresh()
    equal(gateway.request("POST", "/small/x", body=b"x" * 1025).status, 413)
    equal(service.requests, [])
    answers, closed, _ = gateway.raw(b"POST /small/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" + b"x" * 2048 + b"\r\n0\r\n\r\n")
    equal(([a.status for a in answers], closed), ([413], True))
    equal([r.body for r in service.requests], [None] * len(service.requests), "whole requests")


@test
def test_only_what_is_idempotent_is_tried_again():
    for method, tries in (("GET", 2), ("POST", 1)):
        def once(connection, request):
            if len(service.requests) == 1:
                connection.body(request)
                connection.close()
            else:
                ok(connection, request)
        fresh(once)
        answer = gateway.request(method, "/open/retried", body="x" if method == "POST" else None)
        equal((answer.status, len(service.requests)), (200 if tries == 2 else 502, tries), method)
        fresh()
        wait_until(lambda: gateway.get("/open/again").status == 200, 20, "the service to be tried again")


@test
def test_requests_in_a_row_on_one_connection_are_answered_in_order():
    fresh(lambda c, r: (c.body(r), c.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(r.target), r.target.encode()))))
    data = b"".join(b"GET /open/%d HTTP/1.1\r\nHost: h\r\n\r\nPOST /open/p%d HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nhi" % (i, i) for i in range(20))
    answers, _, _ = gateway.raw(data, 1)
    equal([a.body for a in answers], [b"/open/%s%d" % (p, i) for i in range(20) for p in (b"", b"p")])
    assert len(service.connections) <= 3, len(service.connections)


if __name__ == "__main__":
    main()

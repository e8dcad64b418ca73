#!/usr/bin/env python3
"""Requests through a route to a service: who may, what the service reads, what the caller is told, what is recorded."""
import json
import socket
import time

from harness import Gateway, equal, main, read_answers, test, wait_until
from recorder import Recorder, ok

service = Recorder()


def routes(config):
    config["backends"]["app"] = {"type": "http", "url": service.url, "response_timeout": "5s"}
    config["roles"]["writer"] = {"granted_by": ["local:writer"]}
    config["routes"] = [
        {"path": "/app/*", "backend": "app", "public": ["OPTIONS"], "strip": "/app",
         "allow": {"reader": ["GET", "HEAD"], "books-admin": "all"}},
        {"path": "/open/*", "backend": "app", "public": ["GET", "POST"], "identity": ["assertion"]},
        {"path": "/watched/*", "backend": "app", "observe": True, "allow": {"books-admin": "all"}},
        {"path": "/small/*", "backend": "app", "body": "1KiB", "public": ["GET", "POST"]},
        {"path": "/keep/*", "backend": "app", "authorization": "keep", "allow": {"reader": "all"}},
        {"path": "/docs/*", "backend": "app", "allow": {"reader": "all"}},
    ]


gateway = Gateway(change=routes)


def fresh(answer=ok):
    service.forget()
    service.answer = answer


def decision_of(answer):
    return answer.error()["decision"]


def api_records(path):
    def find():
        return [r for r in gateway.records('"api"') if json.dumps(r).find(f'"{path}"') >= 0]
    return wait_until(find, 5, f"a record of {path}")


@test
def test_a_get_is_forwarded_and_its_answer_comes_back():
    fresh()
    answer = gateway.get("/app/items/7?x=1&x=2", "ada")
    equal((answer.status, answer.body), (200, b"hello"))
    request = service.last()
    equal((request.method, request.target, request.version), ("GET", "/items/7?x=1&x=2", "HTTP/1.1"))
    equal(request.all("host"), [f"127.0.0.1:{gateway.http_port}"])
    equal(answer.headers["content-type"], "text/plain")


@test
def test_a_post_is_forwarded_with_its_body():
    fresh()
    answer = gateway.request("POST", "/app/items", "grace", body='{"a":1}', headers={"Content-Type": "application/json"})
    equal((answer.status, answer.body), (200, b"hello"))
    equal((service.last().body, service.last().target), (b'{"a":1}', "/items"))


if __name__ == "__main__":
    main()

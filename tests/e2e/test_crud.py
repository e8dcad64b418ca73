"""Rows over HTTP: read, create, change, delete, and what the data's own rules say."""
import json
import threading

from harness import equal, main, query, shared, test
from rows import NEW


def gateway():
    return shared()


def create(code, **more):
    answer = gateway().request("POST", "/api/books", "grace", body={**NEW, "code": code, **more})
    equal(answer.status, 201, answer)
    return answer.json()["value"][0]


def fault(body, method="POST", path="/api/books", status=(422,)):
    answer = gateway().request(method, path, "grace", body=body)
    assert answer.status in status, answer
    return answer.error()


@test
def test_one_row_by_key():
    for path in ("/api/books/2", "/api/books/id/2"):
        answer = gateway().get(path, "grace")
        equal(answer.status, 200, answer)
        row = answer.json()["value"][0]
        equal((row["id"], row["title"], row["year"]), (2, "Pride and Prejudice", 1813))


@test
def test_types_keep_their_form():
    row = gateway().get("/api/books/2", "grace").json()["value"][0]
    assert row["published"] is True
    assert isinstance(row["id"], int)
    assert isinstance(row["price"], (int, float)), "a decimal is a JSON number"
    equal(len(row["added"]), 20)
    assert row["added"].endswith("Z")
    row = gateway().get("/api/books" + query(filter="note eq null", first=1), "grace").json()["value"][0]
    assert row["note"] is None


@test
def test_no_such_row_is_404():
    for path in ("/api/books/99999999", "/api/books/id/99999999"):
        answer = gateway().get(path, "grace")
        equal((answer.status, answer.error()["code"]), (404, "not_found"))


@test
def test_a_key_of_the_wrong_type_is_400():
    for key in ("abc", "1.5", "9223372036854775808", "1e3", "0x10", "%20", "1%2C2"):
        answer = gateway().get(f"/api/books/{key}", "grace")
        assert answer.status in (400, 404), (key, answer)


@test
def test_create_read_change_delete():
    g = gateway()
    row = create("BK-9000010")
    key = row["id"]
    equal(row["title"], NEW["title"])
    equal(g.get(f"/api/books/{key}", "grace").json()["value"][0]["cost"], 8.25)

    answer = g.request("PATCH", f"/api/books/{key}", "grace", body={"title": "Changed", "note": "x"})
    equal(answer.status, 200, answer)
    row = answer.json()["value"][0]
    equal((row["title"], row["note"], row["year"]), ("Changed", "x", 1920))

    replaced = {**NEW, "code": "BK-9000010", "title": "Replaced", "stock": 3}
    answer = g.request("PUT", f"/api/books/{key}", "grace", body=replaced)
    equal(answer.status, 200, answer)
    row = answer.json()["value"][0]
    equal((row["title"], row["note"], row["stock"]), ("Replaced", None, 3))

    equal(g.request("DELETE", f"/api/books/{key}", "grace").status, 204)
    equal(g.get(f"/api/books/{key}", "grace").status, 404)
    equal(g.request("DELETE", f"/api/books/{key}", "grace").status, 404)


@test
def test_put_to_a_free_key_creates():
    g = gateway()
    answer = g.request("PUT", "/api/books/800001", "grace", body={**NEW, "code": "BK-9000020", "stock": 0})
    equal(answer.status, 201, answer)
    equal(answer.json()["value"][0]["id"], 800001)
    g.request("DELETE", "/api/books/800001", "grace")


@test
def test_a_taken_code_is_409_and_names_the_column():
    error = fault({**NEW, "code": "BK-0000001"}, status=(409,))
    assert "code" in error["message"], error


@test
def test_a_missing_author_is_409():
    fault({**NEW, "code": "BK-9000030", "author_id": 999999}, status=(409, 422))


@test
def test_a_missing_value_is_422_and_names_the_column():
    body = {k: v for k, v in NEW.items() if k != "title"}
    assert "title" in fault({**body, "code": "BK-9000031"})["message"]
    assert "title" in fault({**NEW, "code": "BK-9000032", "title": None})["message"]


@test
def test_a_broken_rule_of_the_table_is_422():
    for bad in ({"pages": 0}, {"pages": -5}, {"title": ""}, {"stock": -1}, {"code": "short"}):
        fault({**NEW, "code": "BK-9000033", **bad})


@test
def test_an_author_with_books_is_not_deleted():
    answer = gateway().request("DELETE", "/api/authors/1", "grace")
    equal(answer.status, 409, answer)


@test
def test_values_of_the_wrong_type_are_refused():
    for bad in ({"year": "1920"}, {"year": 1.5}, {"published": 1}, {"published": "true"}, {"title": 5},
                {"title": ["x"]}, {"title": {"a": 1}}, {"acquired": "yesterday"}, {"acquired": "2026-02-30"},
                {"added": "2026-01-02T25:00:00Z"}, {"price": "abc"}, {"year": 9223372036854775808}):
        error = fault({**NEW, "code": "BK-9000034", **bad}, status=(400, 422))
        assert next(iter(bad)) in error["message"], (bad, error)


@test
def test_an_unknown_column_is_named():
    error = fault({**NEW, "code": "BK-9000035", "colour": "red"}, status=(400, 422))
    assert "colour" in error["message"], error


@test
def test_the_key_cannot_be_changed_in_the_body():
    fault({"id": 5}, "PATCH", "/api/books/2", status=(400,))


@test
def test_bodies_that_are_no_object_are_400():
    g = gateway()
    for text in ("", "[]", "null", "1", '"x"', "{", '{"a":1}{', '{"title":"a","title":"b"}', "{'title':'x'}", "\x00", "﻿{}"):
        answer = g.request("POST", "/api/books", "grace", body=text.encode(), headers={"Content-Type": "application/json"})
        assert answer.status in (400, 422), (text, answer)


@test
def test_bodies_of_another_type_are_415():
    for kind in ("text/plain", "application/xml", "application/x-www-form-urlencoded", ""):
        answer = gateway().request("POST", "/api/books", "grace", body=json.dumps(NEW), headers={"Content-Type": kind})
        equal(answer.status, 415, (kind, answer))


@test
def test_text_comes_back_byte_for_byte():
    g = gateway()
    for index, text in enumerate(["O'Brien; DROP TABLE books; --", "“quotes” – ünïcødé", "日本語 🎉", "a\nb\tc\"\\", "\u007f\u0001", "e\u0301"]):
        row = create(f"BK-91000{index:02}", title=text)
        equal(g.get(f"/api/books/{row['id']}", "grace").json()["value"][0]["title"], text)
        g.request("DELETE", f"/api/books/{row['id']}", "grace")


@test
def test_integers_at_their_edges():
    g = gateway()
    for index, year in enumerate((9223372036854775807, -9223372036854775808, 0, -1)):
        row = create(f"BK-92000{index:02}", year=year)
        equal(g.get(f"/api/books/{row['id']}", "grace").json()["value"][0]["year"], year)
        g.request("DELETE", f"/api/books/{row['id']}", "grace")


@test
def test_writers_side_by_side_lose_nothing():
    g = gateway()
    before = g.sql("SELECT count(*) FROM books")[0][0]
    answers = []

    def work(start):
        for i in range(10):
            answers.append(g.request("POST", "/api/books", "grace", body={**NEW, "code": f"BK-93{start:02}{i:03}"}))
    g.token("grace")
    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    equal({a.status for a in answers}, {201}, [a for a in answers if a.status != 201][:3])
    equal(g.sql("SELECT count(*) FROM books")[0][0] - before, 60)


@test
def test_methods_a_path_does_not_take_are_405_with_allow():
    g = gateway()
    for method, path in (("DELETE", "/api/books"), ("POST", "/api/books/1"), ("POST", "/me"), ("PUT", "/token")):
        answer = g.request(method, path, "grace", body=NEW if method in ("POST", "PUT") else None)
        equal(answer.status, 405, (method, path))
        assert "GET" in answer.headers["allow"] or "POST" in answer.headers["allow"]


@test
def test_head_answers_as_get_without_a_body():
    g = gateway()
    get, head = g.get("/api/books/1", "grace"), g.request("HEAD", "/api/books/1", "grace")
    equal((head.status, head.body, head.headers["content-length"]), (200, b"", get.headers["content-length"]))


main()

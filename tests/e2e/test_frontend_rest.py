"""The edges of /api: pages without a key, keys that fit no column, and what a PUT says of rows it may not see."""
import contextlib
import sqlite3

from harness import Gateway, equal, main, query, test

TABLES = """
create table wide (id integer primary key, c1, c2, c3, c4, c5, c6, c7, c8, c9);
with recursive s(x) as (select 1 union all select x + 1 from s limit 30)
  insert into wide select x, 1, 1, 1, 1, 1, 1, 1, 1, 1 from s;
create view wide_view as select * from wide;
create view alike as select c1, c2 from wide;
create table whole (id bigint not null, v text, primary key (id)) without rowid;
create table own (id integer primary key, v text not null);
insert into own values (1, 'mine'), (5, 'not mine');
"""


def change(config):
    config["workers"] = 1
    for table in ("wide", "wide_view", "alike", "whole"):
        config["resources"][table] = {"backend": "books", "table": table, "page_size": 7, "page_max": 50,
                                      "allow": {"books-admin": "all"}}
    config["resources"]["own"] = {"backend": "books", "table": "own", "allow": {"reader": {
        action: {"where": "id lt 3"} for action in ("read", "create", "update", "delete")}}}


def before(folder):
    with contextlib.closing(sqlite3.connect(folder / "data/books.db")) as db:
        db.executescript(TABLES)
        db.commit()


_gateway = None


def gateway():
    global _gateway
    if _gateway is None:
        _gateway = Gateway(change=change, before=before)
    return _gateway


def walk(path):
    """-> (rows of all pages, the last answer)"""
    rows = []
    while True:
        answer = gateway().get(path, "grace")
        if answer.status != 200:
            return rows, answer
        page = answer.json()
        rows += page["value"]
        if "nextLink" not in page:
            return rows, answer
        path = page["nextLink"][page["nextLink"].index("/api/"):]


@test
def test_a_view_without_a_key_is_walked_whole():
    for order in ({}, {"orderby": "c1"}, {"orderby": "c9 desc,id desc"}):
        rows, _ = walk("/api/wide_view" + query(first=7, **order))
        equal(sorted(row["id"] for row in rows), list(range(1, 31)), order)


@test
def test_rows_that_no_order_tells_apart_are_never_lost_between_pages():
    rows, last = walk("/api/alike" + query(first=7))
    equal((rows, last.status), ([], 422))
    rows, last = walk("/api/alike" + query(first=50))
    equal((len(rows), last.status), (30, 200))
    # Eight columns leave no room for the key behind them.
    rows, last = walk("/api/wide" + query(first=7, orderby="c1,c2,c3,c4,c5,c6,c7,c8"))
    equal((rows, last.status), ([], 422))
    rows, last = walk("/api/wide" + query(first=7, orderby="c1,c2,c3,c4,c5,c6,c7,id"))
    equal((len(rows), last.status), (30, 200))


@test
def test_a_key_that_is_no_whole_number_is_not_stored_as_one():
    g = gateway()
    for key in ("2.5", "9223372036854775808", "1e30", "99999999999999999999"):
        equal(g.request("PUT", f"/api/whole/{key}", "grace", body={"v": "x"}).status, 404, key)
    equal(g.sql("select count(*) from whole"), [(0,)])
    for key in ("9223372036854775807", "-9223372036854775808"):
        equal(g.request("PUT", f"/api/whole/{key}", "grace", body={"v": "x"}).status, 201, key)
        equal(g.get(f"/api/whole/{key}", "grace").json()["value"], [{"id": int(key), "v": "x"}])


@test
def test_put_says_the_same_of_a_hidden_row_and_of_one_that_would_be_hidden():
    g = gateway()
    hidden = g.request("PUT", "/api/own/5", "ada", body={"v": "x"})
    missing = g.request("PUT", "/api/own/500", "ada", body={"v": "x"})
    equal((hidden.status, hidden.error()["message"]), (missing.status, missing.error()["message"]))
    equal(hidden.status, 404)
    equal(g.request("PUT", "/api/own/2", "ada", body={"v": "new"}).status, 201)
    equal(g.sql("select id, v from own order by id"), [(1, "mine"), (2, "new"), (5, "not mine")])


@test
def test_a_wrong_value_is_told_what_json_it_takes():
    answer = gateway().request("POST", "/api/whole", "grace", body={"id": "7", "v": "x"})
    equal((answer.status, answer.error()["message"]), (422, "column id takes a whole number of 64 bits"))


if __name__ == "__main__":
    main()

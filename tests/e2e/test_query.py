"""$select $filter $orderby $first $after: what they find, and what they refuse."""
import urllib.parse

from harness import Gateway, equal, main, query, shared, test


def gateway():
    return shared()


def rows(user="grace", resource="books", **options):
    answer = gateway().get(f"/api/{resource}" + (query(**options) if options else ""), user)
    equal(answer.status, 200, answer)
    return answer.json()["value"]


def refused(status=400, user="grace", **options):
    answer = gateway().get("/api/books" + query(**options), user)
    equal(answer.status, status, (options, answer))
    return answer.error()


def sql(condition):
    return {r[0] for r in gateway().sql(f"SELECT id FROM books WHERE {condition}")}


def walk(user="grace", resource="books", **options):
    """All rows, page by page along nextLink."""
    g = gateway()
    path = f"/api/{resource}" + query(**options)
    found = []
    while path:
        answer = g.get(path, user)
        equal(answer.status, 200, answer)
        body = answer.json()
        found += body["value"]
        link = body.get("nextLink")
        if link:
            assert link.startswith(g.url + "/"), link
        path = link and link[len(g.url):]
    return found


@test
def test_filters_find_what_sql_finds():
    for text, condition in (
            ("year eq 1900", "year = 1900"), ("year ne 1900", "year <> 1900"),
            ("year gt 1900", "year > 1900"), ("year ge 1900", "year >= 1900"),
            ("year lt 1600", "year < 1600"), ("year le 1600", "year <= 1600"),
            ("year eq null", "year IS NULL"), ("year ne null", "year IS NOT NULL"),
            ("published eq false", "published = 0"), ("price gt 20", "price > 20"),
            ("year gt 1900 and language eq 'de'", "year > 1900 AND language = 'de'"),
            ("language eq 'de' or language eq 'ru'", "language IN ('de', 'ru')"),
            ("language in ('de', 'ru')", "language IN ('de', 'ru')"),
            ("not (language eq 'en')", "language <> 'en'"),
            ("(year lt 1600 or year gt 1920) and published eq true", "(year < 1600 OR year > 1920) AND published"),
            ("contains(title, 'and')", "instr(title, 'and') > 0"),
            ("startswith(title, 'The ')", "substr(title, 1, 4) = 'The '"),
            ("endswith(title, 'ion')", "substr(title, -3) = 'ion'"),
            ("title eq 'King Solomon''s Mines'", "title = 'King Solomon''s Mines'"),
            ("contains(title, '%')", "0"), ("contains(title, '_')", "0"),
            ("acquired ge 2024-01-01", "acquired >= '2024-01-01'"),
            ("added lt 2025-01-01T02:00:00Z", "added < '2025-01-01T02:00:00Z'")):
        expected = sql(condition)
        equal({r["id"] for r in walk(filter=text, first=100)}, expected, text)


@test
def test_select_answers_those_columns_only():
    for row in rows(select="id,title", first=5):
        equal(sorted(row), ["id", "title"])
    row = gateway().get("/api/books/1" + query(select="title"), "grace").json()["value"][0]
    equal(row, {"title": "Sense and Sensibility"})


@test
def test_order_up_down_and_by_two():
    up = [r["title"] for r in walk(orderby="title", first=100)]
    equal(up, sorted(up, key=lambda t: t.encode()))
    down = [r["title"] for r in walk(orderby="title desc", first=100)]
    equal(down, up[::-1] if len(set(up)) == len(up) else sorted(up, key=lambda t: t.encode(), reverse=True))
    both = [(r["language"], r["title"]) for r in walk(orderby="language desc, title asc", first=100)]
    equal(both, sorted(sorted(both, key=lambda p: p[1].encode()), key=lambda p: p[0], reverse=True))


@test
def test_walking_pages_sees_each_row_once():
    everything = sorted(sql("1"))
    for options in ({"first": 7}, {"first": 100}, {"first": 13, "orderby": "language"},
                    {"first": 13, "orderby": "year desc"}, {"first": 50, "orderby": "note,acquired desc"}):
        equal(sorted(r["id"] for r in walk(**options)), everything, options)


@test
def test_pages_are_as_large_as_asked():
    equal(len(rows()), 20)
    equal(len(rows(first=3)), 3)
    answer = gateway().get("/api/books" + query(first=3), "grace").json()
    assert "nextLink" in answer
    answer = gateway().get("/api/books" + query(filter="id le 3", first=3), "grace").json()
    assert "nextLink" not in answer, "the last page says so"
    for first in (0, -1, 101, "x", "1.0", "99999999999999999999", ""):
        refused(first=first)


@test
def test_a_cursor_is_bound_to_its_query_and_cannot_be_made():
    g = gateway()
    link = g.get("/api/books" + query(first=3, orderby="title"), "grace").json()["nextLink"]
    after = urllib.parse.parse_qs(urllib.parse.urlsplit(link).query)["$after"][0]
    assert "Sense" not in after and len(after) > 20
    refused(after=after)
    refused(after=after, orderby="title desc")
    refused(after=after, orderby="title", filter="id gt 1")
    flipped = after[:-2] + ("A" if after[-2] != "A" else "B") + after[-1]
    for bad in (flipped, after + "A", after[:-4], "", "AAAA", "e30", "W10", "x" * 3000):
        refused(after=bad, orderby="title")
    equal(g.get("/api/authors" + query(after=after, orderby="name"), "grace").status, 400)


@test
def test_a_cursor_lives_through_a_restart():
    g = Gateway()
    link = g.get("/api/books" + query(first=3), "grace").json()["nextLink"]
    equal(g.stop(), 0)
    g.start()
    answer = g.get(link[len(g.url):], "grace")
    equal((answer.status, answer.json()["value"][0]["id"]), (200, 4))
    g.check_end()


@test
def test_bad_filters_say_where():
    for text in ("", "year", "year eq", "year eq eq 1", "year = 1", "eq 1", "year eq 1 and", "(year eq 1", "year eq 1)",
                 "title eq 'x", "title eq \"x\"", "contains(title)", "contains('x', title)", "year eq 'x'", "title eq 5",
                 "year in ()", "year in (1,)", "not year eq 1", "year eq 1 or or year eq 2",
                 "published eq 1", "year eq 1;", "year eq 1--", "1 eq 1", "year eq @claims.sub", "length(title) eq 1",
                 "year EQ 1", "acquired eq 2026-13-01", "unknown eq 1", "year eq 1 and unknown eq 2"):
        error = refused(filter=text)
        assert error["message"], text
    assert "14" in refused(filter="year eq 1 or bogus eq 2")["message"], "the place is named"


@test
def test_filters_too_deep_too_long_or_too_many_are_refused():
    refused(filter="(" * 200 + "year eq 1" + ")" * 200)
    refused(filter=" or ".join(["id eq 1"] * 300))
    refused(filter="year in (" + ",".join(map(str, range(500))) + ")")


@test
def test_unknown_and_repeated_options_are_refused():
    g = gateway()
    for tail in ("?$top=5", "?filter=x", "?$select=id&$select=title", "?$FIRST=1", "?x", "?=1", "?$skip=1", "?$filter=year%20eq%201&%24filter=year%20eq%202"):
        answer = g.get("/api/books" + tail, "grace")
        equal(answer.status, 400, tail)
    equal(g.get("/api/books/1?$filter=year%20eq%201", "grace").status, 400)


@test
def test_bad_orders_and_selects_are_refused():
    for options in ({"orderby": "nothing"}, {"orderby": "title up"}, {"orderby": "title,title"}, {"orderby": ""},
                    {"orderby": "title desc desc"}, {"select": ""}, {"select": "nothing"}, {"select": "*"},
                    {"select": "id,,title"}, {"orderby": "title;drop"}, {"orderby": ",".join(["id"] * 40)}):
        refused(**options)


@test
def test_odd_encodings_are_refused_or_exact():
    g = gateway()
    for tail in ("?$filter=title%20eq%20'%ff'", "?$filter=%", "?$filter=%zz", "?$filter=title%20eq%20'%00'", "?$filter=%c0%af"):
        equal(g.get("/api/books" + tail, "grace").status, 400, tail)
    answer = g.get("/api/books?$filter=title+eq+%27Emma%27", "grace")
    equal([r["title"] for r in answer.json()["value"]], ["Emma"])


main()

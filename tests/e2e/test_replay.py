#!/usr/bin/env python3
"""`gatewarden audit replay`: a log that the running gate wrote, decided again under other policies."""
import copy
import http.server
import json
import os
import re
import subprocess
import threading

from harness import Gateway, environment, equal, main, test

_state = {}


class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"ok")

    do_GET = do_HEAD = do_POST = do_DELETE = answer

    def log_message(self, *_):
        pass


def with_routes(config, port):
    config["backends"]["app"] = {"type": "http", "url": f"http://127.0.0.1:{port}"}
    config["routes"] = [
        {"path": "/app/open", "backend": "app", "public": ["GET"]},
        {"path": "/app/*", "backend": "app", "allow": {"reader": ["GET"], "books-admin": "all"}},
        {"path": "/seen/*", "backend": "app", "observe": True, "allow": {"books-admin": "all"}},
    ]


def world():
    """A gate whose log has decisions on resources and routes; it goes on running."""
    if "g" not in _state:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        g = Gateway(change=lambda c: with_routes(c, server.server_port))
        for user, method, path, status in (
                ("ada", "GET", "/api/books", 200), ("ada", "GET", "/api/books", 200),
                ("ada", "DELETE", "/api/books/1", 403), ("grace", "GET", "/api/authors", 200),
                ("ada", "GET", "/app/items/7", 200), ("ada", "POST", "/app/items", 403),
                ("grace", "POST", "/app/items", 200), (None, "GET", "/app/open", 200),
                ("ada", "GET", "/seen/it", 200), ("ada", "GET", "/nowhere", 403)):
            equal(g.request(method, path, user).status, status, (user, method, path))
        _state["g"] = g
    return _state["g"]


def replay(change=None, *words):
    """The log under a changed configuration. -> (exit status, the JSON)"""
    g = world()
    config = copy.deepcopy(g.config)
    if change:
        change(config)
    policy = g.folder / "new.yaml"
    policy.write_text(json.dumps(config))
    done = g.cli("audit", "replay", str(policy), "--json", *words)
    if done.returncode == 2:
        raise AssertionError(done.stderr)
    return done.returncode, json.loads(done.stdout)


def groups(result, now):
    return sorted((e["roles"], e["action"], e["resource"], e["then"], e["count"]) for e in result["groups"]
                  if e["now"] == now)


@test
def test_the_same_policy_changes_nothing():
    status, result = replay()
    equal((status, result["refused"], result["allowed"], result["unsure"]), (0, 0, 0, 0))
    equal(groups(result, "observed"), [("reader", "GET", "/seen/*", "observed", 1)])
    equal(result["same"], 9)
    assert result["undecided"] >= 2, result  # the logins


@test
def test_what_would_be_refused_is_named():
    def narrow(config):
        config["resources"]["books"]["allow"].pop("reader")
        config["routes"][1]["allow"].pop("reader")

    status, result = replay(narrow)
    equal((status, result["refused"], result["allowed"]), (1, 3, 0))
    equal(groups(result, "refused"), [("reader", "GET", "/app/*", "allowed", 1), ("reader", "read", "books", "allowed", 2)])
    group = next(e for e in result["groups"] if e["resource"] == "books")
    equal((group["rule_then"], group["rule_now"]), ("resources.books.allow.reader.read", "default deny"))
    assert group["first"] <= group["last"] and group["first"].startswith("20"), group


@test
def test_what_would_be_allowed_is_named():
    def widen(config):
        config["resources"]["books"]["allow"]["reader"] = "all"
        config["routes"][1]["allow"]["reader"] = ["GET", "POST"]

    status, result = replay(widen)
    equal((status, result["refused"], result["allowed"]), (1, 0, 2))
    equal(groups(result, "allowed"), [("reader", "POST", "/app/*", "denied", 1), ("reader", "delete", "books", "denied", 1)])


@test
def test_the_end_of_observing_is_a_refusal():
    status, result = replay(lambda config: config["routes"][2].pop("observe"))
    equal((status, result["refused"]), (1, 1))
    equal(groups(result, "refused"), [("reader", "GET", "/seen/*", "observed", 1)])


@test
def test_no_data_is_needed():
    """The databases of the new policy need not be here."""
    status, _ = replay(lambda config: config["backends"]["books"].update(path="elsewhere.db"))
    equal(status, 0)


@test
def test_a_time_limits_what_is_read():
    status, result = replay(None, "--since", "2200-01-01T00:00:00Z")
    equal((status, result["same"], result["undecided"], result["groups"]), (0, 0, 0, []))
    done = world().cli("audit", "replay", str(world().file), "--since", "yesterday")
    equal(done.returncode, 2)


@test
def test_people_read_a_table_and_what_it_cannot_tell():
    g = world()
    done = g.cli("audit", "replay", str(g.file))
    equal(done.returncode, 0, done.stderr)
    for text in ("9 as before\n", "0 would be refused", "observed", "granted_by is not seen", "NOW"):
        assert text in done.stdout, (text, done.stdout)
    times = re.findall(r"  (20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d)$", done.stdout, re.M)
    assert len(times) % 2 == 0 and len(times) >= 2, ("the first and the last of each, whole", done.stdout)


@test
def test_a_query_shows_what_was_only_observed():
    done = world().cli("audit", "query", "--resource", "/seen/*")
    rows = done.stdout.splitlines()
    equal(len(rows), 2, done.stdout)
    assert " observed 200 " in rows[1], rows


@test
def test_wrong_use_is_status_2():
    g = world()
    equal(g.cli("audit", "replay").returncode, 2)
    equal(g.cli("audit", "replay", "/nowhere.yaml").returncode, 2)
    (g.folder / "bad.yaml").write_text("routes: [{path: x}]\n")
    done = g.cli("audit", "replay", str(g.folder / "bad.yaml"))
    equal(done.returncode, 2)
    assert "bad.yaml:1:17: path" in done.stderr, done.stderr


@test
def test_memory_does_not_grow_with_the_log():
    """The lines of the log six thousand times over; a replay verifies nothing. What is counted has this
    program in it too, which it was started from."""
    g = world()
    big = g.folder / "big"
    big.mkdir()
    segments = sorted((g.folder / "audit").glob("*.jsonl"))
    lines = b"".join(path.read_bytes() for path in segments)
    with (big / segments[0].name).open("wb") as log:
        for _ in range(6000):
            log.write(lines)
    size = (big / segments[0].name).stat().st_size
    assert size > 60_000_000, size
    with subprocess.Popen([g.binary, "audit", "replay", g.file, "--dir", big], stdout=subprocess.DEVNULL,
                          env=environment()) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    equal(process.returncode, 0)
    if "asan" not in str(g.binary):
        assert used.ru_maxrss * 1024 < size, f"{used.ru_maxrss} KiB for a log of {size} bytes"


if __name__ == "__main__":
    main()

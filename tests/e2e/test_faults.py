"""Disks that fill, databases that are not what they were, and no descriptors left."""
import contextlib
import os
import pathlib
import resource
import shutil
import sqlite3
import stat
import subprocess
import time

from harness import BINARY, Gateway, Skip, equal, environment, free_port, main, test, wait_until


def start_fails(before, *words):
    """It must not start, and say why."""
    g = Gateway(before=before, start=False)
    done = subprocess.run([BINARY, "run", "-c", g.file], capture_output=True, text=True, env=environment(), timeout=30, check=False)
    assert done.returncode in (1, 2), (done.returncode, done.stdout, done.stderr)
    for word in words:
        assert word in done.stdout + done.stderr, (word, done.stdout + done.stderr)
    g.discard()


def as_root():
    if os.geteuid() != 0:
        raise Skip("needs root")


@test
def test_a_missing_database_is_an_error_at_start():
    start_fails(lambda f: (f / "data/books.db").unlink(), "books.db")


@test
def test_a_database_that_is_none_is_an_error_at_start():
    start_fails(lambda f: (f / "data/books.db").write_bytes(b"this is no database" * 1000), "books")


@test
def test_a_missing_table_is_an_error_at_start():
    def before(folder):
        with contextlib.closing(sqlite3.connect(folder / "data/books.db")) as db:
            db.execute("DROP TABLE books")
            db.commit()
    start_fails(before, "books")


@test
def test_a_row_condition_on_a_missing_column_is_an_error_with_its_place():
    g = Gateway(lambda c: c["resources"]["books"]["allow"].update(reader={"read": {"where": "colour eq 'red'"}}), start=False)
    done = subprocess.run([BINARY, "run", "-c", g.file], capture_output=True, text=True, env=environment(), timeout=30, check=False)
    assert done.returncode in (1, 2), done
    assert "gatewarden.yaml:" in done.stdout + done.stderr and "colour" in done.stdout + done.stderr, done
    g.discard()


@test
def test_a_database_that_another_process_locks():
    """Readers go on, a writer waits its time and gets 503, nothing is lost quietly."""
    g = Gateway(lambda c: c["backends"]["books"].update(lock_timeout="300ms"))
    token = g.token("grace")
    with contextlib.closing(sqlite3.connect(g.folder / "data/books.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        db.execute("UPDATE books SET stock = stock")
        equal(g.get("/api/books/1", token).status, 200, "WAL readers do not wait")
        begun = time.monotonic()
        answer = g.request("PATCH", "/api/books/1", token, body={"note": "x"})
        equal(answer.status, 503, answer)
        assert int(answer.headers["retry-after"]) >= 1
        assert 0.2 < time.monotonic() - begun < 30
        equal(g.get("/api/books/2", token).status, 200)
        db.execute("ROLLBACK")
    equal(g.request("PATCH", "/api/books/1", token, body={"note": "x"}).status, 200)
    g.check_end()


@test
def test_a_database_that_changes_under_us():
    """Another program's committed rows are seen; a changed schema gives an error and no crash."""
    g = Gateway()
    g.sql("UPDATE books SET title = 'Changed outside' WHERE id = 1")
    equal(g.get("/api/books/1", "grace").json()["value"][0]["title"], "Changed outside")
    g.sql("ALTER TABLE books RENAME COLUMN note TO remark")
    answer = g.get("/api/books/1", "grace")
    equal(answer.status, 503, answer)
    equal(g.get("/api/authors/1", "grace").status, 200)
    g.check_end()


@test
def test_a_corrupt_page_is_503_and_not_an_answer():
    def before(folder):
        path = folder / "data/books.db"
        with contextlib.closing(sqlite3.connect(path)) as db:
            page = db.execute("PRAGMA page_size").fetchone()[0]
            root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'books'").fetchone()[0]
            pages = db.execute("PRAGMA page_count").fetchone()[0]
        data = bytearray(path.read_bytes())
        for number in range(root, pages):  # the schema's page stays whole
            data[number * page:number * page + 64] = b"\xff" * 64
        path.write_bytes(data)
    g = Gateway(before=before)
    for path in ("/api/books", "/api/books/600", "/api/books?$filter=year%20gt%200&$first=100"):
        answer = g.get(path, "grace")
        assert answer.status in (503, 404, 200), answer
    equal(g.get("/api/books?$first=100", "grace").status, 503)
    g.check_end()


@test
def test_a_read_only_database_serves_readers():
    as_root()
    g = Gateway(start=False)
    os.chmod(g.folder / "data/books.db", 0o444)
    mount(["-t", "tmpfs", "tmpfs", g.folder / "mnt"], g.folder / "mnt")
    try:
        shutil.copy(g.folder / "data/books.db", g.folder / "mnt/books.db")
        with contextlib.closing(sqlite3.connect(g.folder / "mnt/books.db")) as db:
            db.execute("PRAGMA journal_mode = DELETE")
        subprocess.run(["mount", "-o", "remount,ro", g.folder / "mnt"], check=True)
        g.config["backends"]["books"]["path"] = "mnt/books.db"
        g.write_config()
        g.start()
        equal(g.get("/api/books/1", "grace").status, 200)
        answer = g.request("PATCH", "/api/books/1", "grace", body={"note": "x"})
        equal(answer.status, 503, answer)
        equal(g.stop(), 0)
    finally:
        g.kill()
        subprocess.run(["umount", "-l", g.folder / "mnt"], check=False)
    g.check_end()


def mount(words, at):
    at.mkdir(exist_ok=True)
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skip("no mount here: " + done.stderr.strip())


@test
def test_a_full_audit_disk_refuses_with_503_and_recovers():
    as_root()
    g = Gateway(start=False)
    mount(["-t", "tmpfs", "-o", "size=256k,mode=700", "tmpfs", g.folder / "audit"], g.folder / "audit")
    try:
        g.start()
        token = g.token("ada")
        statuses = []
        for i in range(3000):
            statuses.append(g.get(f"/api/books/{i % 600 + 1}", token).status)
            if statuses[-1] == 503:
                break
        equal(statuses[-1], 503, f"after {len(statuses)} requests")
        again = g.get("/api/books/1", token)
        equal(again.status, 503)
        assert b"value" not in again.body and int(again.headers["retry-after"]) >= 1
        equal(g.login("ada").status, 503, "no token without a record")
        before = g.sql("SELECT note FROM books WHERE id = 5")
        subprocess.run(["mount", "-o", "remount,size=8m", g.folder / "audit"], check=True)
        equal(g.sql("SELECT note FROM books WHERE id = 5"), before)
        wait_until(lambda: g.get("/api/books/1", token).status == 200, 10, "records to be kept again")
        answered = statuses.count(200) + statuses.count(404)
        kept = [r for r in g.records() if r["class_uid"] == 6005 and r["status_code"] in ("200", "404")]
        assert len(kept) >= answered, f"{answered} answers, {len(kept)} records"
        equal(g.stop(), 0)
        done = g.cli("audit", "verify")
        equal(done.returncode, 0, done.stdout + done.stderr)
    finally:
        g.kill()
        subprocess.run(["umount", "-l", g.folder / "audit"], check=False)
    g.check_end()


@test
def test_a_write_is_not_committed_when_its_record_cannot_be_kept():
    as_root()
    g = Gateway(start=False)
    mount(["-t", "tmpfs", "-o", "size=128k,mode=700", "tmpfs", g.folder / "audit"], g.folder / "audit")
    try:
        g.start()
        token = g.token("grace")
        for i in range(3000):
            answer = g.request("PATCH", "/api/books/5", token, body={"note": f"note {i}"})
            if answer.status == 503:
                break
            equal(answer.status, 200)
        equal(answer.status, 503)
        equal(g.sql("SELECT note FROM books WHERE id = 5")[0][0], f"note {i - 1}", "the last recorded change")
    finally:
        g.kill()
        subprocess.run(["umount", "-l", g.folder / "audit"], check=False)
    g.discard()


@test
def test_no_descriptors_left():
    """Callers beyond the limit wait or are turned away; when others leave, all is well."""
    g = Gateway(lambda c: c.update(workers=1, limits={"connections": 10000, "connections_per_address": 10000}))
    worker, = g.children("worker")
    token = g.token("ada")
    used = len(os.listdir(f"/proc/{worker}/fd"))
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (used + 20, used + 20))
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    sockets = []
    try:
        for _ in range(100):
            sockets.append(g.connect())
        time.sleep(0.5)
        before = cpu_ticks(worker)
        time.sleep(1)
        assert cpu_ticks(worker) - before < 60, "it spins while it has no descriptor"
        assert worker in g.children("worker"), "the worker lives"
    finally:
        for s in sockets:
            s.close()
    wait_until(lambda: status_or_none(g, token) == 200, 10, "callers to be served again")
    g.check_end()


def status_or_none(g, token):
    try:
        return g.get("/api/books/1", token, timeout=3).status
    except OSError:
        return None


def cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@test
def test_files_it_makes_are_its_owners_only():
    g = Gateway()
    g.get("/api/books/1", "ada")
    time.sleep(0.2)
    for part in ("state", "audit"):
        for path in [g.folder / part, *(g.folder / part).rglob("*")]:
            mode = stat.S_IMODE(path.stat().st_mode)
            equal(mode & 0o077, 0, f"{path}: {mode:o}")
    g.check_end()


@test
def test_a_lost_state_store_stops_logins_and_not_readers():
    g = Gateway()
    token = g.token("ada")
    for path in (g.folder / "state").glob("state.db*"):
        path.write_bytes(b"garbage" * 1000)
    equal(g.get("/api/books/1", token).status, 200)
    answer = g.login("ada")
    assert answer.status in (200, 503), answer
    g.kill()
    g.discard()


@test
def test_a_port_that_is_taken_is_said():
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", free_port()))
        s.listen()
        g = Gateway(lambda c: c["listen"].update(http=f"127.0.0.1:{s.getsockname()[1]}"), start=False)
        done = subprocess.run([BINARY, "run", "-c", g.file], capture_output=True, text=True, env=environment(), timeout=30, check=False)
        assert done.returncode in (1, 2), done
        for word in ("gatewarden.yaml:", "listen.http", f"127.0.0.1:{s.getsockname()[1]}", "Address already in use"):
            assert word in done.stdout + done.stderr, (word, done)
        g.discard()


@test
def test_a_long_statement_is_stopped():
    def slow(config):
        config["backends"]["books"]["statement_timeout"] = "50ms"
        config["resources"]["slow"] = {"backend": "books", "view": "slow", "allow": {"reader": ["read"]}}

    def before(folder):
        with contextlib.closing(sqlite3.connect(folder / "data/books.db")) as db:
            db.execute("CREATE VIEW slow AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000000) SELECT count(*) AS x FROM n")
            db.commit()
    g = Gateway(slow, before=before)
    token = g.token("ada")
    begun = time.monotonic()
    answer = g.get("/api/slow", token)
    equal(answer.status, 503, answer)
    assert int(answer.headers["retry-after"]) >= 1
    assert time.monotonic() - begun < 30
    equal(g.get("/api/books/1", token).status, 200)
    g.check_end()


@test
def test_readers_do_not_wait_for_a_long_statement():
    import threading

    def slow(config):
        config["workers"] = 1
        config["backends"]["books"]["statement_timeout"] = "2s"
        config["resources"]["slow"] = {"backend": "books", "view": "slow", "allow": {"reader": ["read"]}}

    def before(folder):
        with contextlib.closing(sqlite3.connect(folder / "data/books.db")) as db:
            db.execute("CREATE VIEW slow AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1000000000) SELECT count(*) AS x FROM n")
            db.commit()
    g = Gateway(slow, before=before)
    token = g.token("ada")
    thread = threading.Thread(target=lambda: g.get("/api/slow", token))
    thread.start()
    time.sleep(0.2)
    worst = 0.0
    for _ in range(20):
        begun = time.monotonic()
        equal(g.get("/api/books/1", token).status, 200)
        worst = max(worst, time.monotonic() - begun)
    thread.join()
    assert worst < 5, f"a read took {worst:.2f} s"
    g.check_end()


main()

"""What the processes were given, and what they leave: descriptors, modes, environment, limits, memory."""
import contextlib
import os
import pathlib
import re
import signal
import sqlite3
import stat
import subprocess
import time

from harness import BINARY, PLAIN, Gateway, Skip, command_line, equal, main, test, wait_until


def descriptors(pid):
    """{number: what it is}"""
    try:
        return {int(n): os.readlink(f"/proc/{pid}/fd/{n}") for n in os.listdir(f"/proc/{pid}/fd")}
    except PermissionError:
        raise Skip("descriptors of other processes cannot be seen") from None


def status(pid):
    return dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines())


@test
def test_children_have_only_the_descriptors_of_their_role():
    g = Gateway(command=["sh", "-c", 'exec 5</etc/hostname 6</etc/hostname 7</etc/hostname 9</etc/hostname; exec "$0" "$@"'])
    g.token("ada")
    own = {"worker": r"data/books\.db(-wal|-shm)?$", "keeper": r"state/state\.db(-wal|-shm)?$",
           "ledger": r"audit(/checkpoints|/\d{20}\.jsonl)?$"}
    for role, files in own.items():
        for pid in g.children(role):
            for number, what in descriptors(pid).items():
                usual = re.match(r"(socket|pipe|anon_inode):|/dev/null$", what)
                assert usual or re.search(files, what), f"{role}: {number} is {what}"
    g.check_end()


@test
def test_it_starts_with_standard_descriptors_closed():
    g = Gateway(command=["sh", "-c", 'exec 0<&- 2>&-; exec "$0" "$@"'])
    equal(g.get("/api/books/1", "ada").status, 200)
    for pid in g.children():
        for number in (0, 2):
            equal(descriptors(pid)[number], "/dev/null", f"descriptor {number}")
    g.check_end()


@test
def test_a_log_that_nobody_reads_any_more_stops_nothing():
    g = Gateway(command=["sh", "-c", '"$0" "$@" 2>&1 | head -n 1; sleep 60'], start=False)
    g.launch()
    wait_until(g.is_ready, 20, "readiness")
    supervisor, = (p for p in processes() if command_line(p).startswith(f"{BINARY} run -c {g.file}"))
    for _ in range(3):
        os.kill(supervisor, signal.SIGHUP)
        time.sleep(0.3)
    equal(g.get("/api/books/1", "ada").status, 200)
    os.kill(supervisor, signal.SIGTERM)
    wait_until(lambda: supervisor not in processes(), 20, "the end")
    g.kill()
    g.discard()


def processes():
    return [int(n) for n in os.listdir("/proc") if n.isdigit()]


@test
def test_whatever_the_mask_its_files_are_its_own():
    g = Gateway(command=["sh", "-c", 'umask 0; exec "$0" "$@"'])
    equal(g.get("/api/books/1", "ada").status, 200)
    for folder in ("state", "audit"):
        for path in [g.folder / folder, *(g.folder / folder).iterdir()]:
            mode = stat.S_IMODE(path.stat().st_mode)
            equal(mode & 0o077, 0, f"{path.name} has mode {mode:o}")
    g.check_end()


@test
def test_children_leave_no_core_and_cannot_be_traced():
    g = Gateway()
    for pid in g.children():
        limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"Max core file size\s+0\s+0\s", limits), limits
        wanted = {"NoNewPrivs": "1", "Seccomp": "2", "CapEff": "0" * 16, "CapPrm": "0" * 16}
        # One worker may answer while another is still on its way into the sandbox.
        wait_until(lambda pid=pid, wanted=wanted: {k: status(pid)[k] for k in wanted} == wanted, what=f"process {pid} to be confined")
        # Of a process that is not dumpable /proc belongs to root, whoever runs it.
        equal(os.stat(f"/proc/{pid}/mem").st_uid, 0)
    g.check_end()


def memory(pid):
    """All that can be read, piece by piece."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            place, mode = line.split(" ")[:2]
            start, end = (int(n, 16) for n in place.split("-"))
            if "r" in mode and "[v" not in line:
                try:
                    mem.seek(start)
                    yield mem.read(end - start)
                except (OSError, ValueError, OverflowError):
                    pass


def finds(pid, needle):
    try:
        return any(needle in part for part in memory(pid))
    except PermissionError:
        raise Skip("memory of other processes cannot be read") from None


@test
def test_secrets_stay_with_the_processes_that_need_them():
    g = Gateway(binary=PLAIN)
    equal(g.get("/api/books/1", g.token("ada")).status, 200)
    with contextlib.closing(sqlite3.connect(g.folder / "state/state.db")) as db:
        der, = db.execute("SELECT der FROM signing_key").fetchone()
        phc, = db.execute("SELECT hash FROM user WHERE name = 'ada'").fetchone()
    # RFC 5915: the private key is an OCTET STRING of 32 bytes behind version 1.
    at = der.index(bytes([2, 1, 1, 4, 32])) + 5
    key, tag = der[at:at + 32], phc.rsplit("$", 1)[1].encode()
    keeper, = g.children("keeper")
    assert finds(keeper, key) or finds(keeper, key[::-1]), "the key is where it is used: this test can find one"
    for pid in [g.pid(), *g.children("worker"), *g.children("ledger")]:
        for what, needle in {"signing key": key, "signing key, as a number": key[::-1], "hash": tag}.items():
            assert not finds(pid, needle), f"{what} in {command_line(pid)}"
    password = g.passwords["ada"].encode()
    for pid in [g.pid(), *g.children("keeper"), *g.children("ledger")]:
        assert not finds(pid, password), f"password in {command_line(pid)}"
    g.check_end()


@test
def test_a_log_that_may_not_grow_is_503_and_comes_back():
    g = Gateway()
    token = g.token("ada")
    ledger, = g.children("ledger")
    size = max(p.stat().st_size for p in (g.folder / "audit").glob("*.jsonl"))
    subprocess.run(["prlimit", f"--pid={ledger}", f"--fsize={size + 100}:unlimited"], check=True)
    equal({g.get("/api/books/1", token).status for _ in range(5)}, {503})
    subprocess.run(["prlimit", f"--pid={ledger}", "--fsize=unlimited"], check=True)
    wait_until(lambda: g.get("/api/books/1", token).status == 200, 5, "records to be kept again")
    equal(g.children("ledger"), [ledger], "the ledger lives on")
    g.check_end()


@test
def test_a_log_folder_that_is_gone_is_503_and_never_a_new_log():
    g = Gateway()
    token = g.token("ada")
    os.rename(g.folder / "audit", g.folder / "moved")
    os.kill(g.children("ledger")[0], signal.SIGKILL)
    time.sleep(0.5)
    equal({g.get("/api/books/1", token).status for _ in range(5)}, {503}, "without a log")
    assert not (g.folder / "audit").exists()
    os.rename(g.folder / "moved", g.folder / "audit")
    wait_until(lambda: g.get("/api/books/1", token).status == 200, 10, "the log again")
    g.check_end()


main()

"""What the processes were given, and what they leave: descriptors, modes, environment, limits, memory."""
import os
import pathlib
import re
import signal
import stat
import subprocess
import time

from harness import Gateway, Skip, equal, main, test, wait_until


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
        equal({k: status(pid)[k] for k in wanted}, wanted, str(pid))
        # Of a process that is not dumpable /proc belongs to root, whoever runs it.
        equal(os.stat(f"/proc/{pid}/mem").st_uid, 0)
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

"""Reloads, starts and ends at the worst moment: beside crashes, beside each other, beside logins under way."""
import os
import signal
import threading
import time

from harness import Gateway, equal, main, test, wait_until


LAB = {"lab": {"type": "oidc", "issuer": "https://idp.test.invalid/", "audience": "x", "jwks": {"file": "jwks.json"}}}
# RFC 7517 appendix A.1 has its like: any point of the curve will do.
KEYS = ('{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",'
        '"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}')


def metric(g, line):
    for text in g.admin("/metrics").body.decode().splitlines():
        if text.startswith(line + " "):
            return int(text.rsplit(" ", 1)[1])
    raise AssertionError(f"no metric {line}")


def reload(g, result="ok", seconds=15):
    """SIGHUP, and its end."""
    name = f'gatewarden_reloads_total{{result="{result}"}}'
    before = metric(g, name)
    g.write_config()
    g.signal(signal.SIGHUP)
    wait_until(lambda: g.is_ready() and metric(g, name) == before + 1, seconds, f"a reload that is {result}")


def wait_started(g):
    """All workers, not only one."""
    wait_until(lambda: any("supervisor ready" in line for line in g.log), 10, "the end of the start")


def make_wait(g, times=6):
    """Kills one worker again and again, until it is to be started again only after a while."""
    wait_started(g)
    stays, victim = g.children("worker")
    for _ in range(times):
        os.kill(victim, signal.SIGKILL)
        victim, = wait_until(lambda: [p for p in g.children("worker") if p not in (stays, victim)], 5, "the worker again")
    os.kill(victim, signal.SIGKILL)


@test
def test_a_worker_waiting_to_be_started_again_is_not_started_after_a_reload():
    g = Gateway(lambda c: c.update(workers=2, limits={"drain_timeout": "500ms"}))
    make_wait(g)
    g.signal(signal.SIGHUP)
    wait_until(lambda: any("configuration is in use" in line for line in g.log), 10, "the reload")
    time.sleep(3)
    equal(len(g.children("worker")), 2, "workers")
    equal(len({line.split(" ")[3] for line in map(command, g.children("worker"))}), 1, "generations")
    g.check_end()


def command(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as f:
        return f.read().decode().replace("\0", " ")


@test
def test_a_login_under_way_survives_a_reload_without_the_local_issuer():
    g = Gateway()
    answers = []
    logins = [threading.Thread(target=lambda: answers.append(g.login("ada").status)) for _ in range(6)]
    for t in logins:
        t.start()
    time.sleep(0.03)
    g.config["issuers"] = LAB
    g.config["roles"] = {"reader": {"granted_by": ["lab:reader"]}, "books-admin": {"granted_by": ["lab:admin"]}}
    (g.folder / "jwks.json").write_text(KEYS)
    keeper = g.children("keeper")
    reload(g)
    for t in logins:
        t.join()
    equal(g.children("keeper"), keeper, "the keeper lives on")
    assert set(answers) <= {200, 503, 429}, answers
    g.check_end()


@test
def test_a_reload_may_put_another_issuer_before_the_local_one():
    g = Gateway()
    (g.folder / "jwks.json").write_text(KEYS)
    token = g.token("ada")
    g.config["issuers"] = {**LAB, **g.config["issuers"]}
    reload(g)
    equal(g.get("/api/books/1", token).status, 200, "a token from before")
    g.tokens.clear()
    equal(g.get("/api/books/1", g.token("ada")).status, 200, "a token from after")
    os.kill(g.children("keeper")[0], signal.SIGKILL)
    wait_until(lambda: g.login("ada").status == 200, 5, "logins after the keeper came back")
    g.check_end()


@test
def test_a_reload_may_bring_the_first_local_issuer():
    g = Gateway(start=False)
    whole = dict(g.config)
    (g.folder / "jwks.json").write_text(KEYS)
    g.config.update(issuers=LAB, roles={"reader": {"granted_by": ["lab:reader"]},
                                        "books-admin": {"granted_by": ["lab:admin"]}})
    g.write_config()
    g.start()
    equal(g.login("ada").status, 404)
    g.config.update(issuers={**LAB, **whole["issuers"]}, roles=whole["roles"])
    reload(g)
    equal(g.get("/api/books/1", g.token("ada")).status, 200)
    g.check_end()


@test
def test_health_checks_notice_no_reload():
    g = Gateway(lambda c: c.update(limits={"drain_timeout": "1s"}))
    wait_started(g)
    got, running = {}, True

    def check():
        while running:
            try:
                answer = g.admin("/readyz").status
            except OSError as e:
                answer = repr(e)
            got[answer] = got.get(answer, 0) + 1

    callers = [threading.Thread(target=check) for _ in range(6)]
    for t in callers:
        t.start()
    for _ in range(15):
        g.signal(signal.SIGHUP)
        time.sleep(0.25)
    running = False
    for t in callers:
        t.join()
    equal(set(got), {200}, str(got))
    g.check_end()


@test
def test_a_sighup_while_it_starts_is_not_lost():
    g = Gateway(start=False)
    g.launch()
    wait_until(lambda: g.children("worker"), 10, "a first worker")
    g.config["resources"]["books"]["page_size"] = 7
    g.write_config()
    g.signal(signal.SIGHUP)
    wait_until(g.is_ready, 20, "readiness")
    token = g.token("ada")
    wait_until(lambda: len(g.get("/api/books", token).json()["value"]) == 7, 10, "the configuration of the SIGHUP")
    g.check_end()


@test
def test_sigterm_at_any_moment_of_a_start_ends_it():
    g = Gateway(start=False)
    for step in range(14):
        g.launch()
        wait_until(g.children, 10, "a first process")
        time.sleep(step * 0.006)
        begun = time.monotonic()
        equal(g.stop(), 0, f"after {step * 6} ms")
        assert time.monotonic() - begun < 20, f"took {time.monotonic() - begun:.1f} s after {step * 6} ms"
    g.start()
    g.check_end()


@test
def test_sigterm_at_any_moment_of_a_reload_ends_it():
    g = Gateway(lambda c: c.update(limits={"drain_timeout": "500ms"}), start=False)
    for step in range(10):
        g.start()
        g.signal(signal.SIGHUP)
        time.sleep(step * 0.01)
        equal(g.stop(), 0, f"after {step * 10} ms")
    g.start()
    g.check_end()


@test
def test_processes_that_die_during_a_reload_do_not_break_it():
    g = Gateway(lambda c: c.update(limits={"drain_timeout": "500ms"}))
    token = g.token("ada")
    for role in ("keeper", "ledger", "worker"):
        for delay in (0.0, 0.02, 0.05):
            wait_until(lambda: len(g.children()) == 4 and g.is_ready(), 20, "quiet")
            g.signal(signal.SIGHUP)
            time.sleep(delay)
            os.kill(wait_until(lambda: g.children(role), 5, role)[0], signal.SIGKILL)  # noqa: B023
    wait_until(lambda: len(g.children()) == 4 and g.is_ready(), 20, "two workers, keeper and ledger")
    wait_until(lambda: g.get("/api/books/1", token).status == 200, 5, "reads")
    wait_until(lambda: g.login("ada").status == 200, 5, "logins")
    g.check_end()


@test
def test_a_draining_worker_that_hangs_is_killed():
    g = Gateway(lambda c: c.update(limits={"drain_timeout": "500ms"}))
    wait_started(g)
    stuck = g.children("worker")[0]
    os.kill(stuck, signal.SIGSTOP)
    reload_signal = time.monotonic()
    g.signal(signal.SIGHUP)
    wait_until(lambda: stuck not in g.children("worker"), 12, "the end of the worker that hangs")
    assert time.monotonic() - reload_signal < 30
    wait_until(lambda: len(g.children("worker")) == 2, 5, "two workers")
    g.check_end()


@test
def test_a_second_program_on_the_same_port_cannot_start():
    g = Gateway()
    other = Gateway(lambda c: c["listen"].update(http=g.config["listen"]["http"]), start=False)
    other.launch()
    equal(other.process.wait(20), 2)
    assert any("listen.http" in line for line in other.log), other.log
    other.discard()
    g.check_end()


main()

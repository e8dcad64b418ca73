"""A process that is there and does not answer is replaced, and nobody waits for it without end."""
import os
import signal
import time

from harness import Gateway, equal, main, test, wait_until

PATIENCE_S = 40


def replaced(g, role, ask):
    """Stops the process, asks, and answers with what came instead of the answer."""
    victim = g.children(role)[0]
    os.kill(victim, signal.SIGSTOP)
    begun = time.monotonic()
    answer = ask()
    assert time.monotonic() - begun < PATIENCE_S, f"{role}: answered after {time.monotonic() - begun:.0f} s"
    wait_until(lambda: victim not in g.children(role) and len(g.children(role)) == 1, PATIENCE_S, f"a new {role}")
    wait_until(g.is_ready, 10, "readiness")
    return answer


@test
def test_a_keeper_that_hangs_is_replaced_and_logins_get_503_meanwhile():
    g = Gateway(lambda c: c.update(workers=1))
    g.token("ada")
    answer = replaced(g, "keeper", lambda: g.login("ada"))
    equal(answer.status, 503, answer)
    assert g.token("ada")
    g.check_end()


@test
def test_a_ledger_that_hangs_is_replaced_and_data_gets_503_meanwhile():
    g = Gateway(lambda c: c.update(workers=1))
    token = g.token("ada")
    answer = replaced(g, "ledger", lambda: g.get("/api/books/1", token, timeout=PATIENCE_S))
    equal(answer.status, 503, answer)
    equal(g.get("/api/books/1", token).status, 200)
    g.check_end()


@test
def test_a_worker_that_hangs_is_replaced():
    g = Gateway(lambda c: c.update(workers=1))
    token = g.token("ada")
    victim = g.children("worker")[0]
    os.kill(victim, signal.SIGSTOP)
    wait_until(lambda: victim not in g.children("worker") and len(g.children("worker")) == 1, PATIENCE_S, "a new worker")
    wait_until(g.is_ready, 10, "readiness")
    equal(g.get("/api/books/1", token).status, 200)
    g.check_end()


main()

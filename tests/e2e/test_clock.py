"""A clock that jumps while the gateway runs: tokens follow it, timers and the audit chain do not break."""
import pathlib
import time

from harness import PLAIN, Gateway, Skip, equal, main, test


def started(at):
    """A gateway whose wall clock is `at` (faketime's form) away from ours; its file changes it while it runs."""
    library = next(iter(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
    if library is None:
        raise Skip("libfaketime is not installed")
    g = Gateway(start=False, binary=PLAIN)
    g.env = {"LD_PRELOAD": str(library), "FAKETIME": at, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}
    try:
        g.start()
    except AssertionError as e:
        g.kill()
        g.discard()
        raise Skip(f"it does not start under libfaketime ({str(e)[:80]})") from None
    return g


@test
def test_tokens_of_the_future_and_of_the_past_are_refused():
    here = Gateway()
    token = here.token("ada")
    equal(here.stop(), 0)
    for at, word in (("+2h", "expired"), ("-2h", "")):
        g = started(at)
        # The same keys and the same name, so that nothing but the clock differs.
        equal(g.stop(), 0)
        for part in ("state",):
            import shutil
            shutil.rmtree(g.folder / part)
            shutil.copytree(here.folder / part, g.folder / part)
        g.config["public_url"] = here.url
        g.write_config()
        g.start()
        g.secrets |= here.secrets
        answer = g.get("/api/books/1", token)
        equal(answer.status, 401, (at, answer))
        assert word in answer.headers["www-authenticate"], answer.headers
        g.check_end()
    here.check_end()


@test
def test_a_start_years_later_works_and_the_chain_goes_on():
    g = Gateway(binary=PLAIN)
    equal(g.get("/api/books/1", "ada").status, 200)
    equal(g.stop(), 0)
    late = started("+3y")
    late.kill()
    g.env = late.env
    late.discard()
    g.start()
    g.tokens.clear()
    equal(g.get("/api/books/1", "ada").status, 200, "a key old enough to rotate")
    equal(g.stop(), 0)
    g.env = None
    g.start()
    g.tokens.clear()
    equal(g.get("/api/books/1", "ada").status, 200, "and back")
    time.sleep(0.2)
    sequence = [r["seq"] for r in g.records()]
    equal(sequence, list(range(sequence[0], sequence[0] + len(sequence))))
    g.check_end()


main()

"""What happens to callers while identity providers are away, wrong, slow, or change their keys."""
import contextlib
import json
import os
import pathlib
import secrets
import signal
import time

from harness import PLAIN, Gateway, Skip, corpus, equal, is_alive, main, test, wait_until  # first: it says where the others are
import idp
from front import Authority
from idp import Key, Provider
from load import Load

COOLDOWN_S = 1


def issuer(provider, **more):
    return {"type": "oidc", "issuer": provider.issuer, "audience": "api://books", "metadata": provider.metadata_url,
            "keys_cooldown": f"{COOLDOWN_S}s", "algorithms": ["ES256", "RS256", "PS256", "EdDSA"], **more}


class World:
    """A gateway whose issuers are `providers`: {name: Provider}. `with World(...) as w:`, w.gateway, w.status()."""

    def __init__(self, providers, change=None, start=True, **options):
        def both(config):
            for name, provider in providers.items():
                config["issuers"][name] = issuer(provider)
                config["roles"]["reader"]["granted_by"].append(f"{name}:reader")
            if change:
                change(config)

        self.providers = providers
        self.gateway = Gateway(both, start=start, **options)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for provider in self.providers.values():
            provider.stop()
        if kind is None:
            self.gateway.check_end()

    def ask(self, token):
        return self.gateway.get("/me", token)

    def status(self, token):
        return self.ask(token).status

    def ready(self):
        answer = self.gateway.admin("/readyz")
        return answer.status, answer.body.decode()


def is_503(answer):
    equal(answer.status, 503, answer)
    assert 1 <= int(answer.headers["retry-after"]) <= 120, answer.headers
    return True


def fresh(provider, key=None, **claims):
    """A token that no worker has seen."""
    return provider.token(key, jti=secrets.token_hex(8), **claims)


# Down, cold and warm

@test
def test_down_at_the_start_only_its_own_callers_wait():
    gone, there = Provider(), Provider()
    gone.stop()
    with World({"gone": gone, "there": there}, start=False) as w:
        g = w.gateway
        g.launch()
        wait_until(lambda: not_refused(g), 30, "the gateway to listen")
        wait_until(lambda: w.status(there.token()) == 200, 10, "the other issuer's keys")
        equal(g.get("/api/books/1", "ada").status, 200, "our own users")
        is_503(w.ask(gone.token()))
        code, why = w.ready()
        equal((code, list(json.loads(why)["issuers_missing"])), (200, ["gone"]), "it is ready for all others, and says why not for these")
        assert json.loads(why)["issuers_missing"]["gone"], why
        equal(w.status(gone.token(iss="https://unknown.example/")), 401, "of no issuer at all")
        gone.start()
        wait_until(lambda: w.status(fresh(gone)) == 200, 90, "its keys, without a restart")
        wait_until(lambda: "gone" not in w.ready()[1], 10, "readiness")


def not_refused(gateway):
    assert gateway.process.poll() is None, gateway.log[-5:]
    with contextlib.suppress(OSError):
        return gateway.get("/.well-known/jwks.json").status == 200


@test
def test_down_when_warm_tokens_go_on():
    provider = Provider()
    with World({"corp": provider}) as w:
        seen, unseen = fresh(provider), fresh(provider)
        equal(w.status(seen), 200)
        provider.stop()
        for _ in range(20):
            equal(w.status(seen), 200)
            equal(w.status(fresh(provider)), 200, "a token never seen before")
        equal(w.status(unseen), 200)
        # A token with an unknown key cannot be judged now.
        new = Key("ES256")
        assert w.status(provider.token(new)) in (401, 503)
        equal(w.status(fresh(provider)), 200)
        provider.keys = [new, *provider.keys]
        provider.start()
        wait_until(lambda: w.status(fresh(provider, new)) == 200, 90, "the new key, without a restart")
        equal(w.status(fresh(provider, provider.keys[1])), 200, "and the old one")


@test
def test_a_provider_that_starts_wrongly_comes_right():
    """Each of these is a cold start; what is wrong differs, the answer does not."""
    faults = {"error": idp.status(500), "busy": idp.status(429, Retry_After=1), "garbage": idp.GARBAGE, "empty": idp.EMPTY, "html": idp.WRONG_TYPE,
              "huge": idp.HUGE, "closed": idp.close, "missing": idp.status(404), "nokeys": idp.NO_KEYS}
    providers = {name: Provider() for name in faults}
    providers |= {"metadata": Provider(), "otherissuer": Provider(), "elsewhere": Provider(), "good": Provider()}
    for name, fault in faults.items():
        providers[name].faults[idp.JWKS] = fault
    providers["metadata"].faults[idp.METADATA] = idp.GARBAGE
    providers["otherissuer"].metadata_changes = {"issuer": "https://evil.example/"}
    # The document is at another host, and would be good.
    providers["elsewhere"].faults[idp.JWKS] = idp.redirect(providers["good"].jwks_url.replace("127.0.0.1", "localhost"))
    bad = [name for name in providers if name != "good"]
    with World(providers, start=False) as w:
        w.gateway.launch()
        wait_until(lambda: not_refused(w.gateway), 30, "the gateway to listen")
        wait_until(lambda: w.status(providers["good"].token()) == 200, 10, "the good issuer")
        time.sleep(1)
        for name in bad:
            equal(w.status(providers[name].token()), 503, name)
        equal(sorted(json.loads(w.ready()[1])["issuers_missing"]), sorted(bad))
        fetches = {name: sum(p.counts.values()) for name, p in providers.items()}
        for name in bad:
            assert fetches[name] < 40, f"{name} was asked {fetches[name]} times in about a second"
            providers[name].faults.clear()
            providers[name].metadata_changes = {}
        for name in bad:
            wait_until(lambda n=name: w.status(fresh(providers[n])) == 200, 90, f"{name} to come right")
        wait_until(lambda: "issuers_missing" not in w.ready()[1], 10, "readiness")


# Changes of keys

@test
def test_a_new_key_is_found_by_the_request_that_shows_it():
    for algorithm in ("ES256", "RS256", "PS256", "EdDSA"):
        provider = Provider([Key(algorithm)])
        with World({"corp": provider}) as w:
            equal(w.status(fresh(provider)), 200)
            time.sleep(COOLDOWN_S + 0.2)
            old, new = provider.keys[0], Key(algorithm)
            provider.keys = [new, old]
            equal(w.status(provider.token(new)), 200, f"{algorithm}: the first request with it")
            equal(w.status(fresh(provider, old)), 200, "and the old one goes on")
            wait_until(lambda: [line for line in w.gateway.log if "the keys of an issuer have changed" in line], 5, "a line of it in the log")


@test
def test_a_key_that_was_taken_away_stops():
    provider = Provider()
    with World({"corp": provider}, lambda c: c.update(workers=3)) as w:
        old, new = provider.keys[0], Key("ES256")
        cached = fresh(provider)
        for _ in range(30):
            equal(w.status(cached), 200)
        provider.keys = [new]
        time.sleep(COOLDOWN_S + 0.2)
        equal(w.status(fresh(provider, new)), 200)
        # From then on every worker knows: also for what it had verified before.
        time.sleep(0.5)
        for _ in range(30):
            answer = w.ask(cached)
            equal((answer.status, answer.error()["reason"]), (401, "key"), answer)
            equal(w.status(fresh(provider, old)), 401)


@test
def test_rotation_under_64_connections_refuses_nobody():
    provider = Provider()
    with World({"corp": provider}) as w:
        state = {"token": fresh(provider)}
        with Load(w.gateway.http_port, 64, lambda: state["token"]) as load:
            time.sleep(1)
            for _ in range(4):
                new = Key("ES256")
                provider.keys = [new, *provider.keys][:3]
                time.sleep(COOLDOWN_S + 0.3)
                state["token"] = fresh(provider, new)
                time.sleep(0.5)
        wrong = [(status, token.split(".")[0][-12:]) for _, _, status, token in load.answers if status != 200]
        print(f"# {len(load.answers)} requests over 4 rotations, {len(wrong)} refused, {provider.counts[idp.JWKS]} fetches of keys")
        equal(wrong[:5], [], f"{len(wrong)} of {len(load.answers)}")
        assert len(load.answers) > 500 and provider.counts[idp.JWKS] <= 2 * 5 + 4, provider.counts


@test
def test_a_flood_of_unknown_keys_is_few_fetches_and_harms_nobody():
    provider, other = Provider(), Provider()
    with World({"corp": provider, "other": other}, lambda c: c["issuers"]["corp"].update(keys_cooldown="10s")) as w:
        head, rest = fresh(provider).split(".", 1)
        stranger = Key("ES256")
        equal(w.status(fresh(provider)), 200)
        before = provider.counts[idp.JWKS]
        flood = iter(lambda: provider.token(stranger, {"kid": secrets.token_hex(8)}), None)
        begun = time.monotonic()
        with Load(w.gateway.http_port, 16, lambda: next(flood)) as bad, Load(w.gateway.http_port, 4, lambda: fresh(provider)) as good, \
                Load(w.gateway.http_port, 2, lambda: other.token()) as others:
            time.sleep(6)
        took = time.monotonic() - begun
        fetches = provider.counts[idp.JWKS] - before
        print(f"# {len(bad.answers)} tokens with an unknown key in {took:.0f} s: {fetches} fetches; "
              f"{len(good.answers)} good ones, p99 {good.percentile(0.99) * 1000:.0f} ms")
        equal(bad.statuses() - {401}, set(), "the flood")
        equal((good.statuses(), others.statuses()), ({200}, {200}), "good callers")
        assert len(bad.answers) > 200, len(bad.answers)
        assert fetches <= 2 + took / 10, f"{fetches} fetches"


@test
def test_a_wrong_answer_keeps_the_keys_that_are_known():
    faults = {"error": idp.status(500), "busy": idp.status(429, Retry_After=2), "garbage": idp.GARBAGE, "empty": idp.EMPTY, "html": idp.WRONG_TYPE,
              "huge": idp.HUGE, "closed": idp.close, "nokeys": idp.NO_KEYS, "drip": idp.drip, "hang": idp.hang,
              "redirect": idp.redirect("http://localhost:1/jwks"), "set": idp.body([]), "text": idp.body({"keys": "none"})}
    providers = {name: Provider() for name in faults}
    with World(providers) as w:
        for name, provider in providers.items():
            equal(w.status(fresh(provider)), 200, name)
        time.sleep(COOLDOWN_S + 0.2)
        for name, fault in faults.items():
            providers[name].faults[idp.JWKS] = fault
        for name, provider in providers.items():
            before = provider.counts[idp.JWKS]
            begun = time.monotonic()
            answer = w.ask(provider.token(Key("ES256")))
            assert answer.status in (401, 503), (name, answer)
            assert time.monotonic() - begun < 30, f"{name}: the deadline is 5 s"
            assert provider.counts[idp.JWKS] > before, f"{name} was not asked, so nothing is shown here"
            equal(w.status(fresh(provider)), 200, f"{name}: a token of a key that was known")
        for provider in providers.values():
            provider.faults.clear()
        for name, provider in providers.items():
            new = Key("ES256")
            provider.keys = [new, *provider.keys]
            wait_until(lambda p=provider, k=new: w.status(fresh(p, k)) == 200, 90, f"{name} to come right")


@test
def test_a_bad_key_spoils_no_other():
    cases = [json.loads(line) for line in (corpus("jwt-attacks") / "jwks_bad.jsonl").read_text().splitlines()]
    cases = [c for c in cases if isinstance(c["jwks"].get("keys"), list) and len(c["jwks"]["keys"]) < 100]
    providers = {}
    for case in cases:
        good = Key("ES256", "good")
        providers["k" + case["id"].replace("-", "")] = Provider([*case["jwks"]["keys"], good])
    with World(providers) as w:
        for name, provider in providers.items():
            equal(w.status(fresh(provider, provider.keys[-1])), 200, name)
    assert len(cases) >= 15, len(cases)


@test
def test_a_set_of_thousands_of_keys_does_no_harm():
    provider, other = Provider([Key("EdDSA", f"k{i}") for i in range(3000)] + [Key("ES256", "last")]), Provider()
    with World({"huge": provider, "other": other}, start=False) as w:
        w.gateway.launch()
        wait_until(lambda: not_refused(w.gateway), 30, "the gateway to listen")
        wait_until(lambda: w.status(other.token()) == 200, 10, "the other issuer")
        time.sleep(1)
        begun = time.monotonic()
        assert w.status(fresh(provider, provider.keys[-1])) in (200, 401, 503)
        assert time.monotonic() - begun < 20
        equal(w.status(fresh(other)), 200)


# The process that fetches

@test
def test_a_killed_fetcher_comes_back():
    provider = Provider()
    with World({"corp": provider}) as w:
        g = w.gateway
        equal(w.status(fresh(provider)), 200)
        pid, = g.children("@fetcher")
        with Load(g.http_port, 4, lambda: fresh(provider)) as load:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: not is_alive(pid), 5, "its end")
            wait_until(lambda: g.children("@fetcher"), 10, "a new one")
            time.sleep(1)
        equal(load.statuses(), {200}, "tokens of known keys, meanwhile")
        new = Key("ES256")
        provider.keys = [new, *provider.keys]
        wait_until(lambda: w.status(fresh(provider, new)) == 200, 20, "a new key")
        assert g.children("@fetcher") != [pid]


@test
def test_fetcher_is_there_only_where_it_is_needed():
    gateway = Gateway()
    equal(gateway.children("@fetcher"), [])
    provider = Provider()
    gateway.config["issuers"]["corp"] = issuer(provider)
    gateway.config["roles"]["reader"]["granted_by"].append("corp:reader")
    gateway.write_config()
    gateway.signal(signal.SIGHUP)
    with provider:
        wait_until(lambda: gateway.get("/me", provider.token()).status == 200, 20, "the issuer after a reload")
        equal(len(gateway.children("@fetcher")), 1)
        gateway.check_end()


@test
def test_a_reload_keeps_the_keys_of_issuers_that_stay():
    stays, goes, comes = Provider(), Provider(), Provider()
    with World({"stays": stays, "goes": goes}) as w:
        g = w.gateway
        equal((w.status(fresh(stays)), w.status(fresh(goes)), w.status(fresh(comes))), (200, 200, 401))
        stays.stop()
        g.config["issuers"]["comes"] = issuer(comes)
        del g.config["issuers"]["goes"]
        g.config["roles"]["reader"]["granted_by"].remove("goes:reader")
        g.config["roles"]["reader"]["granted_by"].append("comes:reader")
        g.write_config()
        with Load(g.http_port, 4, lambda: fresh(stays)) as load:
            g.signal(signal.SIGHUP)
            wait_until(lambda: w.status(fresh(comes)) == 200, 20, "the new issuer")
            wait_until(lambda: w.status(fresh(goes)) == 401, 20, "the end of the old one")
        equal(load.statuses(), {200}, "of the issuer that stayed, although it is down")
        comes.stop()
        goes.stop()


@test
def test_https_needs_a_certificate_that_is_trusted():
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder).chmod(0o755)
        authority = Authority(folder)
        provider = Provider(tls=authority.certificate("server"), host="localhost")

        def ca(config):
            config["outbound"] = {"ca": {"file": str(authority.file)}}

        with World({"corp": provider}, ca) as w:
            equal(w.status(fresh(provider)), 200)
        provider.start()
        with World({"corp": provider}, start=False) as w:
            w.gateway.launch()
            wait_until(lambda: not_refused(w.gateway), 30, "the gateway to listen")
            is_503(w.ask(fresh(provider)))
            time.sleep(1.5)
            is_503(w.ask(fresh(provider)))
            equal(provider.counts[idp.JWKS], 1, "the one fetch of the first gateway")


# Clocks

def at_time(spec):
    library = next(iter(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)
    if library is None:
        raise Skip("libfaketime is not installed")
    return {"LD_PRELOAD": str(library), "FAKETIME": spec, "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}


@test
def test_clocks_ten_minutes_apart():
    for spec, shift in (("+10m", 600), ("-10m", -600)):
        provider = Provider()
        with World({"corp": provider}, binary=PLAIN, env=at_time(spec)) as w:
            now = int(time.time())
            ours = {"iat": now + shift, "nbf": now + shift, "exp": now + shift + 300}
            equal(w.status(fresh(provider, **ours)), 200, "by the gateway's clock")
            answer = w.ask(fresh(provider))
            equal((answer.status, answer.error()["reason"]), (401, "expires" if shift > 0 else "not_before"), answer)
            equal(w.status(fresh(provider, iat=now - 900, nbf=now - 900, exp=now + 900)), 200, "a token of an hour bridges it")
            new = Key("ES256")
            provider.keys.append(new)
            time.sleep(COOLDOWN_S + 0.2)
            equal(w.status(fresh(provider, new, **ours)), 200, "and keys are still fetched")


@test
def test_keys_serve_no_longer_than_was_said():
    """A clock 100 times as fast: `keys_stale: 10m` are six seconds."""
    provider = Provider()
    with World({"corp": provider}, lambda c: c["issuers"]["corp"].update(keys_stale="10m"), binary=PLAIN, env=at_time("+0 x100")) as w:
        def long(**more):
            now = int(time.time())
            return fresh(provider, iat=now - 60, nbf=now - 60, exp=now + 90 * 86400, **more)

        cached = long()
        equal(w.status(cached), 200)
        begun = time.monotonic()
        provider.stop()
        time.sleep(2)
        equal((w.status(cached), w.status(long())), (200, 200), "while they are stale")
        wait_until(lambda: w.status(long()) == 503, 30, "the end of the keys")
        assert time.monotonic() - begun > 4, "too early"
        is_503(w.ask(cached))
        equal(list(json.loads(w.ready()[1])["issuers_missing"]), ["corp"])
        provider.start()
        wait_until(lambda: w.status(long()) == 200, 90, "its return")


main()

"""What it costs to know who is calling, and what holds while identity providers change: the job `identity`."""
import json
import secrets
import statistics
import subprocess
import sys
import time
import urllib.parse
import urllib.request

from measure import end_wrk, measure, median, start_wrk, wrk
from servers import BUILD, PROGRAM, ROOT, Gateway, pinned, say

sys.path.insert(0, str(ROOT / "tests/e2e"))

from idp import JWKS, Key, Provider, b64, compact  # noqa: E402
from load import Load  # noqa: E402

FIRST_SEEN, FLOOD = 20_000, 50_000
SPEED = {"RS256": "rsa2048", "PS256": "rsa2048", "ES256": "ecdsap256", "EdDSA": "ed25519"}
GOOD, ROTATING, WATCHING = 16, 64, 32
ROTATIONS, REVOCATIONS = 8, 60


def cached(b):
    """A cached token and no data: what identify, decide and record cost beside `hello` and `row by key`."""
    b.compare("who am I (/me), RS256 cached", [Gateway], 64, lambda kind: ["me", b.tokens.file("RS256"), "/me"])


def raw_verifications(name):
    """A second, by OpenSSL itself on the processor of the servers."""
    text = subprocess.run(pinned(0, "openssl", "speed", "-seconds", "3", "-mr", name), capture_output=True, text=True, check=False).stdout
    last = float([row for row in text.splitlines() if row.startswith(("+F2:", "+F4:", "+F6:"))][0].split(":")[-1])
    # Seconds for one or how many in one, whichever form this OpenSSL prints.
    return 1 / last if last < 1 else last


def first_seen(b):
    """Each token once: a fresh process for each round, so that none is cached."""
    for algorithm, speed in SPEED.items():
        file = b.tokens.file(algorithm, FIRST_SEEN)
        rounds, raw = [], []
        for _ in range(b.rounds):
            server = Gateway(b.work, b.tokens)
            rounds.append(measure(server, 64, 6, "first", file))
            server.stop()
            raw.append(raw_verifications(speed))
        m, base = median(rounds), statistics.median(raw)
        # wrk runs on when the tokens are used up, so the rate is what a whole second of CPU would do.
        rate = 1e6 / m["cpu_us"]
        b.line(f"| token never seen before, {algorithm} | gatewarden | 64 | {rate:,.0f} a CPU second | {m['p50'] / 1000:.2f} | {m['p99'] / 1000:.2f} "
               f"| {m['cpu_us']:.1f} | {rate / base:.2f}× of {base:,.0f} raw verifications/s | {m['bad']:.1%} |")


def examined(b):
    """The same without HTTP: a token is examined as a worker does, beside the bare check of its signature. The program
    takes five rounds and their medians by itself."""
    for line in subprocess.run(pinned(0, BUILD / "first_seen"), capture_output=True, text=True, check=True).stdout.splitlines():
        name, seen, bare = line.split()
        b.line(f"| never seen before, {name}, without HTTP | gatewarden | – | {int(seen):,} | | | {1e6 / int(seen):.1f} "
               f"| {int(seen) / int(bare):.2f}× of {int(bare):,} bare checks/s | |")


def with_provider(b, provider, **more):
    def change(config):
        config["issuers"]["corp"] = {"type": "oidc", "issuer": provider.issuer, "audience": "api://books", **more}
        config["roles"]["reader"]["granted_by"].append("corp:reader")

    server = Gateway(b.work, b.tokens, change)
    wait_for(server, provider.token())
    return server


def get(server, path, token):
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.read()


def post(server, path, form):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}{path}", urllib.parse.urlencode(form).encode(), timeout=10) as answer:
        return answer.read()


def wait_for(server, token):
    end = time.monotonic() + 10
    while True:
        try:
            return get(server, "/me", token)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.02)


def flood(b):
    """Good callers, alone and beside a flood of tokens that each name a key which nobody has."""
    with Provider() as provider:
        file, good = b.work / "flood.txt", b.work / "good.txt"
        with file.open("w") as out:
            rest = compact({"iss": provider.issuer, "aud": "api://books", "sub": "nobody", "exp": int(time.time()) + 86_400})
            for _ in range(FLOOD):
                out.write(compact({"alg": "ES256", "kid": secrets.token_hex(8)}) + "." + rest + "." + b64(secrets.token_bytes(64)) + "\n")
        server = with_provider(b, provider, keys_cooldown="1s")
        rounds, sent, fetches = {"alone": [], "beside": []}, [], []
        while len(sent) < b.rounds or sum(sent) < FLOOD:
            good.write_text(provider.token(exp=int(time.time()) + 3600) + "\n")
            rounds["alone"].append(wrk(server, GOOD, b.seconds, "me", good, "/me"))
            before = provider.counts[JWKS]
            bad = start_wrk(server, GOOD, b.seconds, "cycle", file)
            rounds["beside"].append(wrk(server, GOOD, b.seconds, "me", good, "/me"))
            flooded = end_wrk(bad)
            if flooded["status"] != flooded["requests"]:
                raise SystemExit(f"the flood was let in: {flooded}")
            sent.append(flooded["requests"])
            fetches.append(provider.counts[JWKS] - before)
        server.stop()
    for name, what in (("alone", "good callers alone"), ("beside", f"beside a flood of {FLOOD:,} random kids")):
        m = {k: statistics.median(r[k] for r in rounds[name]) for k in ("requests", "us", "p50", "p99", "status")}
        note = "" if name == "alone" else f"{sum(fetches)} fetches for {sum(sent):,} such tokens in {len(sent) * b.seconds} s"
        b.line(f"| {what} | gatewarden | {GOOD} | {m['requests'] / (m['us'] / 1e6):,.0f} | {m['p50'] / 1000:.2f} | {m['p99'] / 1000:.2f} | | {note} "
               f"| {m['status'] / m['requests']:.1%} |")


def rotation(b):
    """The provider changes its key under load; the callers show the new one at once."""
    with Provider() as provider:
        server = with_provider(b, provider, keys_cooldown="1s")
        state = {"token": provider.token()}
        with Load(server.port, ROTATING, lambda: state["token"]) as load:
            time.sleep(1)
            for _ in range(ROTATIONS):
                provider.keys = [Key("ES256"), provider.keys[0]]
                time.sleep(1.1)
                state["token"] = provider.token()
                time.sleep(0.4)
        server.stop()
        refused = sum(status != 200 for _, _, status, _ in load.answers)
        b.line(f"| {ROTATIONS} changes of the provider's key | gatewarden | {ROTATING} | {len(load.answers):,} requests | {load.percentile(0.5) * 1000:.2f} "
               f"| {load.percentile(0.99) * 1000:.2f} | | {provider.counts[JWKS]} fetches, **{refused} refused wrongly** | {refused / len(load.answers):.1%} |")


def revocation(b):
    """From the answer of /revoke, or the end of the command, to the last request that was let in, on four workers."""
    server = Gateway(b.work, b.tokens, lambda config: config.update(workers=4))
    made = subprocess.run([PROGRAM, "client", "add", "bench-client", "--role", "reader", "--grant", "client_credentials", "-c", server.config],
                          capture_output=True, text=True, check=True).stdout
    client = {"client_id": "bench-client", "client_secret": max(made.split(), key=len)}

    def over_http(token):
        post(server, "/revoke", {"token": token, **client})

    def by_command(token):
        subprocess.run([PROGRAM, "revoke", "--token", "-", "-c", server.config], input=token + "\n", text=True, capture_output=True, check=True)

    for name, revoke, count in (("/revoke", over_http, REVOCATIONS), ("gatewarden revoke", by_command, REVOCATIONS // 2)):
        late = revoke_many(server, client, revoke, count)
        b.line(f"| from {name} to the last request let in, 4 workers, {count} times | gatewarden | {WATCHING} | | {statistics.median(late):.1f} "
               f"| {sorted(late)[int(len(late) * 0.99)]:.1f} | | at most {max(late):.1f} ms | |")
    server.stop()


def revoke_many(server, client, revoke, count):
    """Milliseconds, one figure a revocation."""
    state, late = {}, []

    def new_token():
        state["token"] = json.loads(post(server, "/token", {"grant_type": "client_credentials", **client}))["access_token"]

    new_token()
    with Load(server.port, WATCHING, lambda: state["token"]) as load:
        for _ in range(count):
            new_token()
            token = state["token"]
            time.sleep(0.1)
            revoke(token)
            moment = time.monotonic()
            time.sleep(1)
            seen = [(sent, status) for sent, _, status, shown in load.answers if shown == token]
            good = [sent for sent, status in seen if status == 200]
            if not good or {status for _, status in seen} != {200, 401} or max(good) > moment + 0.9:
                raise SystemExit(f"a token was let in for a second after it was revoked, or never: {sorted({s for _, s in seen})}")
            late.append(max(0.0, max(good) - moment) * 1000)
            load.answers.clear()
    return late


def everything(b):
    for job in (cached, first_seen, examined, flood, rotation, revocation):
        say(f"-- {job.__name__}")
        job(b)

"""What wrk saw of a server, and what the server spent on it."""
import json
import statistics
import subprocess

from servers import HERE, TWO, pinned


def start_wrk(server, connections, seconds, *script):
    return subprocess.Popen(pinned(1 if TWO else 0, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", HERE / "load.lua",
                                   f"{getattr(server, 'scheme', 'http')}://127.0.0.1:{server.port}", "--", *script), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end_wrk(process):
    out, errors = process.communicate()
    line = [text for text in out.splitlines() if text.startswith("{")]
    if not line:
        raise SystemExit(f"wrk: {out}{errors}")
    return json.loads(line[-1])


def wrk(server, connections, seconds, *script):
    return end_wrk(start_wrk(server, connections, seconds, *script))


def measure(server, connections, seconds, *script):
    before = server.cpu_us()
    got = wrk(server, connections, seconds, *script)
    after = server.cpu_us()
    count = max(1, got["requests"])
    return {"rate": got["requests"] / (got["us"] / 1e6), "p50": got["p50"], "p99": got["p99"], "bad": (got["status"] + got["socket"]) / count,
            "cpu": {role: (after[role] - before.get(role, 0)) / count for role in after}}


def median(rounds):
    roles = {r for one in rounds for r in one["cpu"]}
    result = {k: statistics.median(one[k] for one in rounds) for k in ("rate", "p50", "p99", "bad")}
    result["cpu"] = {r: statistics.median(one["cpu"].get(r, 0) for one in rounds) for r in roles}
    result["cpu_us"] = statistics.median(sum(one["cpu"].values()) for one in rounds)
    return result

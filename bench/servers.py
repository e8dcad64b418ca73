"""The servers that are measured, each a program whose processes all run on one processor, and the tokens they check."""
import contextlib
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
HERE = ROOT / "bench"
BUILD = pathlib.Path(os.environ.get("GATEWARDEN_BUILD", ROOT / "build"))
PROGRAM = BUILD / "gatewarden"
DATABASE = BUILD / "bench.db"
TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")
TWO = len(os.sched_getaffinity(0)) >= 2
ISSUER = "https://bench.test/"
sys.path.insert(0, str(ROOT / "tests/peers"))

from idp import ALGORITHMS, Key  # noqa: E402


def pinned(core, *words):
    return ["taskset", "-c", str(core), *map(str, words)] if TWO else list(map(str, words))


def say(text):
    print(text, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# Tokens: signed here once, verified by both servers with the same key set

class Tokens:
    def __init__(self, folder):
        self.folder = folder
        self.keys = {name: Key(name, name) for name in ALGORITHMS}
        self.jwks = folder / "jwks.json"
        self.jwks.write_text(json.dumps({"keys": [key.jwk() for key in self.keys.values()]}))

    def claims(self):
        now = int(time.time())
        return {"iss": ISSUER, "aud": "api://books", "sub": "bench", "roles": ["reader"], "iat": now, "nbf": now, "exp": now + 86_400}

    def file(self, algorithm, count=1):
        path = self.folder / f"{algorithm}-{count}.txt"
        if not path.exists():
            if count > 1:
                say(f"signing {count:,} {algorithm} tokens")
            key, claims = self.keys[algorithm], self.claims()
            path.write_text("".join(key.sign({}, {**claims, "jti": str(i)}) + "\n" for i in range(count)))
        return path


# Servers

class Server:
    """A started program, all of whose processes run on one processor."""

    name = "?"

    def __init__(self, command, port, env=None, cwd=None):
        self.port = port
        self.begun = time.monotonic()
        self.process = subprocess.Popen(pinned(0, *command), env=dict(os.environ, **(env or {})), cwd=cwd, start_new_session=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.start_ms = self.wait() * 1000

    def wait(self):
        while time.monotonic() - self.begun < 30:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended: {self.process.stderr.read().decode(errors='replace')[-800:]}")
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return time.monotonic() - self.begun
            time.sleep(0.001)
        raise SystemExit(f"{self.name} does not answer")

    def pids(self):
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            with contextlib.suppress(OSError):
                for task in os.listdir(f"/proc/{pid}/task"):
                    todo += map(int, pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split())
        return found

    def cpu_us(self):
        """{what the process is: µs so far}"""
        spent = {}
        for pid in self.pids():
            with contextlib.suppress(OSError):
                fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
                words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                role = next((r for r in ("worker", "keeper", "ledger", "fetcher", "supervisor") if r in words), "main")
                spent[role] = spent.get(role, 0) + (int(fields[11]) + int(fields[12])) * TICK_US
        return spent

    def memory_kib(self):
        """(resident without counting shared pages twice, sum of resident)"""
        pss = rss = 0
        for pid in self.pids():
            with contextlib.suppress(OSError):
                text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
                pss += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])
                rss += int(re.search(r"^Rss:\s+(\d+)", text, re.M)[1])
        return pss, rss

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)


class Gateway(Server):
    name = "gatewarden"

    def __init__(self, work, tokens, change=None):
        """`change(config)` edits the configuration before it is written."""
        folder = pathlib.Path(tempfile.mkdtemp(prefix="gateway-", dir=work))
        port, self.admin = free_port(), free_port()
        config = {
            "listen": {"http": f"127.0.0.1:{port}", "admin": f"127.0.0.1:{self.admin}"}, "workers": 1,
            "issuers": {"local": {"type": "local", "audience": "api://books"},
                        "bench": {"type": "oidc", "issuer": ISSUER, "audience": "api://books", "jwks": {"file": str(tokens.jwks)}}},
            "backends": {"books": {"type": "sqlite", "path": str(DATABASE)}},
            "roles": {"reader": {"granted_by": ["local:reader", "bench:reader"]}},
            "resources": {"books": {"backend": "books", "table": "books", "allow": {
                "reader": {"read": {"fields": {"exclude": ["cost"]}, "where": "published eq true"}}}}},
            "limits": {"connections": 20_000, "connections_per_address": 20_000, "idle_timeout": "5m"},
        }
        if change:
            change(config)
        self.config = folder / "gatewarden.yaml"
        self.config.write_text(json.dumps(config))
        self.password = secrets.token_urlsafe(15)
        done = subprocess.run([PROGRAM, "user", "add", "bench", "--role", "reader", "-c", self.config],
                              input=self.password + "\n", text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise SystemExit("user add: " + done.stderr)
        super().__init__([PROGRAM, "run", "-c", self.config], port)
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/readyz", timeout=1)
                break
            time.sleep(0.002)


class FastApi(Server):
    name = "FastAPI"

    def __init__(self, work, tokens):
        port = free_port()
        super().__init__([HERE / ".venv/bin/uvicorn", "app:app", "--loop", "uvloop", "--http", "httptools", "--no-access-log",
                          "--log-level", "warning", "--port", port], port, cwd=HERE,
                         env={"BENCH_JWKS": str(tokens.jwks), "BENCH_DB": str(DATABASE), "PYTHONDONTWRITEBYTECODE": "1"})


class Nginx(Server):
    name = "nginx"

    def __init__(self, work, tokens):
        port = free_port()
        folder = pathlib.Path(tempfile.mkdtemp(prefix="nginx-", dir=work))
        body = (ROOT / "web/docs.css").read_text().replace("\n", "\\n")
        (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/pid; error_log /dev/null; worker_processes 1; worker_rlimit_nofile 20000;
events {{ worker_connections 20000; }}
http {{ access_log off; keepalive_timeout 300; keepalive_requests 1000000000; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
server {{ listen 127.0.0.1:{port}; location / {{ return 200 '{body}'; }} }} }}
""")
        super().__init__([shutil.which("nginx") or "/usr/sbin/nginx", "-c", folder / "nginx.conf"], port)


class BareLoop(Server):
    name = "bare libuv"

    def __init__(self, work, tokens):
        port = free_port()
        super().__init__([BUILD / "limit", "hello", port], port)

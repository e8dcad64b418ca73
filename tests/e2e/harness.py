"""The real program, started the way an operator starts it, and what tests need around it.

A test file imports this, marks its functions with @test and ends with main(). Each file prints its own
lines (`ok NAME`, `not ok NAME`, `skip NAME # why`). Every gateway that a file starts is ended by it, and
must then have left no sanitizer report, no secret in its log and an audit log that verifies.
"""
import atexit
import base64
import contextlib
import http.client
import json
import os
import pathlib
import re
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLAIN = pathlib.Path(os.environ.get("GATEWARDEN_PLAIN", ROOT / "build" / "gatewarden"))
BINARY = pathlib.Path(os.environ.get("GATEWARDEN_BINARY", ROOT / "build-asan" / "gatewarden"))
CORPORA = pathlib.Path(os.environ.get("GATEWARDEN_CORPORA", ROOT.parent / "shared" / "corpora"))
START_S = 30
sys.path.insert(0, str(ROOT / "tests/peers"))
REPORT = re.compile(r"(ERROR: \w+Sanitizer|runtime error:|Assertion .* failed|stack smashing)")

# Tests

_tests = []
_gateways = []


class Skip(Exception):
    """Raised with the reason."""


def test(function):
    _tests.append(function)
    return function


def corpus(name):
    path = CORPORA / name
    if not path.exists():
        raise Skip("the corpora are not here")
    return path


def title(function):
    return function.__name__.removeprefix("test_").replace("_", " ")


def run_one(function):
    try:
        function()
    except Skip as e:
        print(f"skip {title(function)} # {e}", flush=True)
        return True
    except Exception:  # noqa: BLE001 - whatever went wrong is the result
        print(f"not ok {title(function)}")
        for line in traceback.format_exc().splitlines()[-12:]:
            print(f"# {line[:400]}")
        sys.stdout.flush()
        return False
    print(f"ok {title(function)}", flush=True)
    return True


def main():
    wanted = sys.argv[1:]
    good = True
    if not BINARY.exists():
        print(f"not ok {BINARY} is there")
        sys.exit(1)
    for function in _tests:
        if not wanted or any(word in function.__name__ for word in wanted):
            good &= run_one(function)
    for gateway in list(_gateways):
        good &= run_one(gateway.check_end)
    sys.exit(0 if good else 1)


def equal(got, expected, what=""):
    if got != expected:
        raise AssertionError(f"{what}: got {got!r}, expected {expected!r}")


PATIENCE_S = 15.0


def wait_until(condition, seconds=10.0, what="a condition"):
    """The first true answer of `condition`; asked every 20 ms. Nothing fails for a machine that is slow."""
    seconds = max(seconds, PATIENCE_S)
    end = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


# HTTP

class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = {k.lower(): v for k, v in headers}
        self.body = body

    def json(self):
        return json.loads(self.body)

    def error(self):
        return self.json()["error"]

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


def query(**options):
    """first=2, filter='x eq 1' -> '?$first=2&$filter=x%20eq%201'"""
    return "?" + "&".join(f"${k}={urllib.parse.quote(str(v), safe='')}" for k, v in options.items())


def read_answers(sock, seconds):
    """Everything the peer sends until it closes or is silent. -> (answers, closed, raw bytes)"""
    sock.settimeout(seconds)
    data, closed = b"", False
    try:
        while True:
            part = sock.recv(65536)
            if not part:
                closed = True
                break
            data += part
    except (TimeoutError, socket.timeout):
        pass
    except ConnectionError:
        closed = True
    return split_answers(data), closed, data


def split_answers(data):
    answers = []
    while data.startswith(b"HTTP/1."):
        head, gap, rest = data.partition(b"\r\n\r\n")
        if not gap:
            break
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = [tuple(line.split(": ", 1)) for line in lines[1:]]
        length = next((int(v) for k, v in headers if k.lower() == "content-length"), 0)
        answers.append(Answer(status, headers, rest[:length]))
        data = rest[length:]
    return answers


_ports = set()


def free_port():
    """One that nothing listens on now, and none that was given before: two of a configuration must differ. Below the
    range that outgoing connections are given theirs from, so that none of them takes it meanwhile."""
    while True:
        port = 15000 + secrets.randbelow(17000)
        if port in _ports:
            continue
        _ports.add(port)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            return port


# The gateway

def base_config():
    """The Books example on other ports, with a few more roles for tests."""
    return {
        "listen": {"http": f"127.0.0.1:{free_port()}", "admin": f"127.0.0.1:{free_port()}"},
        "workers": 2,
        "issuers": {"local": {"type": "local", "audience": "api://books"}},
        "backends": {"books": {"type": "sqlite", "path": "data/books.db"}},
        "roles": {"reader": {"granted_by": ["local:reader"]},
                  "books-admin": {"granted_by": ["local:books-admin"]}},
        "resources": {
            "books": {"backend": "books", "table": "books", "page_size": 20, "page_max": 100, "allow": {
                "reader": {"read": {"fields": {"exclude": ["cost"]}, "where": "published eq true"}},
                "books-admin": "all"}},
            "authors": {"backend": "books", "table": "authors", "allow": {"reader": ["read"], "books-admin": "all"}},
        },
        "audit": {"path": "audit/"},
        "state": {"path": "state/"},
    }


USERS = {"ada": "reader", "grace": "books-admin"}
_template = None


def template():
    """A books.db and a state folder with the users, made once a file. -> (folder, {user: password})"""
    global _template
    if _template is None:
        folder = pathlib.Path(tempfile.mkdtemp(prefix="gatewarden-template-"))
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        (folder / "data").mkdir()
        subprocess.run([sys.executable, ROOT / "examples/books/make-db", folder / "data/books.db"], check=True,
                       stderr=subprocess.DEVNULL)
        (folder / "gatewarden.yaml").write_text(json.dumps(base_config()))
        passwords = {name: secrets.token_urlsafe(15) for name in USERS}
        for name, role in USERS.items():
            add_user(folder / "gatewarden.yaml", name, [role], passwords[name])
        _template = folder, passwords
    return _template


def add_user(config, name, roles, password):
    command = [PLAIN if PLAIN.exists() else BINARY, "user", "add", name, "-c", config]
    for role in roles:
        command += ["--role", role]
    done = subprocess.run(command, input=password + "\n", text=True, capture_output=True, check=False, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"user add {name}: {done.returncode} {done.stderr}")


def environment(extra=None, leaks=False):
    """Of the service, or of a command (`leaks`). At its end a sandboxed process cannot look for leaks: that takes
    a cloned thread that traces it, and the sandbox forbids both (LeakSanitizer then ends with "Failed spawning a
    tracer thread (errno 1)"). Commands and unit tests have no sandbox and do look."""
    return dict(os.environ, ASAN_OPTIONS=f"detect_leaks={leaks:d}:abort_on_error=0:exitcode=99",
                UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:exitcode=99", **(extra or {}))


class Gateway:
    """One started program in a folder of its own."""

    def __init__(self, change=None, binary=None, env=None, before=None, command=None, start=True, users=None):
        """`change(config)` edits the configuration, `before(folder)` the folder, `command` stands before
        the program (faketime, prlimit); `users`: {name: [roles]} besides ada and grace."""
        made, self.passwords = template()
        self.passwords = dict(self.passwords)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gatewarden-"))
        for part in ("data", "state"):
            if (made / part).exists():
                shutil.copytree(made / part, self.folder / part)
        self.config = base_config()
        if change:
            change(self.config)
        self.http_port, self.admin_port = (int((of if isinstance(of, str) else of["address"]).rsplit(":", 1)[1])
                                           for of in (self.config["listen"][name] for name in ("http", "admin")))
        self.secure_ports = {port for name, port in (("http", self.http_port), ("admin", self.admin_port))
                             if isinstance(self.config["listen"][name], dict) and "tls" in self.config["listen"][name]}
        self.tls = ssl._create_unverified_context()  # of our requests, where the port speaks TLS
        self.url = f"{'https' if self.http_port in self.secure_ports else 'http'}://127.0.0.1:{self.http_port}"
        self.binary = pathlib.Path(binary or BINARY)
        self.env, self.command = env, list(command or [])
        self.secrets = set(self.passwords.values())
        self.tokens = {}
        self.log = []
        self.process = None
        self.was_stopped = False
        self.write_config()
        for name, roles in (users or {}).items():
            self.passwords[name] = secrets.token_urlsafe(15)
            self.secrets.add(self.passwords[name])
            add_user(self.file, name, roles, self.passwords[name])
        if before:
            before(self.folder)
        _gateways.append(self)
        if start:
            self.start()

    @property
    def file(self):
        return self.folder / "gatewarden.yaml"

    def write_config(self, text=None):
        self.file.write_text(json.dumps(self.config, indent=1) if text is None else text)

    # Life

    def launch(self):
        """Starts it without waiting."""
        self.was_stopped = False
        self.process = subprocess.Popen([*self.command, self.binary, "run", "-c", self.file], cwd=self.folder,
                                        env=environment(self.env), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)
        threading.Thread(target=self.collect, args=(self.process.stdout,), daemon=True).start()

    def collect(self, stream):
        for line in stream:
            self.log.append(line.decode(errors="replace").rstrip("\n"))

    def start(self):
        self.launch()
        wait_until(self.is_ready_or_dead, START_S, "the gateway to be ready")
        if self.process.poll() is not None:
            raise AssertionError(f"the gateway ended with {self.process.returncode}: " + " | ".join(self.log[-8:]))

    def is_ready_or_dead(self):
        return self.process.poll() is not None or self.is_ready()

    def is_ready(self):
        try:
            return self.admin("/readyz").status == 200
        except OSError:
            return False

    def pid(self):
        """Of the supervisor: below whatever `command` put in front of it."""
        pid = self.process.pid
        while True:
            name = os.readlink(f"/proc/{pid}/exe")
            if pathlib.Path(name.removesuffix(" (deleted)")).name == self.binary.name:
                return pid
            pid = children_of(pid)[0]

    def children(self, role=None):
        """Pids of its processes; `role` as it stands in their command line."""
        return [p for p in children_of(self.pid()) if role is None or role in command_line(p)]

    def signal(self, number):
        self.was_stopped |= number == signal.SIGTERM
        os.kill(self.pid(), number)

    def stop(self, seconds=20):
        """SIGTERM, and its exit status; all of its processes must be gone."""
        if self.process is None or self.process.poll() is not None:
            return self.process.returncode if self.process else None
        self.was_stopped = True
        everyone = self.children()
        self.signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not ended {seconds} s after SIGTERM") from None
        wait_until(lambda: not any(is_alive(p) for p in everyone), 5, "its processes to be gone")
        return status

    def kill(self):
        self.was_stopped = True
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def check_end(self):
        """What must hold for every gateway of every test, when it has ended."""
        try:
            metrics = b""
            if self.process is not None and self.process.poll() is None:
                with contextlib.suppress(OSError, AssertionError):
                    metrics = self.admin("/metrics").body
                equal(self.stop(), 0, "exit status after SIGTERM")
            elif self.process is not None and not self.was_stopped:
                raise AssertionError(f"it ended by itself with {self.process.returncode}: " + " | ".join(self.log[-12:]))
            time.sleep(0.1)
            reports = [line for line in self.log if REPORT.search(line)]
            equal(reports, [], "sanitizer reports")
            self.find_secrets(metrics)
            if any((self.folder / "audit").glob("*.jsonl")):
                done = self.cli("audit", "verify")
                equal((done.returncode, "" if done.returncode == 0 else done.stdout + done.stderr), (0, ""),
                      "audit verify")
        finally:
            self.kill()
            self.discard()

    check_end.__name__ = "test_it_ends_with_0_without_reports_or_secrets_and_its_audit_log_verifies"

    def discard(self):
        if self in _gateways:
            _gateways.remove(self)
        shutil.rmtree(self.folder, ignore_errors=True)

    def find_secrets(self, metrics=b""):
        places = {"log": "\n".join(self.log).encode(), "metrics": metrics}
        for path in (self.folder / "audit").rglob("*"):
            if path.is_file():
                places[path.name] = path.read_bytes()
        for place, content in places.items():
            for secret in self.secrets:
                if secret.encode() in content:
                    raise AssertionError(f"a secret stands in {place}")

    def cli(self, *words, text=None, binary=None):
        """`gatewarden WORD... -c FILE`"""
        return subprocess.run([binary or self.binary, *words, "-c", self.file], cwd=self.folder, input=text, text=True,
                              capture_output=True, env=environment(leaks=True), timeout=120, check=False)

    def new_secret(self, *words):
        """Of `client add NAME...` or `client secret NAME`: what it printed, once, and nobody could guess."""
        done = self.cli("client", *words)
        equal(done.returncode, 0, (words, done.stdout, done.stderr))
        secret = max(done.stdout.split(), key=len)
        assert len(secret) >= 32, done.stdout
        self.secrets.add(secret)
        return secret

    def add_client(self, name, *words):
        """A client of our own authorization server. -> its secret, or None: it has none"""
        if "--public" not in words and "--jwks" not in words:
            return self.new_secret("add", name, *words)
        done = self.cli("client", "add", name, *words)
        equal(done.returncode, 0, (name, words, done.stdout, done.stderr))
        return None

    # Requests

    def request(self, method, path, token=None, body=None, headers=None, port=None, timeout=30):
        """One request on a connection of its own. `token`: a user's name or a token."""
        port = port or self.http_port
        connection = (http.client.HTTPSConnection("127.0.0.1", port, timeout=timeout, context=self.tls)
                      if port in self.secure_ports else http.client.HTTPConnection("127.0.0.1", port, timeout=timeout))
        fields = dict(headers or {})
        if token is not None:
            fields["Authorization"] = f"Bearer {self.token(token) if token in self.passwords else token}"
        if isinstance(body, (dict, list)):
            fields.setdefault("Content-Type", "application/json")
            body = json.dumps(body)
        try:
            connection.request(method, path, body=body, headers=fields)
            response = connection.getresponse()
            return Answer(response.status, response.getheaders(), response.read())
        finally:
            connection.close()

    def get(self, path, token=None, **more):
        return self.request("GET", path, token, **more)

    def admin(self, path):
        return self.request("GET", path, port=self.admin_port, timeout=5)

    def form(self, path, **fields):
        answer = self.request("POST", path, body=urllib.parse.urlencode(fields),
                              headers={"Content-Type": "application/x-www-form-urlencoded"})
        with contextlib.suppress(ValueError, KeyError, TypeError):
            self.keep_secrets(answer.json())
        return answer

    def keep_secrets(self, tokens):
        """Neither may be seen anywhere: of a token its signature is enough to know it again."""
        if tokens.get("access_token"):
            self.secrets.add(tokens["access_token"].rsplit(".", 1)[-1])
        if tokens.get("refresh_token"):
            self.secrets.add(tokens["refresh_token"])
        if tokens.get("id_token"):
            self.secrets.add(tokens["id_token"].rsplit(".", 1)[-1])

    def login(self, user, password=None, **more):
        return self.form("/token", grant_type="password", username=user,
                         password=self.passwords[user] if password is None else password, **more)

    def token(self, user):
        """An access token of `user`, asked for once."""
        if user not in self.tokens:
            answer = self.login(user)
            equal(answer.status, 200, f"login of {user}: {answer}")
            self.tokens[user] = answer.json()["access_token"]
        return self.tokens[user]

    def connect(self, port=None):
        return socket.create_connection(("127.0.0.1", port or self.http_port), timeout=10)

    def raw(self, data, seconds=2.0):
        """Bytes as they are. -> (answers, closed, raw bytes)"""
        with self.connect() as s:
            with contextlib.suppress(ConnectionError):
                s.sendall(data)
            return read_answers(s, seconds)

    # Audit

    def records(self, word=""):
        """Every complete line of the log, in order; with `word` only those that hold it."""
        lines = b"".join(p.read_bytes() for p in sorted((self.folder / "audit").glob("*.jsonl"))).split(b"\n")
        return [json.loads(line) for line in lines[:-1] if word.encode() in line]

    def record_of(self, decision):
        """The record of a decision id; it may be written a moment after the answer."""
        def find():
            return [r for r in self.records(decision) if r["metadata"]["uid"] == decision]
        return wait_until(find, 5, f"the record of {decision}")

    def sql(self, text):
        import sqlite3
        with contextlib.closing(sqlite3.connect(self.folder / "data/books.db", timeout=10)) as db:
            rows = db.execute(text).fetchall()
            db.commit()
            return rows


def children_of(pid):
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
        return [int(p) for t in tasks
                for p in pathlib.Path(f"/proc/{pid}/task/{t}/children").read_text().split()]
    except FileNotFoundError:
        return []


def command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def is_alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


_shared = {}


def shared(**options):
    """One gateway for a whole file, started when first asked for."""
    key = repr(sorted(options))
    if key not in _shared:
        _shared[key] = Gateway(**options)
    return _shared[key]


def jwt_parts(token):
    """Header and claims, unverified."""
    return [json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in token.split(".")[:2]]

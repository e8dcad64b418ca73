#!/usr/bin/env python3
"""10,000 odd requests through the gate, nginx and HAProxy, each before a service that records every byte.

Two things are held: what the gate lets through is one well-formed request that means what the gate took it to mean;
and wherever the gate and a peer differ, there is a row in differences.py that says why. `--table` prints them with
their counts, as docs/differences.md. ODD_SEED makes other requests, ODD_REQUESTS another number of them.
"""
import collections
import concurrent.futures
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
from harness import PLAIN, ROOT, Gateway, Skip, equal, free_port, main, test, wait_until  # noqa: E402

from byte_recorder import Recorder, parts, whole  # noqa: E402
from differences import ROWS, TABLES, row_of  # noqa: E402
from odd_requests import odd_requests  # noqa: E402

COUNT = int(os.environ.get("ODD_REQUESTS", "10000"))
SEED = int(os.environ.get("ODD_SEED", "20"))
WAIT_S = 10
QUIET_S = 0.7
# What each of them writes anew, about the message, the connection or the caller.
OURS = re.compile(rb"connection|keep-alive|host|content-length|transfer-encoding|x-forwarded-(for|host|proto)|traceparent")


# The three

class Front:
    """A proxy under test and its own recorder."""

    def __init__(self, name, port, recorder, stop):
        self.name, self.port, self.recorder, self.stop = name, port, recorder, stop

    def ask(self, text):
        """(status or 0 for none, the reason our own error gives)"""
        with socket.create_connection(("127.0.0.1", self.port)) as s:
            try:
                s.sendall(text)
                answer = read_answer(s, text, self.recorder)
            except OSError:
                answer = b""
        status = re.match(rb"HTTP/1\.[01] (\d{3})", answer)
        why = re.search(rb'"message":"([^"]*)"', answer)
        return int(status[1]) if status else 0, why[1].decode() if why else ""

    def ask_all(self, requests):
        """[Seen], in the order of the requests."""
        seen = []
        for number, (_, text) in enumerate(requests):
            seen.append(Seen(*self.ask(tagged(text, number))))
            came, rest = self.recorder.take()
            seen[-1].rest += rest
            for request in came:
                seen[number_of(request, number)].add(request)
        return seen


def read_answer(s, text, recorder):
    """Until all that is expected is here, or the front has closed. Who waits for more than we sent is told that there
    is none: at once where the request breaks off, and else when nothing has come, here or to the service, for a while."""
    answer, is_ended = b"", not whole(text)
    s.settimeout(QUIET_S)
    if is_ended:
        s.shutdown(socket.SHUT_WR)
        s.settimeout(WAIT_S)
    while not is_answered(final(answer), text):
        try:
            more = s.recv(65536)
        except TimeoutError:
            if is_ended or final(answer):
                break
            if not recorder.has_any():
                is_ended = True
                s.shutdown(socket.SHUT_WR)
            s.settimeout(WAIT_S)
            continue
        if not more:
            break
        answer += more
        if final(answer):
            s.settimeout(QUIET_S)
    return final(answer)


def final(answer):
    """Without the interim heads before it (RFC 9110 section 15.2)."""
    while re.match(rb"HTTP/1\.1 1(?!01)", answer) and b"\r\n\r\n" in answer:
        answer = answer.partition(b"\r\n\r\n")[2]
    return answer


def is_answered(answer, text):
    """As many whole answers are here as there are requests."""
    is_head = text.lstrip(b"\r\n").startswith(b"HEAD")
    for _ in range(1 + (b"/second" in text)):
        head, end, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\ncontent-length: *(\d+)", head)
        length = 0 if is_head else int(length[1]) if length else None
        if not end or length is None or len(body) < length:
            return False
        answer = body[length:]
    return True


def tagged(text, number):
    """With its number in the field that all but a few have: what comes late is then known for what it is."""
    return text.replace(b"X-Plain: 1", b"X-Plain: n%05d" % number)


def number_of(request, current):
    """Of the request that this one came from."""
    match = re.search(rb"(?i)X-Plain: n(\d{5})", request)
    return int(match[1]) if match and int(match[1]) < current else current


def start(command, port):
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def answers():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True
    wait_until(answers)

    def stop():
        process.terminate()
        process.wait(20)
    return stop


def program(name):
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if not found:
        raise Skip(f"{name} is not installed")
    return found


def nginx(folder):
    recorder, port = Recorder(), free_port()
    (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/pid; error_log /dev/null; worker_processes 1; events {{ worker_connections 1000; }}
http {{ access_log off; client_body_temp_path {folder}/a; proxy_temp_path {folder}/b;
fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
upstream service {{ server 127.0.0.1:{recorder.port}; keepalive 8; }} client_header_timeout 1s; client_body_timeout 1s;
server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://service; proxy_ignore_client_abort on; proxy_read_timeout 3s;
proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host; }} }} }}
""")
    return Front("nginx", port, recorder, start([program("nginx"), "-c", str(folder / "nginx.conf")], port))


def haproxy(folder):
    recorder, port = Recorder(), free_port()
    (folder / "haproxy.cfg").write_text(f"""
defaults
  mode http
  timeout connect 3s
  timeout client 3s
  timeout http-request 1s
  timeout server 3s
frontend gate
  bind 127.0.0.1:{port}
  default_backend service
backend service
  server one 127.0.0.1:{recorder.port}
""")
    return Front("HAProxy", port, recorder, start([program("haproxy"), "-f", str(folder / "haproxy.cfg"), "-db"], port))


def gate():
    recorder = Recorder()

    def change(config):
        config["backends"]["app"] = {"type": "http", "url": f"http://127.0.0.1:{recorder.port}", "retries": 0}
        config["limits"] = {"head_timeout": "1s"}
        config["routes"] = [{"path": "/*", "backend": "app", "public": ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]}]
    gateway = Gateway(change, binary=PLAIN)
    return Front("gatewarden", gateway.http_port, recorder, gateway.stop)


# What differs, and why

class Seen:
    """What became of one request at one front."""

    def __init__(self, status, why):
        self.status, self.why, self.rest, self.raw, self.requests = status, why, [], [], []

    def reason(self):
        """Of our refusal; None where it has no body, as of HEAD."""
        return None if self.status and not self.why else self.why.encode()

    def add(self, request):
        method, target, fields, body = parts(request)
        self.raw.append(request)
        self.requests.append({"method": method, "target": target, "Host": [v for n, v in fields if n == b"host"],
                              "fields": sorted((n, v) for n, v in fields if not OURS.fullmatch(n)), "body": body})


def differences(ours, theirs):
    """[(kind, detail)] of one request, as differences.py has them; the detail of a HEAD refused is None."""
    if not ours.requests and not theirs.requests:
        return []
    if not ours.requests:
        return [("refused", ours.reason())]
    if not theirs.requests:
        return [("passed on", b"%d" % theirs.status)]
    if len(ours.requests) != len(theirs.requests):
        return [("requests", b"%d %d" % (len(ours.requests), len(theirs.requests)))]
    return [item for a, b in zip(ours.requests, theirs.requests) for item in changes(a, b)]


def changes(ours, theirs):
    for part in ("method", "Host", "body"):
        if ours[part] != theirs[part]:
            yield part, repr((ours[part], theirs[part])).encode()
    if ours["target"] != theirs["target"]:
        path = re.sub(rb"^https?://[^/?]*/?", b"/", theirs["target"], flags=re.I)
        is_same = urllib.parse.unquote_to_bytes(path) == urllib.parse.unquote_to_bytes(ours["target"])
        yield "spelling" if is_same else "target", ours["target"] + b" " + theirs["target"]
    for sign, some, others in ((b"+", ours, theirs), (b"-", theirs, ours)):
        left = collections.Counter(some["fields"]) - collections.Counter(others["fields"])
        yield from (("fields", sign + name + b": " + value) for name, value in left.elements())


# What the gate lets through, whatever was sent

TOKEN = rb"[!#$%&'*+\-.^`|~0-9A-Za-z]+"
HEAD = re.compile(rb"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[!-~]*|\*) HTTP/1\.1\r\n((?:" + TOKEN + rb":(?: [\t -~\x80-\xff]*)?\r\n)+)\r\n")


def is_clean(request):
    """Exactly one reading: strict head, one Host, one framing, a path without detours."""
    match = HEAD.match(request)
    if not match:
        return "the head is malformed"
    _, target, fields, _ = parts(request)
    names = [name for name, _ in fields]
    if names.count(b"host") != 1 or names.count(b"content-length") + names.count(b"transfer-encoding") > 1:
        return "Host or the framing is not told once"
    if any(b"_" in name for name in names):
        return "a field name with an underscore"
    path = target.split(b"?")[0]
    if re.search(rb"//|/\.\.?(/|$)|;|\\|%(2f|5c|00|25|2e|0[0-9a-f]|1[0-9a-f]|7f)", path, re.I):
        return "the path can be read in two ways"
    if b"expect" in names and not {b"content-length", b"transfer-encoding"} & set(names):
        return "an Expect without a body"
    forged = [name for name, value in fields if value == b"forged"]
    return f"a forged {forged[0].decode()}" if forged else ""



_results = []


def results():
    """[(category, text, gate, nginx, HAProxy)], asked once."""
    if not _results:
        requests = odd_requests(COUNT, SEED)
        with tempfile.TemporaryDirectory(prefix="gatewarden-odd-") as folder:
            fronts = []
            try:
                for make in (lambda f: gate(), nginx, haproxy):
                    fronts.append(make(pathlib.Path(folder)))
                with concurrent.futures.ThreadPoolExecutor(3) as pool:
                    columns = list(pool.map(lambda front: front.ask_all(requests), fronts))
            finally:
                for front in fronts:
                    front.stop()
                    front.recorder.close()
        _results.extend((category, text, *seen) for (category, text), *seen in zip(requests, *columns))
    return _results


def explained():
    """({row: {peer: how many requests}}, [(peer, kind, detail, request)] that no row fits)"""
    counts, left = {row: collections.Counter() for row in ROWS}, []
    for _, text, ours, *peers in results():
        for peer, theirs in zip(("nginx", "HAProxy"), peers):
            found = set()
            for kind, detail in differences(ours, theirs):
                row = row_of(kind, peer, detail, text)
                if row is None:
                    left.append((peer, kind, detail, text))
                else:
                    found.add(row)
            for row in found:
                counts[row][peer] += 1
    return counts, left


@test
def test_what_the_gate_lets_through_has_one_reading():
    bad = [(why, request) for _, _, ours, *_ in results() for request in ours.raw if (why := is_clean(request))]
    bad += [("bytes that are no request", rest) for _, _, ours, *_ in results() for rest in ours.rest if HEAD.match(rest) is None]
    if bad:
        raise AssertionError(f"{len(bad)} of them, such as {bad[0]}")


@test
def test_no_request_becomes_two():
    for _, text, ours, *_ in results():
        if len(ours.requests) > 1 and b"/second" not in text:
            raise AssertionError(f"{len(ours.requests)} requests out of {text!r}")


@test
def test_every_request_is_answered_or_refused():
    for _, text, ours, *_ in results():
        if ours.status == 0 and ours.requests:
            raise AssertionError(f"no answer to {text!r}")


@test
def test_a_request_that_breaks_off_waits_for_nobody():
    for _, text, ours, *_ in results():
        if not whole(text) and (ours.requests or ours.status in (502, 504)):
            raise AssertionError(f"{ours.status} {ours.why}, to {text!r}")


@test
def test_every_difference_from_nginx_and_haproxy_is_explained():
    _, left = explained()
    if left:
        raise AssertionError(f"{len(left)} differences without a reason, such as {left[0]}")


@test
def test_every_explanation_is_needed():
    counts, _ = explained()
    idle = [row.what for row in ROWS if not counts[row]]
    if idle and (COUNT, SEED) == (10000, 20):
        raise AssertionError(f"nothing differs by {idle}")


@test
def test_the_page_has_every_row():
    page = (ROOT / "docs/differences.md").read_text()
    missing = [row.what for row in ROWS if f"| {cell(row.what)} |" not in page or f"| {cell(row.why)} | {row.source} |" not in page]
    equal(missing, [], "docs/differences.md, which --table writes")


INTRODUCTION = """# Where Gatewarden differs from nginx and HAProxy

{count:,} odd requests, the same ones in every run ([odd_requests.py](../tests/peers/odd_requests.py)), went through Gatewarden, nginx {nginx} and
HAProxy {haproxy}, each with hardly more than its defaults, before a service that records every byte
([test_differential.py](../tests/interop/test_differential.py)). Each bends a good request in one or two places: the request line, Host, fields,
where the body ends. Here is every kind of difference in what reached the service, how many of the requests show it, and why it is so. What
all three refuse, or pass on alike, is not listed; a difference of another kind fails the test. `test_differential.py --table` writes this page.
"""


def version(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)[0]


def cell(text):
    return text.replace("|", "\\|")


def show():
    counts, left = explained()
    print(INTRODUCTION.format(count=COUNT, nginx=version(program("nginx"), "-v"), haproxy=version(program("haproxy"), "-v")))
    for title, rows in TABLES:
        print(f"## {title}\n\n| What is sent | nginx | HAProxy | Why | Source |\n|---|---:|---:|---|---|")
        for row in rows:
            numbers = " | ".join(str(counts[row][peer] or "") for peer in ("nginx", "HAProxy"))
            print(f"| {cell(row.what)} | {numbers} | {cell(row.why)} | {row.source} |")
        print()
    for found in left:
        print(*found, sep="\n   ", file=sys.stderr)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--table"]:
        show()
    else:
        main()

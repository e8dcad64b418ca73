"""The gate and its peers before one service: each proxies the same small answer; most check a token first."""
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from measure import median
from servers import BUILD, HERE, TWO, FastApi, Gateway, Server, free_port, pinned

HELLO, MEGABYTE, GIGABYTE, SINK = "/app/hello", "/app/megabyte", "/app/gigabyte", "/app/sink"
AUDIENCE = "api://books"


def program(name):
    return shutil.which(name) or f"/usr/sbin/{name}"


def folder_in(work, name):
    return pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-", dir=work))


class Certificate:
    """One for 127.0.0.1 that all listeners show: ECDSA P-256."""

    def __init__(self, work):
        self.chain, self.key, self.both = work / "tls.pem", work / "tls.key", work / "tls.both.pem"
        if not self.both.exists():
            subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                            "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", self.key, "-out", self.chain],
                           check=True, capture_output=True)
            self.both.write_text(self.chain.read_text() + self.key.read_text())


class Service(Server):
    """What stands behind all: nginx with fixed answers, on the processor of the load."""

    name = "service"

    def __init__(self, work):
        port, sink, folder = free_port(), free_port(), folder_in(work, "service")
        user = "user root;" if os.getuid() == 0 else ""
        (folder / "app").mkdir()
        (folder / "app/megabyte").write_bytes(b"m" * (1 << 20))
        with open(folder / "app/gigabyte", "wb") as out:
            out.truncate(1 << 30)
        (folder / "nginx.conf").write_text(f"""
daemon off; {user} pid {folder}/pid; error_log /dev/null; worker_processes 1; worker_rlimit_nofile 20000;
events {{ worker_connections 10000; }}
http {{ access_log off; sendfile on; keepalive_timeout 300; keepalive_requests 1000000000; client_max_body_size 0; client_body_temp_path {folder}/a;
proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e; default_type application/json;
server {{ listen 127.0.0.1:{port}; root {folder}; location = {HELLO} {{ return 200 '{{"message":"hello","who":"bench","pad":"{'x' * 50}"}}'; }}
location = {SINK} {{ proxy_pass http://127.0.0.1:{sink}; proxy_http_version 1.1; proxy_request_buffering off; }} }} }}
""")
        self.sink = subprocess.Popen(pinned(1 if TWO else 0, sys.executable, HERE / "sink.py", sink))
        self.port = port
        self.begun = time.monotonic()
        self.process = subprocess.Popen(pinned(1 if TWO else 0, program("nginx"), "-c", folder / "nginx.conf"), start_new_session=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.start_ms = self.wait() * 1000

    def stop(self):
        super().stop()
        self.sink.kill()
        self.sink.wait()


class Front:
    """What a proxy needs to know, made once for all of them."""

    def __init__(self, work, tokens):
        self.work, self.tokens = work, tokens
        self.service = Service(work)
        self.certificate = Certificate(work)
        self.public = {}
        for name in ("RS256", "ES256"):
            from cryptography.hazmat.primitives import serialization
            path = work / f"{name}.pub.pem"
            path.write_bytes(tokens.keys[name].private.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))
            self.public[name] = path


def gate_for(front, tls=False, **more):
    def change(config):
        config["backends"]["app"] = {"type": "http", "url": f"http://127.0.0.1:{front.service.port}", "connections": 256}
        config["routes"] = [{"path": "/app/*", "backend": "app", "allow": {"reader": ["GET", "POST", "PUT"]}, **more}]
        if tls:
            config["listen"]["http"] = {"address": config["listen"]["http"],
                                        "tls": {"certificate": str(front.certificate.chain), "key": str(front.certificate.key)}}
    gate = Gateway(front.work, front.tokens, change)
    gate.scheme = "https" if tls else "http"
    return gate


def haproxy_for(front, algorithm=None, tls=False):
    port, folder = free_port(), folder_in(front.work, "haproxy")
    check = "" if algorithm is None else f"""
  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request set-var(txn.iss) var(txn.bearer),jwt_payload_query('$.iss')
  http-request set-var(txn.aud) var(txn.bearer),jwt_payload_query('$.aud')
  http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
  http-request set-var(txn.role) var(txn.bearer),jwt_payload_query('$.roles[0]')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless {{ var(txn.alg) -m str {algorithm} }}
  http-request deny deny_status 401 unless {{ var(txn.iss) -m str https://bench.test/ }}
  http-request deny deny_status 401 unless {{ var(txn.aud) -m str {AUDIENCE} }}
  http-request deny deny_status 401 unless {{ var(txn.bearer),jwt_verify(txn.alg,"{front.public[algorithm]}") -m int 1 }}
  http-request deny deny_status 401 if {{ var(txn.exp),sub(txn.now) -m int lt 0 }}
  http-request deny deny_status 403 unless {{ var(txn.role) -m str reader }}"""
    bind = f"ssl crt {front.certificate.both} alpn h2,http/1.1" if tls else ""
    (folder / "haproxy.cfg").write_text(f"""
global
  maxconn 9900
  nbthread 1
  tune.ssl.default-dh-param 2048
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 60s
frontend gate
  bind 127.0.0.1:{port} {bind}{check}
  default_backend service
backend service
  http-reuse always
  server one 127.0.0.1:{front.service.port}
""")
    server = Server.__new__(Server)
    server.name = "HAProxy" + (f" jwt_verify {algorithm}" if algorithm else " plain")
    Server.__init__(server, [program("haproxy"), "-f", folder / "haproxy.cfg", "-db"], port)
    return server


def nginx_for(front, tls=False):
    port, folder = free_port(), folder_in(front.work, "nginx")
    listen = f"{port} ssl http2; ssl_certificate {front.certificate.chain}; ssl_certificate_key {front.certificate.key}; ssl_session_cache shared:s:1m" \
        if tls else f"{port}"
    (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/pid; error_log /dev/null; worker_processes 1; worker_rlimit_nofile 20000;
events {{ worker_connections 15000; }}
http {{ access_log off; keepalive_timeout 300; keepalive_requests 1000000000; client_max_body_size 0; client_body_temp_path {folder}/a;
proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
upstream service {{ server 127.0.0.1:{front.service.port}; keepalive 256; keepalive_requests 1000000000; }}
server {{ listen 127.0.0.1:{listen}; location / {{ proxy_pass http://service; proxy_http_version 1.1; proxy_set_header Connection "";
proxy_buffering off; proxy_request_buffering off; }} }} }}
""")
    server = Server.__new__(Server)
    server.name = "nginx plain"
    Server.__init__(server, [program("nginx"), "-c", folder / "nginx.conf"], port)
    return server


def apache_for(front):
    port, folder = free_port(), folder_in(front.work, "apache")
    modules = "\n".join(f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
                        for name in ("mpm_event", "authn_core", "authz_core", "authz_user", "auth_openidc", "proxy", "proxy_http"))
    (folder / "apache.conf").write_text(f"""
ServerRoot {folder}
PidFile {folder}/pid
Listen 127.0.0.1:{port}
ServerName 127.0.0.1
{modules}
ErrorLog {folder}/error.log
KeepAliveTimeout 300
MaxKeepAliveRequests 0
OIDCCryptoPassphrase bench
OIDCOAuthVerifyCertFiles RS256#{front.public['RS256']}
OIDCOAuthRemoteUserClaim sub
<Location /app>
  AuthType oauth20
  Require claim roles:reader
  ProxyPass http://127.0.0.1:{front.service.port}/app
</Location>
""")
    server = Server.__new__(Server)
    server.name = "Apache mod_auth_openidc RS256"
    Server.__init__(server, [program("apache2"), "-f", folder / "apache.conf", "-DFOREGROUND"], port)
    return server


# Jobs

class Fleet:
    """Starts each server once."""

    def __init__(self, b):
        self.b, self.front, self.made = b, Front(b.work, b.tokens), {}

    def get(self, name, make):
        if name not in self.made:
            self.made[name] = make(self.front)
        return self.made[name]

    def stop(self):
        for server in [*self.made.values(), self.front.service]:
            server.stop()


GATE = ("gate", gate_for)
PLAIN = ("haproxy", haproxy_for)
NGINX = ("nginx", nginx_for)
APACHE = ("apache", apache_for)


def verifying(algorithm):
    return (f"haproxy {algorithm}", lambda front: haproxy_for(front, algorithm))


def with_tls(name, make):
    return (f"{name} tls", lambda front: make(front, tls=True))


def table(b, title, servers, connections, measure_one):
    """Alternating rounds; `servers` are (server, label); the first is compared with the others."""
    rounds = [[] for _ in servers]
    for _ in range(b.rounds):
        for i, (server, _) in enumerate(servers):
            rounds[i].append(measure_one(server))
    medians = [median(r) for r in rounds]
    for i, (server, label) in enumerate(servers):
        m = medians[i]
        spread = statistics.pstdev(r["rate"] for r in rounds[i]) / m["rate"] if m["rate"] else 0
        ratio = "" if i == 0 else f"{medians[0]['rate'] / m['rate']:.2f}×"
        least = min(sum(r["cpu"].values()) for r in rounds[i])
        b.line(f"| {title} | {label} | {connections} | {m['rate']:,.0f} ±{spread:.0%} | {m['p50'] / 1000:.2f} | {m['p99'] / 1000:.2f} "
               f"| {m['cpu_us']:.1f} (least {least:.1f}) | {ratio} | {m['bad']:.1%} |")


def small(b):
    """The contract's rows: a small answer through each, at 1 and 64 connections."""
    from measure import measure
    fleet = Fleet(b)
    try:
        for algorithm, others in (("RS256", [PLAIN, verifying("RS256"), NGINX, APACHE]), ("ES256", [verifying("ES256")])):
            servers = [(fleet.get(*one), None) for one in (GATE, *others)]
            servers = [(s, s.name if i else f"gatewarden {algorithm}, audited") for i, (s, _) in enumerate(servers)]
            if algorithm == "RS256":
                servers.append((b.server(FastApi), "FastAPI + PyJWT RS256, by itself"))
            for connections in (1, 64):
                table(b, f"proxy, {algorithm}", servers, connections,
                      lambda s: measure(s, connections, b.seconds, "proxy", b.tokens.file(algorithm), HELLO))
    finally:
        fleet.stop()


def encrypted(b):
    """The same over TLS 1.3 and HTTP/1.1, and new connections."""
    from measure import measure
    fleet = Fleet(b)
    try:
        servers = [(fleet.get(*with_tls(*one)), None) for one in (GATE, PLAIN, NGINX)]
        for s, _ in servers:
            s.scheme = "https"
        servers = [(s, s.name + (" RS256" if i == 0 else "")) for i, (s, _) in enumerate(servers)]
        for connections in (1, 64):
            table(b, "proxy, TLS 1.3", servers, connections, lambda s: measure(s, connections, b.seconds, "proxy", b.tokens.file("RS256"), HELLO))
        table(b, "proxy, a new TLS connection each", servers, 16, lambda s: measure(s, 16, b.seconds, "fresh", b.tokens.file("RS256"), HELLO))
        plain = [(fleet.get(*one), None) for one in (GATE, PLAIN, NGINX)]
        plain = [(s, s.name) for s, _ in plain]
        table(b, "proxy, a new connection each", plain, 16, lambda s: measure(s, 16, b.seconds, "fresh", b.tokens.file("RS256"), HELLO))
    finally:
        fleet.stop()


def h2load(server, connections, streams, seconds, token, path):
    before = server.cpu_us()
    done = subprocess.run(pinned(1 if TWO else 0, "h2load", "-D", str(seconds), "-c", str(connections), "-m", str(streams), "-t", "1",
                                 "-H", f"authorization: Bearer {token}", f"https://127.0.0.1:{server.port}{path}"),
                          capture_output=True, text=True, check=True).stdout
    after = server.cpu_us()
    totals = re.search(r"requests: (\d+) total, \d+ started, (\d+) done, (\d+) succeeded", done)
    succeeded = int(totals[3])
    times = re.search(r"time for request:\s+(\S+)\s+(\S+)\s+(\S+)", done)
    count = max(1, succeeded)
    unit = {"us": 1, "ms": 1000, "s": 1_000_000}

    def micro(text):
        match = re.fullmatch(r"([\d.]+)(us|ms|s)", text)
        return float(match[1]) * unit[match[2]]
    return {"rate": succeeded / seconds, "p50": micro(times[3]), "p99": micro(times[2]), "bad": 1 - succeeded / max(1, int(totals[2])),
            "cpu": {role: (after[role] - before.get(role, 0)) / count for role in after}}


def multiplexed(b):
    """HTTP/2 over TLS 1.3; the columns of times are the mean and the longest."""
    fleet = Fleet(b)
    token = b.tokens.file("RS256").read_text().strip()
    try:
        servers = [(fleet.get(*with_tls(*one)), None) for one in (GATE, PLAIN, NGINX)]
        servers = [(s, s.name + (" RS256" if i == 0 else "")) for i, (s, _) in enumerate(servers)]
        for connections, streams in ((1, 10), (16, 10)):
            table(b, f"proxy, HTTP/2, {streams} streams each (mean, max)", servers, connections,
                  lambda s: h2load(s, connections, streams, b.seconds, token, HELLO))
    finally:
        fleet.stop()


def curl(server, token, *words):
    before = server.cpu_us()
    out = subprocess.run(pinned(1 if TWO else 0, "curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{time_total}", "-H",
                                f"Authorization: Bearer {token}", *words), capture_output=True, text=True, check=True).stdout.split()
    after = server.cpu_us()
    took = float(out[1])
    return {"rate": 1024 / took, "p50": took * 1e6, "p99": took * 1e6, "bad": 0 if out[0] in ("200", "204") else 1,
            "cpu": {role: after[role] - before.get(role, 0) for role in after}}


def bodies(b):
    """1 MiB as requests a second; 1 GiB as MiB a second, with the most memory a process of the gate had."""
    from measure import measure
    fleet = Fleet(b)
    token = b.tokens.file("RS256").read_text().strip()
    try:
        servers = [(fleet.get(*one), None) for one in (GATE, PLAIN, NGINX)]
        servers = [(s, s.name + (" RS256" if i == 0 else "")) for i, (s, _) in enumerate(servers)]
        table(b, "proxy, 1 MiB answers", servers, 16, lambda s: measure(s, 16, b.seconds, "proxy", b.tokens.file("RS256"), MEGABYTE))
        table(b, "proxy, 1 GiB answer (MiB/s)", servers, 1, lambda s: curl(s, token, f"http://127.0.0.1:{s.port}{GIGABYTE}"))
        big = fleet.front.work / "gigabyte"
        with open(big, "wb") as out:
            out.truncate(1 << 30)
        table(b, "proxy, 1 GiB request (MiB/s)", servers, 1,
              lambda s: curl(s, token, "-H", "Expect:", "-T", str(big), f"http://127.0.0.1:{s.port}{SINK}"))
        for s, name in servers:
            peak = max(int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) for pid in s.pids())
            b.line(f"| proxy, most memory of one process after that | {name} | – | {peak / 1024:.1f} MiB | | | | | |")
    finally:
        fleet.stop()


def held(b):
    """9,800 connections (HAProxy holds no more with 20,000 descriptors) that wait, each after one proxied answer."""
    fleet = Fleet(b)
    token = b.tokens.file("RS256").read_text().strip()
    try:
        for name, make in (GATE, PLAIN, NGINX):
            server = fleet.get(name, make)
            time.sleep(1)
            idle = server.memory_kib()
            client = subprocess.Popen([sys.executable, HERE / "idle.py", str(server.port), "9800", HELLO, token], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True)
            note = "" if client.stdout.readline().strip() == "ready" else "not all were accepted"
            time.sleep(1)
            full = server.memory_kib()
            client.stdin.close()
            client.wait()
            for what, (pss, rss) in (("idle", idle), ("9,800 idle connections", full)):
                b.line(f"| proxy, memory, {what} | {server.name} | – | {pss / 1024:.1f} MiB (sum of RSS {rss / 1024:.1f}) | | | | {note} | |")
    finally:
        fleet.stop()


def stages(b):
    """What a request costs stage by stage (`bench/stages.c`): the worker's and ledger's functions by themselves, CPU µs each."""
    with tempfile.TemporaryDirectory(prefix="stages-", dir=b.work) as folder:
        (pathlib.Path(folder) / "audit").mkdir()
        lines = subprocess.run(pinned(0, BUILD / "stages"), cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()
    for line in lines:
        ns, name = line.split(" ", 1)
        b.line(f"| stage: {name} | gatewarden | – | | | | {int(ns) / 1000:.2f} | | |")


JOBS = {"proxy": small, "proxy-tls": encrypted, "proxy-h2": multiplexed, "proxy-bodies": bodies, "proxy-memory": held, "proxy-stages": stages}

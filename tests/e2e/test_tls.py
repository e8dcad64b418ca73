"""TLS on the listeners, met by real clients: openssl, curl and Python's ssl."""
import contextlib
import http.client
import json
import os
import pathlib
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

from harness import Gateway, Skip, equal, main, read_answers, shared, test, wait_until
from front import Authority, thumbprint
from idp import Provider

FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="gatewarden-tls-"))
(FOLDER / "other").mkdir()
AUTHORITY, OTHER = Authority(FOLDER), Authority(FOLDER / "other")
LOCAL = AUTHORITY.certificate("local")
A = AUTHORITY.certificate("a", ["a.example", "also-a.example"])
WILD = AUTHORITY.certificate("wild", ["*.wild.example"])


def pair(files):
    return {"certificate": str(files[0]), "key": str(files[1])}


def secure(config, admin=False, files=LOCAL, **tls):
    """Puts TLS on the listener."""
    config["listen"]["http"] = {"address": config["listen"]["http"], "tls": {**pair(files), **tls}}
    if admin:
        config["listen"]["admin"] = {"address": config["listen"]["admin"], "tls": pair(files)}


def with_three_names(config):
    secure(config, admin=True, certificates=[pair(A), pair(WILD)], client_ca=str(AUTHORITY.file))


def gateway():
    return shared(change=with_three_names)


def client(version=None, alpn=None, certificate=None, ca=AUTHORITY):
    context = ssl.create_default_context(cafile=ca.file)
    if version:
        context.minimum_version = context.maximum_version = version
    if alpn:
        context.set_alpn_protocols(alpn)
    if certificate:
        context.load_cert_chain(*certificate)
    return context


def connect(g, context, name="localhost", session=None):
    plain = socket.create_connection(("127.0.0.1", g.http_port), timeout=20)
    try:
        return context.wrap_socket(plain, server_hostname=name, session=session)
    except BaseException:
        plain.close()
        raise


def ask(g, context, name="localhost", host=None, path="/me", headers=""):
    """One request. -> (status, what it was asked over)"""
    with connect(g, context, name) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: {host or name}\r\nConnection: close\r\n{headers}\r\n".encode())
        answers, _, raw = read_answers(s, 20)
        equal(len(answers), 1, raw)
        return answers[0]


def metric(g, line):
    for text in g.admin("/metrics").body.decode().splitlines():
        if text.startswith(line + " "):
            return int(text.rsplit(" ", 1)[1])
    return 0


def s_client(g, *words, text=b""):
    return subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{g.http_port}", "-CAfile", AUTHORITY.file,
                           *words], input=text, capture_output=True, timeout=60, check=False)


# Versions, protocols

@test
def test_60_old_versions_are_refused_and_new_ones_spoken():
    g = gateway()
    weak = ("-cipher", "ALL:@SECLEVEL=0")
    for flag, is_spoken in (("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
        done = s_client(g, flag, *weak, "-servername", "localhost", "-verify_return_error")
        equal(done.returncode == 0, is_spoken, (flag, done.stdout[-300:], done.stderr[-300:]))
    done = s_client(g, "-tls1_2", "-cipher", "AES128-SHA256:AES256-GCM-SHA384:@SECLEVEL=0")
    assert done.returncode != 0, "a cipher without forward secrecy"
    done = s_client(g, "-tls1_2", text=b"R\n")
    assert b"Compression: NONE" in done.stdout, done.stdout


@test
def test_only_tls_1_3_where_the_configuration_says_so():
    g = Gateway(lambda c: secure(c, minimum="1.3"))
    equal(ask(g, client(ssl.TLSVersion.TLSv1_3)).status, 401)
    with contextlib.suppress(ssl.SSLError, ConnectionError):
        connect(g, client(ssl.TLSVersion.TLSv1_2)).close()
        raise AssertionError("TLS 1.2 was spoken")
    g.check_end()


@test
def test_60_a_renegotiation_is_not_made():
    g = gateway()
    p = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{g.http_port}", "-tls1_2", "-CAfile", AUTHORITY.file],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    time.sleep(1)
    p.stdin.write(b"R\n")
    p.stdin.flush()
    time.sleep(1)
    out, _ = p.communicate(timeout=20)
    assert b"no renegotiation" in out or b"RENEGOTIATING" in out and b"error" in out.lower(), out[-500:]


@test
def test_the_protocol_is_agreed_on():
    g = gateway()
    for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"),
                            (["spdy/3", "http/1.1"], "http/1.1"), (None, None)):
        with connect(g, client(alpn=offered)) as s:
            equal(s.selected_alpn_protocol(), chosen, offered)
    try:
        connect(g, client(alpn=["imap"])).close()
    except ssl.SSLError as e:
        equal("NO_APPLICATION_PROTOCOL" in str(e).upper().replace(" ", "_"), True, e)
    else:
        raise AssertionError("a protocol that is not spoken was agreed on")


@test
def test_curl_speaks_both_kinds_of_http():
    if not shutil.which("curl"):
        raise Skip("no curl")
    g = gateway()
    token = g.token("ada")
    for flag, version in (("--http1.1", "1.1"), ("--http2", "2")):
        done = subprocess.run(["curl", "-sS", flag, "--cacert", AUTHORITY.file, "-H", f"Authorization: Bearer {token}",
                               "-w", "\n%{http_version} %{http_code}", f"https://localhost:{g.http_port}/api/books"],
                              capture_output=True, text=True, timeout=30, check=False)
        body, _, last = done.stdout.rpartition("\n")
        equal(last, f"{version} 200", done.stderr)
        assert len(json.loads(body)["value"]) > 0, body[:200]


# Names

@test
def test_the_name_asked_for_chooses_the_certificate():
    g = gateway()
    for name, is_served in (("localhost", True), ("a.example", True), ("also-a.example", True), ("A.EXAMPLE", True),
                            ("x.wild.example", True), ("wild.example", False), ("x.y.wild.example", False),
                            ("b.example", False)):
        try:
            equal(ask(g, client(), name).status, 401, name)
            equal(is_served, True, name)
        except ssl.SSLCertVerificationError:
            equal(is_served, False, name)
    # Whoever asks for no name, or for one that nothing fits, gets the first.
    for name in (None, "nobody.example"):
        context = client()
        context.check_hostname = False
        with connect(g, context, name) as s:
            equal(s.getpeercert()["subject"][0][0][1], "local", name)


@test
def test_60_a_request_for_another_name_is_misdirected():
    g = gateway()
    for name, host, status in (("a.example", "a.example", 401), ("a.example", "also-a.example", 401),
                               ("a.example", "localhost", 421), ("a.example", "x.wild.example", 421),
                               ("a.example", f"a.example:{g.http_port}", 401), ("a.example", "127.0.0.1", 401),
                               ("localhost", "a.example", 421), ("x.wild.example", "y.wild.example", 401)):
        equal(ask(g, client(), name, host).status, status, (name, host))
    equal(ask(g, client(), "a.example", "localhost", "/healthz").status in (404, 421), True, "also where nobody is asked who it is")


# Certificates of callers

def with_bound_tokens(provider):
    def change(config):
        secure(config, client_ca=str(AUTHORITY.file), client_certificate="ask")
        config["issuers"]["bound"] = {"type": "oidc", "issuer": provider.issuer, "audience": "api://books", "bindings": ["mtls"]}
        config["roles"]["reader"]["granted_by"].append("bound:reader")
    return change


@test
def test_a_token_bound_to_a_certificate_needs_it_in_the_handshake():
    provider = Provider()
    g = Gateway(with_bound_tokens(provider))
    mine, other = AUTHORITY.certificate("mine"), AUTHORITY.certificate("another")
    token = provider.token(jti=secrets.token_hex(8), cnf={"x5t#S256": thumbprint(mine[0])})
    g.secrets.add(token.rsplit(".", 1)[-1])
    bearer = f"Authorization: Bearer {token}\r\n"
    equal(ask(g, client(certificate=mine), headers=bearer).status, 200)
    equal(ask(g, client(ssl.TLSVersion.TLSv1_2, certificate=mine), headers=bearer).status, 200)
    for certificate in (None, other):
        answer = ask(g, client(certificate=certificate), headers=bearer)
        equal((answer.status, answer.error()["reason"]), (401, "binding"), certificate)
    # What a caller writes into a field is not what it has the key of.
    text = mine[0].read_text().replace("\n", "%0A").replace(" ", "%20")
    equal(ask(g, client(certificate=other), headers=f"{bearer}Client-Cert: {text}\r\n").status, 401)
    equal(ask(g, client(), headers=f"{bearer}Client-Cert: {text}\r\n").status, 401)
    if shutil.which("curl"):  # HTTP/2: one connection, many requests, the same certificate
        url = f"https://localhost:{g.http_port}/me"
        for certificate, status in ((mine, "200 200"), (other, "401 401")):
            done = subprocess.run(["curl", "-sS", "--http2", "--cacert", AUTHORITY.file, "--cert", certificate[0], "--key", certificate[1],
                                   "-H", bearer.strip(), "-o", "/dev/null", "-o", "/dev/null", "-w", "%{http_code} ", url, url],
                                  capture_output=True, text=True, timeout=30, check=False)
            equal(done.stdout.strip(), status, done.stderr)
    # On a resumed connection it is the same as when the handshake was made.
    context = client(ssl.TLSVersion.TLSv1_2, certificate=mine)
    with connect(g, context) as s:
        session = s.session
    with connect(g, context, session=session) as s:
        equal(s.session_reused, True)
        s.sendall(f"GET /me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{bearer}\r\n".encode())
        equal(read_answers(s, 20)[0][0].status, 200)
    g.check_end()
    provider.stop()


@test
def test_a_certificate_of_a_stranger_is_refused():
    g = gateway()
    for certificate in (OTHER.certificate("stranger"), AUTHORITY.certificate("late", end=-1)):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            try:
                answer = ask(g, client(version, certificate=certificate))
                raise AssertionError(f"{certificate[0]} was taken: {answer}")
            except (ssl.SSLError, ConnectionError):
                pass
    equal(ask(g, client(certificate=AUTHORITY.certificate("good"))).status, 401, "and one of ours is not")


@test
def test_where_certificates_are_required_nobody_comes_without():
    g = Gateway(lambda c: secure(c, client_ca=str(AUTHORITY.file), client_certificate="require"))
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        equal(ask(g, client(version, certificate=AUTHORITY.certificate("caller"))).status, 401)
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            raise AssertionError(ask(g, client(version)))
    g.check_end()


# Resumption

@test
def test_a_session_is_resumed_by_any_worker_and_after_all_have_ended():
    def change(config):
        secure(config)
        config["workers"] = 4
    g = Gateway(change)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = client(version)
        sessions = [first_session(g, context)]
        for _ in range(20):
            with connect(g, context, session=sessions[0]) as s:
                equal(s.session_reused, True, version)
        wait_until(lambda: metric(g, "gatewarden_tls_resumptions_total") >= 20, 10, "all of them counted")
        for pid in g.children("worker"):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(g.children("worker")) == 4 and g.is_ready(), 15, "new workers")

        def resumed():
            try:
                with connect(g, context, session=sessions[0]) as s:
                    return s.session_reused
            except OSError:
                return False
        wait_until(resumed, 15, "the session to be resumed by a new worker")
    g.check_end()


def first_session(g, context):
    """TLS 1.3 gives its ticket behind the handshake: a request is waited for."""
    with connect(g, context) as s:
        s.sendall(b"GET /me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        read_answers(s, 20)
        assert s.session is not None
        return s.session


# Renewal

def served(g, name="localhost"):
    """The serial number of the certificate that is shown."""
    with connect(g, client(), name) as s:
        return int(s.getpeercert()["serialNumber"], 16)


def replace(folder, files):
    """As certbot does: another file of the same name."""
    for made, name in zip(files, ("c.pem", "k.pem")):
        new = folder / (name + ".new")
        shutil.copy(made, new)
        new.rename(folder / name)


def in_its_folder(config):
    secure(config, files=("c.pem", "k.pem"))


def with_its_own_files():
    """All of its workers have read them."""
    g = Gateway(in_its_folder, before=lambda folder: replace(folder, AUTHORITY.certificate("first")))
    wait_until(lambda: any("supervisor ready" in line for line in g.log), 15, "all workers")
    return g


class Load:
    """Requests without a pause, on connections that stay and on new ones. What failed is kept."""

    def __init__(self, g):
        self.g, self.failed, self.count, self.is_over = g, [], 0, False
        self.threads = [threading.Thread(target=self.run, args=(stays,)) for stays in (True, True, False, False)]
        for t in self.threads:
            t.start()

    def run(self, stays):
        connection = None
        while not self.is_over:
            try:
                connection = connection or http.client.HTTPSConnection("127.0.0.1", self.g.http_port, timeout=30, context=client())
                connection.request("GET", "/me")
                answer = connection.getresponse()
                answer.read()
                if answer.status != 401:
                    self.failed.append(answer.status)
                self.count += 1
                if not stays:
                    connection.close()
                    connection = None
            except (OSError, http.client.HTTPException) as e:
                self.failed.append(repr(e))
                connection = None
            time.sleep(0.005)

    def stop(self):
        self.is_over = True
        for t in self.threads:
            t.join()


@test
def test_a_certificate_that_is_renewed_on_the_disk_comes_into_use_and_no_request_fails():
    g = with_its_own_files()
    before = served(g)
    load = Load(g)
    try:
        for _ in range(2):
            replace(g.folder, AUTHORITY.certificate("next"))
            wait_until(lambda: served(g) != before, 20, "the new certificate")
            before = served(g)
            counted = load.count
            wait_until(lambda: load.count > counted + 50, 20, "more requests")
            wait_until(lambda: len(g.children("worker")) == 2, 20, "the old workers to have ended")
    finally:
        load.stop()
    equal(load.failed, [], f"of {load.count}")
    equal(len([x for x in g.log if "a file of a certificate has changed" in x]), 2, g.log)
    g.check_end()


@test
def test_a_certificate_that_does_not_fit_changes_nothing_and_is_said_once():
    g = with_its_own_files()
    before = served(g)
    good = AUTHORITY.certificate("good-later")
    for wrong in ((good[0], LOCAL[1]), (LOCAL[1], good[1])):
        said = len([x for x in g.log if "is not used" in x])
        replace(g.folder, wrong)
        wait_until(lambda: len([x for x in g.log if "is not used" in x]) == said + 1, 20, "the refusal")
        assert any("a certificate cannot be used" in x and "file=" in x for x in g.log), g.log[-5:]
        if wrong[0] == good[0]:
            time.sleep(7)
        equal(len([x for x in g.log if "is not used" in x]), said + 1, "once")
        equal(served(g), before)
    replace(g.folder, good)
    wait_until(lambda: served(g) != before, 20, "the good certificate")
    g.check_end()


@test
def test_a_hangup_reads_certificates_at_once():
    g = with_its_own_files()
    before = served(g)
    with connect(g, client()) as idle:
        replace(g.folder, AUTHORITY.certificate("by-signal"))
        g.signal(signal.SIGHUP)
        wait_until(lambda: served(g) != before, 20, "the new certificate")
        # A connection that is silent is closed with its worker, as an end and not as a cut.
        idle.settimeout(20)
        equal(idle.recv(1), b"")
    g.check_end()


@test
def test_tls_can_be_turned_on_and_off_by_a_reload():
    g = Gateway()
    plain = http.client.HTTPConnection("127.0.0.1", g.http_port, timeout=20)
    plain.request("GET", "/me")
    equal(plain.getresponse().read() != b"", True)
    was = g.config["listen"]["http"]
    secure(g.config)
    reloaded(g)
    # A connection in the clear that went on to the new workers is told; it is never taken for TLS.
    plain.request("GET", "/me")
    answer = plain.getresponse()
    equal((answer.status, b"TLS is spoken here" in answer.read()), (400, True))
    equal(ask(g, client()).status, 401)
    with connect(g, client()) as s:
        g.config["listen"]["http"] = was
        reloaded(g)
        s.settimeout(20)
        equal(s.recv(1), b"", "the old connection ends")
    equal(g.get("/me").status, 401)
    g.check_end()


def reloaded(g):
    g.write_config()
    said = sum("configuration is in use" in x for x in g.log)
    g.signal(signal.SIGHUP)
    wait_until(lambda: sum("configuration is in use" in x for x in g.log) > said, 15, "the reload")


# The operator

@test
def test_check_names_the_file_that_does_not_fit():
    key = FOLDER / "locked.key"
    subprocess.run(["openssl", "ec", "-in", LOCAL[1], "-out", key, "-aes128", "-passout", "pass:x"], check=True, capture_output=True)
    late = AUTHORITY.certificate("ended", end=-1)
    cases = ((FOLDER / "nowhere.pem", LOCAL[1], "nowhere.pem: the file cannot be read"),
             (LOCAL[0], FOLDER / "nowhere.key", "nowhere.key: the file cannot be read"),
             (LOCAL[0], A[1], "a.key: the key does not fit its certificate"),
             (LOCAL[1], LOCAL[1], "local.key: it is not in the form PEM, or not of this kind"),
             (LOCAL[0], key, "locked.key: the key is encrypted; it must not be"),
             (late[0], late[1], "ended.pem: the certificate has ended"))
    for certificate, key, words in cases:
        g = Gateway(lambda c, files=(certificate, key): secure(c, files=files), start=False)
        done = g.cli("check")
        equal((done.returncode, words in done.stderr), (1, True), (words, done.stderr))
        assert "gatewarden.yaml:" in done.stderr, done.stderr
        g.discard()


@test
def test_check_warns_of_a_certificate_that_ends_soon():
    for end, is_warned in ((20, True), (400, False)):
        g = Gateway(lambda c, end=end: secure(c, files=AUTHORITY.certificate("soon", end=end)), start=False)
        done = g.cli("check")
        equal((done.returncode, "soon.pem: the certificate ends in" in done.stderr), (0, is_warned), done.stderr)
        g.discard()


@test
def test_it_does_not_start_without_its_key_and_says_which():
    g = Gateway(lambda c: secure(c, files=(LOCAL[0], FOLDER / "nowhere.key")), start=False)
    g.launch()
    equal(g.process.wait(20), 2)
    wait_until(lambda: any("nowhere.key" in line for line in g.log), 5, "the file in the log")
    g.discard()


@test
def test_the_admin_listener_speaks_tls_too():
    g = gateway()
    answer = g.admin("/readyz")
    equal((answer.status, g.admin_port in g.secure_ports), (200, True))
    ends = metric(g, "gatewarden_certificate_expiry_time_seconds")
    assert time.time() < ends < time.time() + 86500, ends
    assert metric(g, "gatewarden_tls_handshakes_total") > 0
    connection = http.client.HTTPConnection("127.0.0.1", g.admin_port, timeout=10)
    connection.request("GET", "/readyz")
    equal(connection.getresponse().status, 400, "in the clear")
    connection.close()


# Peers that do not speak TLS

@test
def test_a_request_in_the_clear_is_told_to_use_tls():
    g = gateway()
    answers, closed, raw = g.raw(b"GET /me HTTP/1.1\r\nHost: localhost\r\n\r\n")
    equal((len(answers), closed), (1, True), raw)
    equal((answers[0].status, answers[0].error()["message"]), (400, "TLS is spoken here: ask with https"))


@test
def test_a_handshake_that_does_not_go_on_is_ended():
    g = Gateway(lambda c: (secure(c), c.update(limits={"head_timeout": "1s"})))
    hello = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        client().wrap_bio(*hello, server_hostname="localhost").do_handshake()
    first = hello[1].read()
    for sent in (b"", first[:1], first[:-1], first):
        with g.connect() as s:
            s.sendall(sent)
            s.settimeout(20)
            with contextlib.suppress(ConnectionError):
                while s.recv(65536):
                    pass
    # Drop by drop is no faster.
    with g.connect() as s:
        with contextlib.suppress(ConnectionError):
            for byte in first:
                s.sendall(bytes([byte]))
                time.sleep(0.05)
            raise AssertionError("it could go on for ever")
    equal(ask(g, client()).status, 401)
    g.check_end()


@test
def test_a_hundred_garbage_handshakes_harm_nobody():
    g = gateway()
    workers = sorted(g.children("worker"))
    for i in range(100):
        with g.connect() as s:
            with contextlib.suppress(ConnectionError):
                head = b"\x16\x03\x01" if i % 2 else b""
                s.sendall(head + secrets.token_bytes(1 + i * 37 % 3000))
                if i % 3 == 0:
                    s.shutdown(socket.SHUT_WR)
    equal(ask(g, client()).status, 401)
    equal(sorted(g.children("worker")), workers, "workers")
    wait_until(lambda: metric(g, "gatewarden_tls_failures_total") >= 100, 10, "all of them counted")


@test
def test_large_bodies_go_both_ways():
    g = gateway()
    token = g.token("grace")
    with connect(g, client(alpn=["http/1.1"])) as s:
        body = json.dumps({"note": "x" * 700000}).encode()
        s.sendall(f"POST /api/books HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
                  f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        answers, _, raw = read_answers(s, 20)
        equal(answers[0].status in (400, 422), True, raw[:300])
    for size in (1, 100):
        equal(len(g.get(f"/api/books?$first={size}", "grace").json()["value"]), min(size, g.sql("select count(*) from books")[0][0]))


if __name__ == "__main__":
    try:
        main()
    finally:
        shutil.rmtree(FOLDER, ignore_errors=True)

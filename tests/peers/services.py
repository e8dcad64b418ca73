"""Services that real programs serve, for tests: nginx and hypercorn, each on a port of loopback and in a folder of its
own. `stop()` ends one."""
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PYTHON = ROOT / "tests/.venv/bin/python"

NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{ worker_connections 512; }}
http {{
	log_format connections '$connection $connection_requests $server_protocol $request_uri';
	access_log {folder}/access.log connections;
	client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c; uwsgi_temp_path {folder}/d;
	scgi_temp_path {folder}/e;
	server {{
		listen 127.0.0.1:{port} {how};
		{tls}
		location / {{ return 200 "$server_protocol $ssl_client_verify $ssl_server_name"; }}
	}}
}}
"""

# An ASGI application: what it was asked over, and what it was sent.
APPLICATION = '''
import asyncio


async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    if scope["path"].endswith("/slow"):
        await asyncio.sleep(1)
    size = int(scope["path"].rsplit("/", 1)[1]) if "/size/" in scope["path"] else None
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-version", scope["http_version"].encode())]})
    left = size or 0
    while left > 0:
        await send({"type": "http.response.body", "body": b"x" * min(left, 65536), "more_body": True})
        left -= min(left, 65536)
    await send({"type": "http.response.body", "body": b"" if size else b"%d %s" % (len(body), body[:40])})
'''


class Program:
    def __init__(self, port, command):
        self.port = port
        with open(self.folder / "output", "wb") as output:
            self.process = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output,
                                            stderr=subprocess.STDOUT)
        end = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                if time.monotonic() > end or self.process.poll() is not None:
                    raise AssertionError("it does not start: " + (self.folder / "output").read_text()[-500:]) from None
                time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
        shutil.rmtree(self.folder, ignore_errors=True)


class Nginx(Program):
    """`how`: what stands behind the port, "ssl http2" say; `tls`: directives."""

    def __init__(self, port, how="", tls=""):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gatewarden-nginx-"))
        self.folder.chmod(0o755)
        (self.folder / "nginx.conf").write_text(NGINX.format(folder=self.folder, port=port, how=how, tls=tls))
        program = shutil.which("nginx") or "/usr/sbin/nginx"
        super().__init__(port, [program, "-p", self.folder, "-e", self.folder / "error.log", "-c", self.folder / "nginx.conf"])

    @staticmethod
    def is_there():
        return bool(shutil.which("nginx")) or pathlib.Path("/usr/sbin/nginx").exists()

    def lines(self):
        """[connection, request on it, protocol, target] of each request that was answered."""
        return [line.split(" ", 3) for line in (self.folder / "access.log").read_text().splitlines()]


class Hypercorn(Program):
    def __init__(self, port, *words):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gatewarden-hypercorn-"))
        (self.folder / "service.py").write_text(APPLICATION)
        super().__init__(port, [PYTHON, "-m", "hypercorn", "--bind", f"127.0.0.1:{port}", *words, "service:app"])

    @staticmethod
    def is_there():
        return PYTHON.exists()

"""examples/fastapi-books on uvicorn, and its own gatewarden.yaml before it with other ports."""
import atexit
import os
import subprocess
import sys
import time
import urllib.request

import harness

EXAMPLE = harness.ROOT / "examples/fastapi-books"
PACKAGE = harness.ROOT / "integrations/fastapi/src"


class Application:
    def __init__(self, gate_url, audience="books", server="uvicorn", environment=None):
        self.port = harness.free_port()
        self.server = server
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = dict(os.environ, GATEWARDEN_URL=gate_url, GATEWARDEN_AUDIENCE=audience,
                                PYTHONPATH=str(PACKAGE), PYTHONDONTWRITEBYTECODE="1", **(environment or {}))
        self.process = None
        atexit.register(self.stop)

    def start(self):
        words = {
            "uvicorn": ["--port", str(self.port), "--log-level", "warning", "--timeout-graceful-shutdown", "1"],
            "hypercorn": ["--bind", f"127.0.0.1:{self.port}", "--log-level", "warning", "--graceful-timeout", "1"],
        }[self.server]
        self.process = subprocess.Popen([sys.executable, "-m", self.server, *words, "app:app"], cwd=EXAMPLE,
                                        env=self.environment, stdin=subprocess.DEVNULL)
        harness.wait_until(self.is_up, 30, "the application")
        return self

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"uvicorn ended with {self.process.returncode}")
        try:
            with urllib.request.urlopen(self.url + "/healthz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)


def configure(gate, application, change=None):
    """The example's configuration on the ports of here. `change(text)` edits it."""
    text = (EXAMPLE / "gatewarden.yaml").read_text()
    for before, after in (("127.0.0.1:8080", f"127.0.0.1:{gate.http_port}"),
                          ("127.0.0.1:9090", f"127.0.0.1:{gate.admin_port}"),
                          ("http://127.0.0.1:8000", application.url)):
        harness.equal(text.count(before), 1, before)
        text = text.replace(before, after)
    gate.write_config(change(text) if change else text)


def gate_before(change=None, server="uvicorn"):
    """The application and the gate, both up. -> (gate, application)"""
    gate = harness.Gateway(start=False)
    application = Application(gate.url, server=server).start()
    configure(gate, application, change)
    try:
        gate.start()
        harness.wait_until(lambda: gate.get("/hello").status == 200, 15, "the gate to find the application")
    except BaseException:
        application.stop()
        raise
    return gate, application


def slowly(condition, seconds):
    """True when `condition` held all the time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not condition():
            return False
        time.sleep(0.05)
    return True

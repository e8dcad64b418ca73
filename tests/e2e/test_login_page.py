"""The login page in a real browser: see browser/login.mjs, whose lines these are."""
import http.server
import os
import pathlib
import shutil
import subprocess
import sys
import threading

from harness import ROOT, Gateway, run_one

chromium = shutil.which("chromium")
if chromium is None:
    print("skip the login page in a browser # no chromium")
    sys.exit(0)


class Client(http.server.BaseHTTPRequestHandler):
    """Where people come back to: another origin."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><link rel=icon href='data:,'><title>back</title>")

    def log_message(self, *args):
        pass


client = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Client)
threading.Thread(target=client.serve_forever, daemon=True).start()
callback = f"http://127.0.0.1:{client.server_port}/cb"
gateway = Gateway()
gateway.add_client("shop", "--public", "--redirect-uri", callback, "--grant", "code")
done = subprocess.run(["node", pathlib.Path(__file__).parent / "browser/login.mjs", gateway.url, chromium, callback], cwd=ROOT / "tests", text=True,
                      env=dict(os.environ, LOGIN_USER="ada", LOGIN_PASSWORD=gateway.passwords["ada"]), capture_output=True, timeout=180, check=False)
print(done.stdout, end="")
if done.returncode != 0 and "not ok" not in done.stdout:
    print("not ok the login page in a browser")
    print("# " + done.stderr[-1500:].replace("\n", "\n# "))
good = run_one(gateway.check_end)
sys.exit(0 if good and done.returncode == 0 else 1)

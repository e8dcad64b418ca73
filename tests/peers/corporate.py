"""provider.mjs as a process: the certified provider, started, stopped and started again with other keys."""
import json
import pathlib
import subprocess
import threading

from cryptography.hazmat.primitives.asymmetric import rsa
from idp import free_port, number

HERE = pathlib.Path(__file__).resolve().parent


def private_jwk(kid):
    """An RS256 key with all of its members (RFC 7518 section 6.3.2)."""
    key = rsa.generate_private_key(65537, 2048).private_numbers()
    public = key.public_numbers
    members = {"n": public.n, "e": public.e, "d": key.d, "p": key.p, "q": key.q, "dp": key.dmp1, "dq": key.dmq1, "qi": key.iqmp}
    return {"kty": "RSA", "kid": kid, "alg": "RS256", "use": "sig", **{k: number(v) for k, v in members.items()}}


class Corporate:
    """`clients` as oidc-provider takes them; `roles`: {account or client: [roles]}."""

    def __init__(self, clients, roles, keys=None, **more):
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.given = {"port": self.port, "clients": clients, "roles": roles, "keys": keys or [private_jwk("corporate-1")], **more}
        self.process = None
        self.log = []
        self.start()

    def start(self, keys=None):
        self.given["keys"] = keys or self.given["keys"]
        self.process = subprocess.Popen(["node", HERE / "provider.mjs"], cwd=HERE.parent, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.process.stdin.write(json.dumps(self.given))
        self.process.stdin.close()
        threading.Thread(target=self.collect, args=(self.process.stderr,), daemon=True).start()
        if self.process.stdout.readline().strip() != "ready":
            raise AssertionError(f"the provider does not start: {' '.join(self.log)[-600:]}")

    def collect(self, stream):
        for line in stream:
            self.log.append(line.strip())

    def stop(self):
        self.process.terminate()
        self.process.wait(10)

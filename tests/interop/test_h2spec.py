#!/usr/bin/env python3
"""h2spec, the conformance test of HTTP/2 (RFC 7540 and 7541): every group, strict, with and without TLS."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import ROOT, Gateway, Skip, equal, main, test  # noqa: E402
from front import Authority  # noqa: E402

# Without TLS bytes that are no preface of HTTP/2 are HTTP/1.1, and its answer says what is wrong with them; h2spec
# wants silence. With TLS, where HTTP/2 was agreed on, it gets it.
PLAIN_MAY_FAIL = {"Sends invalid connection preface"}
COUNT = 146


def h2spec():
    """Built from what go.sum pins, once."""
    folder = ROOT / "tests/tools"
    program = ROOT / "build/tools/h2spec"
    if program.exists() and program.stat().st_mtime > (folder / "go.sum").stat().st_mtime:
        return program
    go = shutil.which("go") or "/usr/local/go/bin/go"
    if not pathlib.Path(go).exists():
        raise Skip("there is no go to build h2spec with")
    program.parent.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([go, "build", "-o", program, "github.com/summerwind/h2spec/cmd/h2spec"], cwd=folder, capture_output=True,
                          text=True, check=False, timeout=300, env=dict(os.environ, GOFLAGS="-mod=readonly -buildvcs=false"))
    if done.returncode != 0:
        raise Skip("h2spec could not be fetched and built: " + done.stderr.strip().splitlines()[-1][:200])
    return program


def judge(gateway, *words):
    """-> names of the tests that failed."""
    done = subprocess.run([h2spec(), "-h", "127.0.0.1", "-p", str(gateway.http_port), "-P", "/openapi.json", "-o", "5", "-S", *words],
                          capture_output=True, text=True, check=False, timeout=300)
    count = re.search(r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", done.stdout)
    assert count, done.stdout[-2000:] + done.stderr
    total, passed, skipped, failed = map(int, count.groups())
    equal((total, skipped), (COUNT, 0))
    names = set(re.findall(r"× \d+: (.*)", done.stdout.partition("Failures:")[2]))
    equal(passed + len(names), total, done.stdout[-3000:])
    equal(failed, len(names))
    return names


@test
def test_h2spec_over_plain_text():
    h2spec()
    assert judge(Gateway()) <= PLAIN_MAY_FAIL


@test
def test_h2spec_over_tls():
    h2spec()
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = Authority(pathlib.Path(folder)).certificate("local")

        def secure(config):
            config["listen"]["http"] = {"address": config["listen"]["http"], "tls": {"certificate": str(certificate), "key": str(key)}}
        equal(judge(Gateway(change=secure), "-t", "-k"), set())


if __name__ == "__main__":
    main()

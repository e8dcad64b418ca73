"""The page /docs in a real browser: see browser/docs.mjs, whose lines these are."""
import os
import pathlib
import shutil
import subprocess
import sys

from harness import ROOT, Gateway, run_one

chromium = shutil.which("chromium")
if chromium is None:
    print("skip the docs page in a browser # no chromium")
    sys.exit(0)

gateway = Gateway()
gateway.add_client("docs", "--public", "--redirect-uri", gateway.url + "/docs/oauth2-redirect.html", "--grant", "code")
done = subprocess.run(["node", pathlib.Path(__file__).parent / "browser/docs.mjs", gateway.url, chromium], cwd=ROOT / "tests", text=True,
                      env=dict(os.environ, DOCS_USER="ada", DOCS_PASSWORD=gateway.passwords["ada"]), capture_output=True, timeout=180, check=False)
print(done.stdout, end="")
if done.returncode != 0 and "not ok" not in done.stdout:
    print("not ok the docs page in a browser")
    print("# " + done.stderr[-1500:].replace("\n", "\n# "))
good = run_one(gateway.check_end)
sys.exit(0 if good and done.returncode == 0 else 1)

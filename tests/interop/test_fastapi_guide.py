"""docs/fastapi.md, command by command: its files are written, its commands run in one shell, its outputs compared."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import PLAIN, ROOT, equal, free_port, main, test  # noqa: E402

GUIDE = ROOT / "docs/fastapi.md"
INSTALL = "python3 -m venv"  # the packages are those of the tests: nothing is downloaded here
MARK = "-- end of a command --"


def blocks():
    return re.findall(r"^```(sh|python)\n(.*?)^```", GUIDE.read_text(), re.M | re.S)


def steps(text):
    """Commands with the output that the comments below them give: [(commands, lines)]."""
    commands, expected = [], []
    for line in text.splitlines():
        if line.startswith("# "):
            expected.append(line[2:])
            continue
        if expected:
            yield commands, expected
            commands, expected = [], []
        commands.append(line)
    yield commands, expected


def matches(expected, got):
    pattern = ".*".join(re.escape(part) for part in expected.split("…"))
    return re.fullmatch(pattern, got) is not None


def shell(folder):
    bin_folder = folder / ".venv/bin"
    bin_folder.mkdir(parents=True)
    for name, words in (("python", ""), ("uvicorn", "-m uvicorn")):
        (bin_folder / name).write_text(f"#!/bin/sh\nexec {sys.executable} {words} \"$@\"\n")
        (bin_folder / name).chmod(0o755)
    environment = dict(os.environ, PATH=f"{PLAIN.parent}:{os.environ['PATH']}", PYTHONDONTWRITEBYTECODE="1",
                       PYTHONPATH=str(ROOT / "integrations/fastapi/src"), PYTEST_ADDOPTS="-p no:cacheprovider",
                       GATEWARDEN=str(ROOT))
    return subprocess.Popen(["bash", "--norc"], cwd=folder, env=environment, text=True, start_new_session=True,
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def say(bash, commands):
    bash.stdin.write("\n".join(commands) + f"\necho '{MARK}'\n")
    bash.stdin.flush()
    lines = []
    for line in bash.stdout:
        if line.rstrip("\n").endswith(MARK):
            last = line.removesuffix(MARK + "\n")  # an answer without a line's end
            return [*lines, last] if last else lines
        lines.append(line.rstrip("\n"))
    raise AssertionError(f"the shell ended: {lines}")


@test
def test_the_guide_works_as_it_stands():
    ports = {port: str(free_port()) for port in ("8000", "8080", "9090")}
    count = 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        bash = shell(folder)
        try:
            for kind, text in blocks():
                if INSTALL in text:
                    continue
                for port, other in ports.items():
                    text = re.sub(rf"(127\.0\.0\.1:|--port ){port}", rf"\g<1>{other}", text)
                if kind == "python":
                    file, rest = text.split("\n", 1)
                    (folder / file.removeprefix("# ")).write_text(rest)
                    continue
                for commands, expected in steps(text):
                    got = say(bash, commands)
                    log = (folder / "gate.log").read_text() if (folder / "gate.log").exists() else ""
                    if expected:
                        equal((len(got), got), (len(expected), got), log)
                        for one, other in zip(expected, got, strict=True):
                            assert matches(one, other), (commands, one, other, log)
                        count += 1
        finally:
            bash.stdin.close()
            subprocess.run(["bash", "-c", f"kill -- -{bash.pid}"], check=False, stderr=subprocess.DEVNULL)
            bash.wait(20)
    assert count >= 12, count


if __name__ == "__main__":
    main()

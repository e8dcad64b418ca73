"""integrations/fastapi by its own tests and checkers, and as what pip makes of it."""
import ast
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import zipfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

from harness import ROOT, equal, main, test  # noqa: E402

PACKAGE = ROOT / "integrations/fastapi"
EXAMPLE = ROOT / "examples/fastapi-books"
ENVIRONMENT = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")


def run(*command, cwd=PACKAGE):
    return subprocess.run([sys.executable, "-m", *command], cwd=cwd, env=ENVIRONMENT, text=True,
                          capture_output=True, timeout=300, check=False)


class Lines:
    """For pytest, which loads this file as a plugin: a line for each of its tests."""

    @staticmethod
    def pytest_runtest_logreport(report):
        if report.when == "call" or report.outcome != "passed":
            word = {"passed": "ok", "failed": "not ok", "skipped": "skip"}[report.outcome]
            name = report.nodeid.removeprefix("tests/").replace("\n", " ")
            print(f"{word} {name}" + (" # by its own mark" if word == "skip" else ""), file=sys.__stdout__, flush=True)
            if report.failed:
                for line in str(report.longrepr).splitlines()[-12:]:
                    print(f"# {line[:400]}", file=sys.__stdout__, flush=True)


def own_tests():
    """Each is counted as one of ours."""
    import pytest

    os.chdir(PACKAGE)
    sys.dont_write_bytecode = True
    return pytest.main(["-p", "no:cacheprovider", "-p", "no:terminal", "tests"], [Lines()]) == 0


@test
def test_mypy_finds_nothing_in_strict_mode():
    with tempfile.TemporaryDirectory() as cache:
        done = run("mypy", "--strict", "--cache-dir", cache)
    equal(done.returncode, 0, done.stdout + done.stderr)


@test
def test_mypy_finds_nothing_in_the_example():
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", cache, "app.py"], cwd=EXAMPLE,
                              env=dict(ENVIRONMENT, MYPYPATH=str(PACKAGE / "src")), text=True, capture_output=True,
                              timeout=300, check=False)
    equal(done.returncode, 0, done.stdout + done.stderr)


@test
def test_ruff_finds_nothing():
    for words in (["check"], ["format", "--check"]):
        done = run("ruff", *words, "--no-cache", "--config", "pyproject.toml", ".", EXAMPLE)
        equal(done.returncode, 0, done.stdout + done.stderr)


@test
def test_pip_installs_it_with_its_types():
    with tempfile.TemporaryDirectory() as folder:
        done = run("pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", folder, ".")
        equal(done.returncode, 0, done.stdout + done.stderr)
        wheel, = pathlib.Path(folder).glob("gatewarden_fastapi-*-py3-none-any.whl")
        names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info" not in name}
        expected = {f"gatewarden_fastapi/{path.name}" for path in (PACKAGE / "src/gatewarden_fastapi").iterdir()
                    if path.is_file()}
        equal(names, expected)
        assert "gatewarden_fastapi/py.typed" in names
        # A program that uses it is checked by the types in it.
        program = pathlib.Path(folder) / "program.py"
        program.write_text("from gatewarden_fastapi import Principal, require\n"
                           "def f(who: Principal) -> int:\n    return who.subject\n")
        (pathlib.Path(folder) / "installed").mkdir()
        zipfile.ZipFile(wheel).extractall(pathlib.Path(folder) / "installed")
        done = subprocess.run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", folder, program], text=True,
                              capture_output=True, cwd=folder, timeout=300, check=False,
                              env=dict(ENVIRONMENT, MYPYPATH=str(pathlib.Path(folder) / "installed")))
        assert 'got "str", expected "int"' in done.stdout, done.stdout + done.stderr
        equal(done.stdout.count("error:"), 1, done.stdout)


@test
def test_it_depends_on_fastapi_and_pyjwt_alone():
    text = (PACKAGE / "pyproject.toml").read_text()
    names = re.findall(r'"([\w.-]+)', re.search(r"^dependencies = (\[.*?\]$)", text, re.M | re.S)[1])
    equal(sorted(names), ["PyJWT", "fastapi"])
    used = {module.split(".")[0] for path in (PACKAGE / "src").rglob("*.py") for module in imports(path)}
    # What comes with those two is theirs: Starlette and pydantic are FastAPI's, cryptography is PyJWT's [crypto].
    equal(used - set(sys.stdlib_module_names), {"fastapi", "starlette", "pydantic", "jwt", "cryptography"})


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module



@test
def test_the_readme_runs_as_it_stands():
    blocks = re.findall(r"```python\n# (\w+\.py)\n(.*?)```", (PACKAGE / "README.md").read_text(), re.S)
    equal([name for name, _ in blocks], ["app.py", "test_app.py"])
    with tempfile.TemporaryDirectory() as folder:
        for name, text in blocks:
            (pathlib.Path(folder) / name).write_text(text)
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder], text=True,
                              capture_output=True, cwd=folder, timeout=120, check=False,
                              env=dict(ENVIRONMENT, PYTHONPATH=f"{PACKAGE / 'src'}:{folder}"))
        assert done.returncode == 0 and "3 passed" in done.stdout, done.stdout + done.stderr


if not own_tests():
    print("# pytest was not content", flush=True)
main()

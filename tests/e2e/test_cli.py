"""The command line: help from the table, exit statuses, every configuration error at once with its place."""
import json
import subprocess

from harness import BINARY, ROOT, Gateway, environment, equal, main, shared, test

COMMANDS = ("run", "check", "explain", "token", "user", "client", "revoke", "audit", "version")


def run(*words, text=None):
    return subprocess.run([BINARY, *map(str, words)], input=text, text=True, capture_output=True, env=environment(leaks=True), timeout=60, check=False)


@test
def test_help_names_every_command():
    for words in (("help",), ("--help",)):
        done = run(*words)
        equal(done.returncode, 0, (words, done.stderr))
        for name in COMMANDS:
            assert name in done.stdout, name


@test
def test_wrong_usage_is_2():
    for words in ((), ("nonsense",), ("run", "--nonsense"), ("user",), ("user", "add"), ("audit",), ("audit", "nonsense"), ("token",), ("explain",)):
        done = run(*words)
        equal(done.returncode, 2, (words, done.stdout, done.stderr))
        assert done.stderr, words


@test
def test_what_cannot_be_printed_is_2_and_no_file_is_printed_into():
    """Standard descriptors that are closed, or full."""
    g = shared()
    commands = [("check",), ("explain", "--role", "reader", "GET", "/api/books"), ("user", "list"), ("client", "list"),
                ("client", "add", "unseen", "--grant", "client_credentials", "--role", "reader"), ("audit", "query"), ("version",)]
    for words in commands:
        config = () if words == ("version",) else ("-c", str(g.file))
        for end, expected in (("<&-", 0), (">/dev/full", 2), (">&-", 2), ("<&- >&- 2>&-", 2)):
            done = subprocess.run(["sh", "-c", f'"$@" {end}', "sh", BINARY, *words, *config], capture_output=True, text=True,
                                  env=environment(leaks=True), timeout=60, check=False)
            if words[:2] == ("client", "add"):
                g.cli("client", "remove", "unseen")
            equal(done.returncode, expected, (words, end, done.stderr))
            if "2>" not in end and expected:
                assert "cannot write to standard output" in done.stderr, (words, done.stderr)


@test
def test_help_of_one_command_is_its_row():
    for words in ([name] for name in (*COMMANDS, "schema", "manual", "help")):
        for asks in ("--help", "-h"):
            done = run(*words, asks)
            equal(done.returncode, 0, (words, done.stderr))
            assert done.stdout.startswith(f"usage: gatewarden {words[0]}") and not done.stderr, done
            equal(run("help", *words).stdout, done.stdout)
            assert " \n" not in done.stdout, done
    assert "--anchor FILE" in run("audit", "query", "--help").stdout
    assert "--hash" in run("user", "add", "zoe", "-h").stdout
    equal(run("token", "--", "--help").returncode, 2)


@test
def test_version():
    done = run("version")
    equal(done.returncode, 0)
    assert any(c.isdigit() for c in done.stdout), done.stdout
    equal(run("--version").stdout, done.stdout)
    for words in (("version", "extra"), ("--version", "extra"), ("help", "extra"), ("--help", "extra")):
        done = run(*words)
        equal(done.returncode, 2, words)
        assert "extra" in done.stderr and not done.stdout, (words, done)


@test
def test_the_example_is_without_errors():
    g = shared()
    equal(g.cli("check").returncode, 0)
    text = (ROOT / "examples/books/gatewarden.yaml").read_text()
    (g.folder / "example.yaml").write_text(text.replace("books.db", "data/books.db"))
    done = run("check", "-c", g.folder / "example.yaml")
    equal(done.returncode, 0, done.stdout + done.stderr)


@test
def test_every_error_at_once_with_file_line_and_column():
    g = Gateway(start=False)
    g.file.write_text("""\
listen: {http: "127.0.0.1:99999", admin: 127.0.0.1:9090}
workers: -3
issuers:
  local: {type: local, audience: "api://books", access_token_ttl: 16m}
  other: {type: magic}
backends:
  books: {type: sqlite}
roles:
  reader: {granted_by: [nobody:reader]}
surprise: true
limits: {head_timeout: 10}
""")
    done = run("check", "-c", g.file)
    equal(done.returncode, 1, done.stdout + done.stderr)
    said = done.stdout + done.stderr
    places = [line for line in said.splitlines() if "gatewarden.yaml:" in line]
    assert len(places) >= 7, said
    for line, word in ((1, "99999"), (2, "workers"), (4, "access_token_ttl"), (5, "magic"), (10, "surprise"), (11, "head_timeout")):
        assert any(f"gatewarden.yaml:{line}:" in p for p in places), (line, word, said)
    g.discard()


@test
def test_a_literal_secret_or_a_missing_file_is_said():
    done = run("check", "-c", "/nonexistent/gatewarden.yaml")
    equal(done.returncode, 2, done)
    assert "/nonexistent/gatewarden.yaml" in done.stderr, done


@test
def test_json_is_accepted_too():
    g = Gateway(start=False)
    path = g.folder / "config.json"
    path.write_text(json.dumps(g.config))
    equal(run("check", "-c", path).returncode, 0)
    g.discard()


@test
def test_passwords_on_the_command_line_are_not_taken():
    g = shared()
    done = g.cli("user", "add", "zoe", "--role", "reader", "--password", "a long password it is")
    equal(done.returncode, 2, done.stdout + done.stderr)


main()

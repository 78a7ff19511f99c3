"""How commands fail: one line, an exit code and, with --json, one object; also where nobody listens."""

import json
import os
import subprocess
import sys

import pytest
from cli_case import fields, invoke, model_file, refused

from spikefold import build

PROGRAM = "from spikefold.cli import main; main()"


def raising(error):
    def fail(*_):
        raise error

    return fail


class UnspeakableError(Exception):
    def __str__(self):
        raise ValueError("no text")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (KeyError("x"), r"Unexpected KeyError: 'x'; --debug shows where, please report it$"),
        (MemoryError(), r"Unexpected MemoryError; --debug shows where, please report it$"),
        (RecursionError("too\ndeep"), r"Unexpected RecursionError: too deep; "),
        (UnspeakableError(), r"Unexpected UnspeakableError; "),
        (OSError(28, "No space left"), r"\[Errno 28\] No space left$"),
        (
            RuntimeError("\x1b[31m\udcff" + "x" * 9000),
            r"Unexpected RuntimeError: \\x1b\[31m\\udcffx{1000,2000}\.\.\.$",
        ),
    ],
)
def test_any_exception_is_one_line(tmp_path, monkeypatch, error, message):
    monkeypatch.setattr(build, "check_target", raising(error))
    arguments = ("compile", model_file(tmp_path), "-o", tmp_path / "b", "-q")
    result = invoke(*arguments)
    refused(result, 1, message)
    assert len(result.stderr.splitlines()) == 1
    found = fields(invoke(*arguments, "--json"), code=1)
    assert found["kind"] == type(error).__name__
    assert result.stderr == f"error: {found['error']}\n"


def test_the_traceback_is_shown_to_those_who_ask(tmp_path, monkeypatch):
    monkeypatch.setattr(build, "check_target", raising(KeyError("x")))
    arguments = ("compile", model_file(tmp_path), "-o", tmp_path / "b", "-q")
    assert "Traceback" in invoke(*arguments, "--debug").stderr
    assert "Traceback" not in invoke(*arguments).stderr
    monkeypatch.setenv("SPIKEFOLD_DEBUG", "1")
    assert "Traceback" in invoke(*arguments).stderr


def test_the_memory_limit(tmp_path, monkeypatch):
    model = model_file(tmp_path)
    arguments = ("compile", model, "-o", tmp_path / "b", "-q")
    path = tmp_path / "d.toml"
    path.write_text('[data]\nname = "digits"\n[model]\nhidden = [400]\n')
    training = ("train", path, "-o", tmp_path / "m", "-q")
    message = (
        r"Network of the recipe up to Dense weight must need at most 90\.0 KiB of memory, but needs 10\d\."
    )
    refused(invoke(*training, "--memory-limit", "90K"), 3, message)
    for text in ("", "x", "-1", "0", "1.5G", "9" * 40, "4 G"):
        refused(
            invoke(*arguments, "--memory-limit", text),
            3,
            r"Memory limit must be bytes as in 900M or 4G, not ",
        )
    monkeypatch.setenv("SPIKEFOLD_MEMORY_LIMIT", "2G")
    assert invoke(*arguments).exit_code == 0


def run(shell, *arguments, **options):
    """The real program under a shell that redirects its streams: exit code, stderr, stdout."""
    done = subprocess.run(
        [
            "bash",
            "-c",
            f'set -o pipefail; "$@" {shell}',
            "bash",
            sys.executable,
            "-c",
            PROGRAM,
            *map(str, arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    return done.returncode, done.stderr, done.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")
@pytest.mark.parametrize("arguments", [["--help"], ["-V"], ["compile", "--help"], ["synth", "--json"]])
def test_stdout_that_is_full(arguments):
    code, errors, _ = run("> /dev/full", *arguments)
    assert code == 1
    lines = [line for line in errors.splitlines() if line.startswith("error: ")]
    assert lines == ["error: [Errno 28] No space left on device"]
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")
def test_a_result_that_cannot_be_printed(tmp_path):
    arguments = ("compile", model_file(tmp_path), "-o", tmp_path / "b", "-q")
    for options in ((), ("--json",)):
        code, errors, _ = run("> /dev/full", *arguments, *options)
        assert (code, errors) == (1, "error: [Errno 28] No space left on device\n")
    assert (tmp_path / "b" / "manifest.json").is_file()


def test_stdout_that_is_closed_is_noticed_before_any_work(tmp_path):
    arguments = ("compile", model_file(tmp_path), "-o", tmp_path / "b", "-q", "--json")
    code, errors, _ = run(">&-", *arguments)
    message = "error: Standard output must be open, as results are printed there, but it is closed\n"
    assert (code, errors) == (1, message)
    assert not (tmp_path / "b").exists()
    assert run(">&- 2>&-", *arguments)[:2] == (1, "")


def test_a_reader_that_leaves(tmp_path):
    """As in `spikefold --help | head -1`."""
    code, errors, output = run("| true", "--help")
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
    assert output == ""
    assert code in (0, 1)


def test_letters_that_no_terminal_shows(tmp_path):
    name = os.fsdecode(b"m\xff.safetensors")
    code, errors, output = run("", "compile", tmp_path / name, "-o", tmp_path / "b", "--json")
    assert code == 3
    assert "was not found" in json.loads(output)["error"]
    assert "Traceback" not in errors

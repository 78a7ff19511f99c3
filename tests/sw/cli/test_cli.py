"""What all commands share: help, version, exit codes, one JSON object on stdout, quiet and verbose."""

import json
import logging
import subprocess
import sys
import time

import pytest
from cli_case import data_file, fields, invoke, model_file, recipe_meta, refused

from spikefold import __version__
from spikefold.errors import BuildError, InputError, MissingToolError, SpikefoldError, ToolError

COMMANDS = (
    "train",
    "compile",
    "verify",
    "simulate",
    "synth",
    "analyze",
    "demo",
    "examples",
    "cache",
    "patch",
    "images",
)


def test_version():
    for option in ("-V", "--version"):
        assert invoke(option).stdout == f"spikefold {__version__}\n"


def test_help_documents_every_exit_code():
    text = invoke("--help").stdout
    for code in (0, 1, 2, *(error.exit_code for error in (InputError, MissingToolError, ToolError)), 6):
        assert f"\n    {code}  " in text
    assert SpikefoldError.exit_code == 1
    assert BuildError.exit_code == InputError.exit_code
    for command in COMMANDS:
        assert f"\n  {command} " in text


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_examples(command):
    result = invoke(command, "--help")
    assert result.exit_code == 0
    assert f"spikefold {command}" in result.stdout.split("Examples:")[1]
    for option in ("--json", "--verbose", "--quiet"):
        assert option in result.stdout


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom spikefold.cli import main\n"
        "try: main(['compile', '--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'amaranth', 'cocotb', 'rich', 'jinja2', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", ["compile", "verify", "simulate", "synth"])
def test_usage_error(command):
    plain, json_result = invoke(command), invoke(command, "--json")
    assert plain.exit_code == json_result.exit_code == 2
    assert not plain.stdout
    assert "Usage: " in plain.stderr
    assert json.loads(json_result.stdout)["kind"] == "UsageError"


def test_json_error(tmp_path):
    result = invoke("compile", tmp_path / "none.safetensors", "-o", tmp_path / "b", "--json")
    found = fields(result, code=3)
    assert found["kind"] == "ModelError"
    refused(result, 3, r"Model file '.*' was not found")
    assert result.stderr.endswith(f"error: {found['error']}\n")


def test_os_error_is_no_traceback(tmp_path):
    """A file where a folder is needed."""
    model = model_file(tmp_path)
    (tmp_path / "file").touch()
    result = invoke("compile", model, "-o", tmp_path / "file" / "build", "-q")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")


def test_quiet_and_verbose(tmp_path):
    model = model_file(tmp_path)
    plain = invoke("compile", model, "-o", tmp_path / "a")
    quiet = invoke("compile", model, "-o", tmp_path / "b", "-q")
    assert "names no data" in plain.stderr
    assert quiet.stderr == ""
    assert "integer accuracy" in quiet.stdout
    handlers, level = list(logging.getLogger().handlers), logging.getLogger().level
    verbose = invoke("compile", model, "-o", tmp_path / "c", "-vv", "--json")
    fields(verbose)
    assert logging.getLogger().handlers == handlers
    assert logging.getLogger().level == level


def test_a_package_that_prints_does_not_reach_stdout(tmp_path, monkeypatch):
    from spikefold import build

    original = build.check_target
    monkeypatch.setattr(build, "check_target", lambda path: (print("chatter"), original(path)))
    result = invoke("compile", model_file(tmp_path), "-o", tmp_path / "b", "--json")
    fields(result)
    assert "chatter" in result.stderr


def test_subprocess_stdout_is_one_json_object(tmp_path):
    """The installed program, with a real stdout."""
    model = model_file(tmp_path, meta=recipe_meta(data_file(tmp_path)))
    program = [sys.executable, "-c", "from spikefold.cli import main; main()"]
    began = time.monotonic()
    done = subprocess.run(
        [*program, "compile", str(model), "-o", str(tmp_path / "b"), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accuracy_integer"] >= 0
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("before", [["-q"], ["--json", "-q"], ["--memory-limit", "900M", "-q"], ["--quiet"]])
def test_shared_options_may_come_first(tmp_path, before):
    result = invoke(*before, "compile", model_file(tmp_path), "-o", tmp_path / "b")
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout.startswith("{") is ("--json" in before)


def test_options_of_no_command_are_refused():
    assert "No such option" in invoke("-q").stderr
    assert "No such option" in invoke("--samples", "3", "verify", "b").stderr


def test_what_is_told_to_everyone(tmp_path, monkeypatch):
    """As that a simulator is being built, which takes minutes."""
    from spikefold import build
    from spikefold_sim.build import TOLD

    def check(path):
        logging.getLogger("spikefold.x").info("Building %s", "it", extra=TOLD)
        logging.getLogger("spikefold.x").info("a detail")

    monkeypatch.setattr(build, "check_target", check)
    model = model_file(tmp_path)
    for options, told, detailed in (((), True, False), (("-q",), False, False), (("-v",), True, True)):
        result = invoke("compile", model, "-o", tmp_path / "b", *options)
        assert ("\nBuilding it\n" in "\n" + result.stderr) is told
        assert ("a detail" in result.stderr) is detailed

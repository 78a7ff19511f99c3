"""Compiled simulators that were damaged, and simulators whose parent is killed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import alive, kill, seconds_of, wait_for
from sim_toy import SHAPE, golden, random_levels

from spikefold.flow.cache import Cache
from spikefold_sim.beats import encode_beats
from spikefold_sim.build import ICARUS_IMAGE
from spikefold_sim.cocotb_engine import CocotbEngine
from spikefold_sim.native_engine import NativeEngine
from spikefold_sim.wrapper import TOP

LEVELS = random_levels(4)
SIMULATORS = ["native", "verilator", pytest.param("icarus", marks=pytest.mark.icarus)]


def engine_of(name, toy, cache):
    return NativeEngine(toy, cache) if name == "native" else CocotbEngine(toy, name, cache)


def halve(path):
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("native", halve),
        pytest.param("verilator", halve, marks=pytest.mark.slow),
        pytest.param("icarus", halve, marks=pytest.mark.icarus),
        pytest.param("icarus", Path.unlink, marks=pytest.mark.icarus),
    ],
)
def test_a_damaged_simulator_is_compiled_anew(toy, cache, tmp_path, name, damage):
    build = engine_of(name, toy, cache).build()
    own = Cache("simulators", tmp_path / "cache").folder
    shutil.copytree(build, own / build.name, symlinks=True)
    engine = engine_of(name, toy, own)
    executable = engine.build() / (ICARUS_IMAGE if name == "icarus" else TOP)
    assert executable == own / build.name / executable.name
    damage(executable)
    assert (engine.run(encode_beats(LEVELS, SHAPE)).logits == golden(LEVELS)[1]).all()
    assert executable.stat().st_size > 1000


ENDLESS = """
import sys
from pathlib import Path

sys.path[:0] = sys.argv[1:3]
from sim_toy import HANG, PORTS, SHAPE, random_levels
from spikefold.flow.artefact import Artefact
from spikefold_sim.beats import encode_beats
from test_processes import engine_of

levels = random_levels(2)
levels[0, 0, 0] = HANG
artefact = Artefact((Path(sys.argv[4]),), "toy_top", ports=PORTS)
engine_of(sys.argv[3], artefact, Path(sys.argv[5])).run(encode_beats(levels, SHAPE), watchdog=10**15)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
@pytest.mark.parametrize("name", SIMULATORS)
def test_a_killed_run_leaves_no_simulator_and_the_next_run_its_folder(
    toy, cache, tmp_path, name, monkeypatch
):
    build = engine_of(name, toy, cache).build()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    here = Path(__file__).parent
    paths = [str(here), str(here.parent / "sw" / "flow")]
    command = [sys.executable, "-c", ENDLESS, *paths, name, str(toy.rtl[0]), str(cache)]
    parent = subprocess.Popen(command)
    try:
        # well in the run, when it prints no more: a program that prints to nobody would end by itself
        assert wait_for(lambda: any(seconds_of(each) > 3 for each in alive(str(build))), 300)
    finally:
        kill(parent)
    assert wait_for(lambda: not alive(str(build)))
    assert len(list(tmp_path.glob("spikefold-*"))) == 1
    monkeypatch.setattr("tempfile.tempdir", None)
    engine_of(name, toy, cache).run(encode_beats(LEVELS, SHAPE))
    assert list(tmp_path.glob("spikefold-*")) == []

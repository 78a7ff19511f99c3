"""A small design with the port contract of a network, and one build cache for the whole session."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sim_toy import PORTS, TOP_VERILOG, ToyTop

from spikefold_sim.build import Design


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """The toy as Verilog."""
    from amaranth.back import verilog

    folder = tmp_path_factory.mktemp("toy")
    (folder / "toy_top.v").write_text(TOP_VERILOG + verilog.convert(ToyTop(), name="toy_core"))
    return Design((folder / "toy_top.v",), PORTS, folder)

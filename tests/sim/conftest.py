"""A small design with the port contract of a network, and one build cache for the whole session."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "sw"))
sys.path.insert(0, str(Path(__file__).parent))

from sim_toy import LOADABLE, PORTS, toy_verilog

from spikefold_sim.build import Design


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """The toy as Verilog."""
    return _design(tmp_path_factory, PORTS, toy_verilog())


@pytest.fixture(scope="session")
def loadable(tmp_path_factory):
    """The toy with bytes to load, as Verilog."""
    return _design(tmp_path_factory, LOADABLE, toy_verilog(load=True))


def _design(tmp_path_factory, ports, text):
    folder = tmp_path_factory.mktemp(ports.top)
    (folder / f"{ports.top}.v").write_text(text)
    return Design((folder / f"{ports.top}.v",), ports, folder)

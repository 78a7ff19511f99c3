"""A small design with the port contract of a network, and one build cache for the whole session."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "sw"))
sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "sw" / "flow"))

from sim_toy import LOADABLE, PORTS, toy_verilog

from spikefold.flow.artefact import Artefact


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    """The toy as Verilog."""
    return _artefact(tmp_path_factory, "toy_top", PORTS, toy_verilog())


@pytest.fixture(scope="session")
def loadable(tmp_path_factory):
    """The toy with bytes to load, as Verilog."""
    return _artefact(tmp_path_factory, "loadable_top", LOADABLE, toy_verilog(load=True))


def _artefact(tmp_path_factory, top, ports, text):
    path = tmp_path_factory.mktemp(top) / f"{top}.v"
    path.write_text(text)
    return Artefact((path,), top, ports=ports)

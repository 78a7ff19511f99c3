"""Boards in Verilator for the driver: a tiny design, and one whose weights are loaded."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_case import features, tiny_model

import spikefold
from spikefold.attached.board import simulated


@pytest.fixture(scope="session")
def design():
    return spikefold.compile(tiny_model(), name="tiny", calibration=features(60)[0])


@pytest.fixture(scope="session")
def loadable():
    return spikefold.compile(tiny_model(), name="loadable", calibration=features(60)[0], weights="loaded")


@pytest.fixture(scope="session")
def board(design):
    """The port of a board that does nothing wrong."""
    with simulated(design) as port:
        yield port

"""Lets tests import the helpers of this folder and of `tests/sw`, and build gateware without running it."""

import gc
import sys
import warnings
from pathlib import Path

import pytest
from amaranth.hdl import UnusedElaboratable

sys.path.insert(0, str(Path(__file__).parents[1] / "sw"))
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def not_elaborated():
    """For a test that builds gateware without running it, of which Amaranth would warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        yield
        gc.collect()

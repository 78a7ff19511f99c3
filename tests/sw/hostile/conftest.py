"""Lets the tests of this folder import its helpers; one design for all."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from cli_case import tiny_model

import spikefold


@pytest.fixture(scope="session")
def tiny() -> spikefold.Design:
    return spikefold.compile(tiny_model(), name="tiny")

"""Lets the tests of this folder import its helpers; a small design and its build."""

import sys
from pathlib import Path

import pytest

import spikefold

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="module")
def design():
    """The tiny model, compiled."""
    from cli_case import tiny_model

    return spikefold.compile(tiny_model(), name="tiny")


@pytest.fixture(scope="module")
def original(design, tmp_path_factory):
    """Where its build is; a test that changes it takes a copy."""
    path = tmp_path_factory.mktemp("build") / "tiny"
    design.write(path)
    return path

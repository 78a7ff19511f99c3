"""One rule for tests that need a program which not every machine has: they are skipped, and say so."""

import shutil

import pytest


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("icarus") and shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed")

"""Networks of the real snnTorch, imported and compared."""

import pytest
from snntorch_networks import cases

CASES = {case.name: case for case in cases()}


@pytest.mark.parametrize("name", CASES)
def test_the_imported_network_is_the_same(name):
    imported, comparison = CASES[name].run()
    assert comparison.levels_differ == comparison.classes_differ == 0
    assert len(comparison.layers) == len(imported.taps)
    for layer in comparison.layers:
        assert layer.difference < 1e-6
        assert 0 < layer.active < 1 or layer.name == "readout", layer

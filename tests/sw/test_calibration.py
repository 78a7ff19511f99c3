"""What calibration refuses, and what it draws where it has no samples."""

import logging

import numpy as np
import pytest
from cli_case import features, tiny_model

import spikefold
from spikefold.calibration import RANDOM_SAMPLES, calibrate
from spikefold.errors import InputError


def test_an_empty_set_is_refused(design):
    message = r"^Calibration samples must be at least one, not 0; give none for random levels$"
    with pytest.raises(InputError, match=message):
        calibrate(design.network, features(0)[0])
    with pytest.raises(InputError, match=message):
        spikefold.compile(tiny_model(), calibration=features(0)[0])


def test_without_samples_levels_are_random_and_the_same_every_time(design):
    one, other = (calibrate(design.network, None)["input"] for _ in range(2))
    assert len(one) == RANDOM_SAMPLES
    assert np.array_equal(one, other)


@pytest.mark.parametrize("wrong", [-1, 3, 255])
def test_labels_are_classes_of_the_network(wrong):
    x, y = features(12)
    y[7] = wrong
    with pytest.raises(InputError, match=rf"^Labels must be 0\.\.2, one of the .* classes, not {wrong}$"):
        spikefold.compile(tiny_model(), data=(x, y))


def test_collapsed_logits_are_told(caplog):
    model = tiny_model()
    head = [module for module in model.modules() if isinstance(module, spikefold.nn.Dense)][-1]
    with caplog.at_level(logging.WARNING):
        spikefold.compile(model)
        assert caplog.text == ""
        head.bias.data[1] = 1e9
        design = spikefold.compile(model)
    assert "readout: " in caplog.text
    assert "3 channels all of whose weights became 0 beside a bias or threshold" in caplog.text
    assert design.info["quantization"]["layers"][-1]["weights_lost"] == 3

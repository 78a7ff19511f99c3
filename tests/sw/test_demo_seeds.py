"""What four-bit weights cost on the demo's data."""

import dataclasses

import numpy as np
import pytest

from spikefold.compiler import compile as compile_model
from spikefold.demo import RECIPE
from spikefold.train import load_data, train


@pytest.mark.slow
def test_four_bit_integer_network_loses_at_most_one_point(tmp_path):
    losses = []
    for seed in range(5):
        data = load_data(RECIPE.data.name, seed=RECIPE.data.seed)
        own = dataclasses.replace(RECIPE, training=dataclasses.replace(RECIPE.training, seed=seed))
        model = train(own, tmp_path / f"{seed}.safetensors", progress=False).model
        info = compile_model(model, weight_bits=4, data=(data.test_x, data.test_y)).info
        assert info["accuracy_float"] > 95
        losses.append(info["accuracy_float"] - info["accuracy_integer"])
    assert np.mean(losses) <= 1.0, losses

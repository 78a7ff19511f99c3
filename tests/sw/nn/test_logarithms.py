"""Scales that are powers of two stay so: in both types, and through a file."""

import math

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.fold import fold
from spikefold.nn.functional import from_log

POWERS = [2.0**k for k in range(-30, 31)]


@pytest.mark.parametrize("stored", [torch.float32, torch.float64])
@pytest.mark.parametrize("used", [torch.float32, torch.float64])
def test_powers_of_two_come_back(stored, used):
    log = torch.tensor([math.log(power) for power in POWERS], dtype=torch.float64).to(stored).to(used)
    assert from_log(log).tolist() == POWERS
    assert log.exp().tolist() != POWERS


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_other_values_are_those_of_exp(dtype):
    log = torch.linspace(-20, 20, 4001, dtype=dtype)
    log = log[(log / math.log(2) - torch.round(log / math.log(2))).abs() > 1e-4]
    assert torch.equal(from_log(log), log.exp())
    near = torch.tensor([math.log(8) * (1 + 1e-6)], dtype=torch.float64)
    assert torch.equal(from_log(near), near.exp())


def test_the_gradient_is_that_of_exp():
    log = torch.tensor([math.log(8), 0.3], requires_grad=True)
    from_log(log).sum().backward()
    torch.testing.assert_close(log.grad, torch.tensor([8.0, math.exp(0.3)]))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e30, -1e30])
def test_what_is_no_number_stays_none(value):
    log = torch.tensor([value])
    torch.testing.assert_close(from_log(log), log.exp(), equal_nan=True, rtol=0, atol=0)


NEURONS = {
    "pit": lambda: nn.PIT(6, 4, init=8.0),
    "factor": lambda: nn.PIT(6, 4, init=8.0, learn="factor"),
    "qblif": lambda: nn.QBLIF(6, 4, init=8.0),
}


@pytest.mark.parametrize("name", NEURONS)
def test_a_scale_of_8_is_8_after_saving_loading_and_doubling(name, tmp_path):
    neuron = NEURONS[name]()
    layers = (nn.Input((5,), 16, steps=neuron.steps), nn.Dense(5, 6), neuron, nn.Dense(6, 3), nn.Readout())
    model = torch.nn.Sequential(*layers)
    nn.save(model, tmp_path / "m.safetensors")
    for found in (model, nn.load(tmp_path / "m.safetensors"), nn.load(tmp_path / "m.safetensors").double()):
        folded = fold(found.eval(), "m")
        assert np.all(folded.populations[0].neuron.threshold.numpy() == 8)


def test_binary_amplitudes_and_reverb_steps(tmp_path):
    layer = nn.BinaryDense(8, 4, alpha="output")
    with torch.no_grad():
        layer.log_alpha.fill_(math.log(0.125))
    assert (layer.double().alpha == 0.125).all()
    neuron = nn.ReverB(4, bits=3, alpha="layer")
    with torch.no_grad():
        neuron.log_step.fill_(math.log(0.25))
        neuron.log_alpha.fill_(math.log(2))
    assert (neuron.double().threshold == 0.125).all()

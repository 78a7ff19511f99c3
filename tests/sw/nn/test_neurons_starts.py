"""Initial scales: what the first batch, or a constant, makes of them."""

import numpy as np
import pytest
import torch

from spikefold import nn

RNG = np.random.default_rng


def batch(seed: int = 0, steps: int = 2) -> torch.Tensor:
    return torch.from_numpy(RNG(seed).normal(0.5, 1.5, (steps, 16, 3, 2, 2))).float()


def reference_scale(u: np.ndarray, rule: str, levels: int, per_channel: bool) -> np.ndarray:
    axes = (0, 2, 3) if per_channel else (0, 1, 2, 3)
    if rule == "min_max":
        return np.abs(u).max(axes) / levels
    mean, sigma = u.mean(axes), u.std(axes)
    return np.maximum(np.abs(mean - 3 * sigma), np.abs(mean + 3 * sigma)) / np.sqrt(levels)


@pytest.mark.parametrize("rule", ["three_sigma", "min_max"])
@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("learn", ["scale", "factor", "none"])
@pytest.mark.parametrize("decay", [True, False])
def test_pit_scales_start_step_by_step(rule: str, per_channel: bool, learn: str, decay: bool) -> None:
    x = batch(3, steps=3).double()
    options = {
        "per_channel": per_channel,
        "learn": learn,
        "init": rule,
        "input_decay": decay,
        "reset": "zero",
    }
    neuron = nn.PIT(3, 5, 3, 0.25, **options).double()
    neuron(x)
    v = np.zeros(x.shape[1:])
    for t in range(3):
        u = 0.25 * v + (0.75 if decay else 1.0) * x[t].numpy()
        a = reference_scale(u, rule, 5, per_channel).reshape(-1, 1, 1)
        np.testing.assert_allclose(neuron.scale[t].detach(), np.broadcast_to(a.ravel(), 3), rtol=1e-9)
        v = np.where(np.clip(np.floor(u / a + 0.5), 0, 5) > 0, 0.0, u)
    before = neuron.scale.detach().clone()
    neuron(10 * x)
    assert torch.equal(neuron.scale, before)


def test_constant_starts_ignore_the_first_batch() -> None:
    for neuron in (nn.PIT(3, steps=2, init=0.5), nn.QBLIF(3, steps=2, init=0.5)):
        neuron(batch())
        np.testing.assert_allclose(neuron.scale.detach(), np.full((2, 3), 0.5), rtol=1e-6)


@pytest.mark.parametrize("per_channel", [True, False])
def test_qblif_starts_from_the_first_step(per_channel: bool) -> None:
    x, neuron = batch(1).double(), nn.QBLIF(3, 9, 2, init="three_sigma", per_channel=per_channel).double()
    neuron(x)
    assert tuple(neuron.log_scale.shape) == (1, 3 if per_channel else 1)
    expected = np.broadcast_to(reference_scale(x[0].numpy(), "three_sigma", 9, per_channel), (2, 3))
    np.testing.assert_allclose(neuron.scale.detach(), expected, rtol=1e-9)


def test_reverb_levels_start_by_spanning_mean_plus_three_sigma() -> None:
    x, neuron = batch(2).double(), nn.ReverB(3, 4, 2, alpha="channel").double()
    with torch.no_grad():
        neuron.log_alpha.copy_(torch.tensor([1.0, 2.0, 3.0]).log())
    neuron(x)
    u = x[0].numpy() * neuron.alpha.detach().numpy()[:, None, None]
    np.testing.assert_allclose(neuron.log_step.exp().item(), (u.mean() + 3 * u.std()) / 15, rtol=1e-9)
    assert bool(neuron.initialised)
    first = neuron.log_step.item()
    neuron(5 * x)
    assert neuron.log_step.item() == first

"""Membranes rebuilt from currents and levels, for every neuron."""

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.analysis.membranes import BINS, MembraneRecorder, membranes

torch.set_num_threads(1)
STEPS, CHANNELS = 4, 3

NEURONS = {
    "lif": lambda: nn.LIF(CHANNELS, 0.8, STEPS),
    "ilif": lambda: nn.ILIF(CHANNELS, 3, STEPS, leak=0.25, input_decay=True),
    "even": lambda: nn.ILIF(CHANNELS, 3, STEPS, rounding="half_even"),
    "zero": lambda: nn.ILIF(CHANNELS, 3, STEPS, reset="zero"),
    "none": lambda: nn.PIT(CHANNELS, 3, STEPS, reset="none"),
    "pit": lambda: nn.PIT(CHANNELS, 5, STEPS, leak=0.7),
    "qblif": lambda: nn.QBLIF(CHANNELS, 6, STEPS, reset_factor=0.8),
    "reverb": lambda: nn.ReverB(CHANNELS, 3, STEPS, threshold=0.4, alpha="channel"),
}


def case(kind):
    """A neuron with parameters of its own, a current, and what it emits, in levels."""
    generator = torch.Generator().manual_seed(5)
    neuron = NEURONS[kind]().double().eval()
    with torch.no_grad():
        for parameter in neuron.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=generator).double() * 0.8 - 0.4)
    current = torch.randn(STEPS, 40, CHANNELS, 2, generator=generator).double() * 2
    emitted = neuron(current).detach()
    scale = neuron.scale.detach()[:, None, :, None]
    return neuron, current, torch.round(emitted / scale)


@pytest.mark.parametrize("kind", NEURONS)
def test_levels_follow_from_membranes(kind):
    """Firing the rebuilt membranes by the rule gives the neuron's own levels, at every step."""
    neuron, current, levels = case(kind)
    assert len(levels.unique()) > 1
    for t, u in enumerate(membranes(neuron, current, levels)):
        place = u / neuron.threshold[t][:, None]
        half = 0.5 if neuron.rounding == "half_up" else 0.0
        wanted = torch.round(place) if neuron.rounding == "half_even" else torch.floor(place + half)
        wanted = wanted.clamp(0, neuron.levels)
        if neuron.fire_floor is not None:
            wanted = wanted * (u >= neuron.fire_floor)
        assert torch.equal(wanted, levels[t])


def test_by_hand():
    """I-LIF, leak 1/2, reset by subtraction: 1.7 fires 2, leaves -0.3; 0.9 - 0.15 fires 1, leaves -0.25."""
    neuron = nn.ILIF(1, 3, 3).double()
    current = torch.tensor([1.7, 0.9, 9.0]).double().reshape(3, 1, 1)
    found = [u.item() for u in membranes(neuron, current, torch.tensor([2.0, 1.0, 3.0]).reshape(3, 1, 1))]
    assert found == pytest.approx([1.7, 0.75, 8.875])


@pytest.mark.parametrize("kind", ["pit", "qblif", "reverb"])
def test_histograms(kind):
    """Batches add up; the first sets the bins; nothing is lost, outliers are counted apart."""
    neuron, current, levels = case(kind)
    recorder = MembraneRecorder(STEPS)
    parts = [(current[:, :25], levels[:, :25]), (current[:, 25:] * 5, levels[:, 25:])]
    for part in parts:
        recorder.update(neuron, *part)
    found = recorder.result()
    assert (found.counts.sum(axis=1) + found.below + found.above).tolist() == [40 * CHANNELS * 2] * STEPS
    everything = [
        [u / neuron.threshold[t][:, None] for t, u in enumerate(membranes(neuron, *p))] for p in parts
    ]
    for t in range(STEPS):
        x = torch.cat([steps[t] for steps in everything]).detach().numpy().ravel()
        inside = x[(x >= found.edges[0]) & (x <= found.edges[-1])]
        assert found.counts[t].tolist() == np.histogram(inside, found.edges)[0].tolist()
        assert found.below[t] == (x < found.edges[0]).sum()
        assert found.mean[t] == pytest.approx(x.mean())
        assert found.deviation[t] == pytest.approx(x.std())
    assert found.above.sum() + found.below.sum() > 0
    assert found.density.sum(axis=1) * np.diff(found.edges)[0] == pytest.approx(
        found.counts.sum(axis=1) / 240
    )


def test_silence_has_bins_too():
    neuron = nn.ILIF(1, 3, 1)
    recorder = MembraneRecorder(1)
    recorder.update(neuron, torch.zeros(1, 5, 1), torch.zeros(1, 5, 1))
    found = recorder.result()
    assert found.counts.sum() == 5
    recorder.update(neuron, torch.full((1, 2, 1), 0.5), torch.ones(1, 2, 1))
    found = recorder.result()
    assert (found.counts[0, -1], found.above[0]) == (2, 0)  # the last bin includes its border
    assert found.counts.shape == (1, BINS)
    assert (found.edges[0], found.edges[-1]) == (-0.5, 0.5)

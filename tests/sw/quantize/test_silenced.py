"""What integers silence, channels, thresholds or logits, is refused or reported."""

import re
from dataclasses import replace

import numpy as np
import pytest
from quantize_case import folded_network, quantize

from spikefold.errors import InputError
from spikefold.golden import Golden


def rounding_down(folded):
    """Its first spike is at the threshold, not at half of it."""
    hidden, readout = folded.populations
    hidden = replace(hidden, neuron=replace(hidden.neuron, rounding="floor"))
    return replace(folded, stages=(hidden, readout))


@pytest.mark.parametrize("bits", [4, 6])
def test_a_membrane_capped_below_every_threshold_is_refused_by_name(bits):
    folded = rounding_down(folded_network(np.random.default_rng(3)))
    least = quantize(folded)[0].populations[0].neuron.first_spike.min()
    assert least > 31
    pattern = (
        rf"^Membranes of 'layer0' must reach a threshold, but of {bits} bits reach {2 ** (bits - 1) - 1} "
        r"where the first spike takes (\d+), so that it would never fire: give it at least (\d+) bits, or"
    )
    with pytest.raises(InputError, match=pattern) as caught:
        quantize(folded, membrane_bits=bits)
    first, enough = map(int, re.match(pattern, str(caught.value)).groups())
    network, report = quantize(folded, membrane_bits=enough)
    levels = np.full((1, 1, 40), 16)
    assert network.populations[0].neuron.can_fire.sum() > 0
    assert report.layers[0].never_firing == (~network.populations[0].neuron.can_fire).sum()
    with pytest.raises(InputError, match="would never fire"):
        quantize(folded, membrane_bits=enough - 1)
    assert first == network.populations[0].neuron.first_spike.min()
    assert Golden(network).run(levels).logits.shape == (1, 10)


def test_channels_that_a_cap_silences_are_reported():
    folded = folded_network(np.random.default_rng(3), per_step=False)
    folded.populations[0].neuron.threshold[0] = 1.0
    folded.populations[0].neuron.threshold[0, 7] = 1000.0
    network, report = quantize(folded, membrane_bits=12)
    fires = network.populations[0].neuron.can_fire
    assert not fires[7]
    assert report.layers[0].never_firing == (~fires).sum() < 24
    assert f"{(~fires).sum()} channels that never fire, as their membrane is capped too low" in str(report)
    assert quantize(folded)[1].layers[0].never_firing == 0


def test_a_bias_that_collapses_all_other_logits_is_reported():
    folded = folded_network(np.random.default_rng(3))
    assert quantize(folded)[1].layers[-1].weights_lost == 0
    folded.populations[1].bias[4] = 1e7
    network, report = quantize(folded)
    assert not network.readout.projections[0].weight.any()
    assert report.layers[-1].weights_lost == 10
    assert "10 channels all of whose weights became 0 beside a bias or threshold" in str(report)


def test_thresholds_are_at_least_one_and_reported():
    folded = folded_network(np.random.default_rng(3))
    folded.populations[0].neuron.threshold[0, 5] = 1e-6
    network, report = quantize(folded)
    assert network.populations[0].neuron.threshold.min() == 1
    assert network.populations[0].fraction == 8
    assert report.layers[0].thresholds_raised == 1
    assert "1 thresholds too small for F = 8 became 1" in str(report)

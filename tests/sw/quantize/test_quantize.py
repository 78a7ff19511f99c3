"""Rounding a folded network: errors within bounds, the rules of docs/numerics.md, and what it may not do."""

import numpy as np
import pytest
import torch
from quantize_case import folded_network, quantize

from spikefold.errors import InputError, ModelError
from spikefold.fold import FoldedNetwork
from spikefold.ir import ShiftSum, ShiftSums
from spikefold.quantize import leak_shifts
from spikefold.quantize.rounding import round_threshold


@pytest.mark.parametrize("bits", range(2, 9))
def test_weights_are_the_nearest_integers(bits):
    folded = folded_network(np.random.default_rng(bits))
    network, report = quantize(folded, weight_bits=bits)
    largest = (1 << (bits - 1)) - 1
    assert folded.populations[0].neuron is not None
    for real, population, layer in zip(folded.populations, network.populations, report.layers, strict=True):
        weight = population.projections[0].weight
        step = population.scale * (1 << population.fraction) * (folded.steps if real.neuron is None else 1)
        error = weight * step[:, None] - real.projections[0].weight
        assert (abs(error) <= step[:, None] / 2 * (1 + 1e-9)).all()
        assert abs(weight).max() == largest
        if real.neuron is not None:
            assert (abs(weight).max(axis=(0, 2)) == largest).all()
            np.testing.assert_allclose(step * largest, abs(real.projections[0].weight).max(axis=(0, 2)))
        rms = np.sqrt((error**2).mean() / (real.projections[0].weight ** 2).mean())
        assert layer.weight_rms == pytest.approx(rms)
        assert layer.weight_max == pytest.approx(abs(error).max() / abs(real.projections[0].weight).max())
        assert layer.weight_bits == population.projections[0].bits == bits


def test_one_bit_keeps_signs_and_the_mean():
    folded = folded_network(np.random.default_rng(1), per_step=False)
    real = folded.populations[0].projections[0].weight
    real[0, 0, :4] = 0
    network, report = quantize(folded, weight_bits={"layer0": 1})
    population = network.populations[0]
    weight = population.projections[0].weight
    np.testing.assert_array_equal(weight[real != 0], np.sign(real[real != 0]))
    assert weight[0, 0, :4].tolist() == [1, -1, 1, -1]
    np.testing.assert_allclose(population.scale * (1 << population.fraction), abs(real).mean(axis=(0, 2)))
    assert [layer.weight_bits for layer in report.layers] == [1, 4]


def test_thresholds_and_biases_are_rounded_at_the_fraction():
    folded = folded_network(np.random.default_rng(2))
    network, report = quantize(folded, weight_bits=4)
    population, real = network.populations[0], folded.populations[0]
    np.testing.assert_array_equal(
        population.neuron.threshold, np.rint(real.neuron.threshold / population.scale)
    )
    np.testing.assert_array_equal(population.bias[0], np.rint(real.bias / population.scale))
    assert population.neuron.threshold.min() >= 32
    relative = population.neuron.threshold * population.scale / real.neuron.threshold - 1
    assert report.layers[0].threshold_max == pytest.approx(abs(relative).max())
    assert report.layers[0].threshold_max <= 1 / 64 + 1e-9
    assert report.layers[0].bias_max <= 0.5 / (1 << population.fraction) + 1e-9


def test_thresholds_round_with_gradients_straight_through_or_without():
    threshold = torch.tensor([[0.2, 2.4, 7.6]], dtype=torch.float64, requires_grad=True)
    unit = torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)
    whole = round_threshold(threshold, unit, straight_through=True)
    assert whole.tolist() == [[1, 5, 4]]
    whole.sum().backward()
    assert threshold.grad.tolist() == [[1, 2, 0.5]]
    plain = round_threshold(threshold, unit)
    assert torch.equal(plain, whole)
    assert not plain.requires_grad


@pytest.mark.parametrize("leak", [0.0, 0.25, 0.3, 1.0])
def test_leak_becomes_shifts_and_is_reported(leak):
    network, report = quantize(folded_network(np.random.default_rng(10), leak=leak), leak_terms=2)
    used = network.populations[0].neuron.leak
    assert len(used.terms) <= 2
    assert (report.layers[0].leak, report.layers[0].leak_used) == (leak, used.value)
    assert ("became" in str(report)) == (leak == 0.3)


def test_leaks_of_channels_become_shifts_and_the_worst_is_reported():
    leaks = tuple(np.linspace(0.5, 1, 24).tolist())
    network, report = quantize(folded_network(np.random.default_rng(10), leak=leaks), leak_terms=2)
    used = network.populations[0].neuron.leak
    assert used == ShiftSums(tuple(leak_shifts(leak, 2) for leak in leaks))
    layer, errors = report.layers[0], abs(used.value - leaks)
    assert layer.leak_channel == errors.argmax() > 0
    assert abs(layer.leak - layer.leak_used) == errors.max() > 0
    wanted = (
        f"leak of channel {layer.leak_channel}, which errs most, {layer.leak:g} became {layer.leak_used:g}"
    )
    assert wanted in str(report)


def test_leaks_that_round_alike_are_one_leak():
    """The hardware then is that of one leak."""
    leaks = (0.5,) * 23 + (0.5001,)
    network, report = quantize(folded_network(np.random.default_rng(10), leak=leaks))
    assert network.populations[0].neuron.leak == ShiftSum(((1, 1),))
    assert (report.layers[0].leak, report.layers[0].leak_channel) == (0.5001, 23)


def test_a_capped_membrane_is_passed_on():
    network, _ = quantize(folded_network(np.random.default_rng(11)), membrane_bits=12)
    assert network.populations[0].neuron.membrane_bits == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_bits": 0}, r"^Weight bits of 'layer0' must be 1\.\.8, not 0$"),
        ({"weight_bits": 9}, r"^Weight bits of 'layer0' must be 1\.\.8, not 9$"),
        ({"weight_bits": 4.0}, r"^Weight bits of 'layer0' must be 1\.\.8, not 4\.0$"),
        ({"weight_bits": True}, r"^Weight bits of 'layer0' must be 1\.\.8, not True$"),
        ({"weight_bits": {"readout": -1}}, r"^Weight bits of 'readout' must be 1\.\.8, not -1$"),
        ({"weight_bits": {"layer7": 4}}, r"^Weight bits must name one of layer0, readout, not 'layer7'$"),
        ({"method": "best"}, r"^Quantization method must be 'max' or 'mse', not 'best'$"),
        ({"leak_terms": 0}, r"^Leak terms K must be 1\.\.8, not 0$"),
        ({"membrane_bits": 3}, r"^Membrane bits must be 4\.\.48, not 3$"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        quantize(folded_network(np.random.default_rng(0)), **options)


def test_wrong_names_are_refused():
    folded = folded_network(np.random.default_rng(0))
    named = FoldedNetwork(folded.input, folded.steps, folded.populations, "My Net")
    with pytest.raises(ModelError, match=r"^Network name must be lower case letters, .* not 'My Net'$"):
        quantize(named)

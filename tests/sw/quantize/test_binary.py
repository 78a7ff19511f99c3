"""Weights of binary layers: one bit and no error, or a report that says otherwise; channels that vanish."""

import numpy as np
import pytest
from folded_reference import as_tensors

from spikefold.fold import (
    FoldedConv,
    FoldedDense,
    FoldedIdentity,
    FoldedNetwork,
    FoldedNeuron,
    FoldedPopulation,
)
from spikefold.golden import Golden
from spikefold.ir import Input
from spikefold.quantize import quantizer
from spikefold_hw.parts.weights import weight_lanes
from spikefold_hw.streaming.planning import plan_of

SIZE, CHANNELS, STEPS, LEVELS = 30, 9, 2, 7


def quantize(folded, **options):
    """Quantize a network written in numpy."""
    return quantizer.quantize(as_tensors(folded), **options)


def signs(rng, *shape):
    return np.where(rng.random(shape) < 0.5, -1.0, 1.0)


def neuron(rng, channels=CHANNELS, **options):
    common = {"rounding": "floor", "reset": "zero", "leak": 0.25, "fire_floor": 0.0} | options
    return FoldedNeuron(rng.uniform(0.5, 3, (1, channels)), 15, **common)


def network(*projections, bias=None, readout=None, **options):
    """A network of one hidden population of these projections."""
    rng = np.random.default_rng(99)
    channels = projections[0].weight.shape[1]
    bias = rng.normal(0, 1, channels) if bias is None else bias
    hidden = FoldedPopulation("layer0", projections, bias, neuron(rng, channels, **options), ("a", "b"))
    readout = FoldedDense("layer0", rng.normal(0, 1, (1, 4, channels))) if readout is None else readout
    head = FoldedPopulation("readout", (readout,), rng.normal(0, 1, 4), None, ("c", "d"))
    return FoldedNetwork(Input((SIZE,), LEVELS), STEPS, (hidden, head), "network")


def binary(rng, gain, sets=1):
    return FoldedDense("input", signs(rng, sets, len(gain), SIZE) * gain[None, :, None], binary=True)


def gains(rng):
    return rng.uniform(0.05, 3, CHANNELS) * signs(rng, CHANNELS)


@pytest.mark.parametrize("bits", [1, 4, {"readout": 8}])
@pytest.mark.parametrize("sets", [1, STEPS])
@pytest.mark.parametrize("method", ["max", "mse"])
def test_binary_weights_take_one_bit_and_have_no_error(method, sets, bits):
    rng = np.random.default_rng(0)
    gain = gains(rng)
    folded = network(binary(rng, gain, sets))
    quantized, report = quantize(folded, weight_bits=bits, method=method)
    (projection,), layer = quantized.populations[0].projections, report.layers[0]
    assert projection.bits == 1
    np.testing.assert_array_equal(projection.weight, np.sign(folded.populations[0].projections[0].weight))
    unit = quantized.populations[0].scale * (1 << quantized.populations[0].fraction)
    np.testing.assert_array_equal(unit, abs(gain))
    assert (layer.weight_bits, layer.weight_rms, layer.weight_max) == (1, 0, 0)
    assert (layer.binary_rounded, layer.weights_clipped) == (False, 0)
    assert str(report).startswith("layer0: 1-bit weights, error 0.00% rms, 0.00% at most")


def test_every_weight_is_one_bit_of_memory():
    rng = np.random.default_rng(1)
    quantized, _ = quantize(network(binary(rng, gains(rng))), weight_bits=4)
    layer = plan_of(quantized, {"layer0": 4, "readout": 2}).stages[0]
    assert layer.projections[0].weight_bits == 1
    images = layer.images(quantized)
    lanes = weight_lanes(layer.lanes_shape, 0)
    assert [images[f"layer0_weight{k}"].width for k in range(len(lanes))] == [len(part) for part in lanes]
    bits = sum(i.width * len(i.data) for name, i in images.items() if "weight" in name)
    assert bits == -(-CHANNELS // 4) * 4 * SIZE  # blocks of four lanes
    rows = np.array(images["layer0_weight0"].words)
    weight = quantized.populations[0].projections[0].weight[0]
    for channel in range(8):
        stored = rows[channel // 4 * SIZE : (channel // 4 + 1) * SIZE] >> channel % 4 & 1
        np.testing.assert_array_equal(stored, weight[channel] > 0)


def test_several_magnitudes_are_rounded_and_reported():
    rng = np.random.default_rng(2)
    sources = rng.uniform(0.2, 2, SIZE)
    folded = network(FoldedDense("input", signs(rng, 1, CHANNELS, SIZE) * sources, binary=True))
    quantized, report = quantize(folded, weight_bits=5)
    assert quantized.populations[0].projections[0].bits == 5
    assert report.layers[0].binary_rounded
    assert 0 < report.layers[0].weight_rms < 0.05
    assert "binary weights of several magnitudes, not all of one bit" in str(report)


def test_steps_of_several_magnitudes_are_rounded():
    rng = np.random.default_rng(3)
    weight = signs(rng, STEPS, CHANNELS, SIZE)
    weight[1] *= 1.5
    quantized, report = quantize(network(FoldedDense("input", weight, binary=True)))
    assert quantized.populations[0].projections[0].bits == 4
    assert report.layers[0].binary_rounded


def test_others_are_rounded_to_multiples_of_the_binary_magnitude():
    rng = np.random.default_rng(4)
    gain = rng.uniform(0.5, 1, CHANNELS)
    other = FoldedDense("input", rng.normal(0, 2, (1, CHANNELS, SIZE)))
    quantized, report = quantize(network(other, binary(rng, gain)), weight_bits=4)
    plain, exact = quantized.populations[0].projections
    assert (plain.bits, exact.bits) == (4, 1)
    wanted = np.clip(np.rint(other.weight / gain[:, None]), -7, 7)
    np.testing.assert_array_equal(plain.weight, wanted)
    beyond = int((abs(other.weight) > 7.5 * gain[:, None]).sum())
    assert report.layers[0].weights_clipped == beyond > 0
    assert f"; {beyond} weights clipped" in str(report)
    assert report.layers[0].weight_bits == 4


def test_identities_beside_binary_weights():
    rng = np.random.default_rng(5)
    gain, shortcut = rng.uniform(0.05, 0.2, CHANNELS), rng.uniform(-3, 3, CHANNELS)
    folded = network(binary(rng, gain))
    block = FoldedPopulation(
        "layer1",
        (
            FoldedConv(
                "layer0", signs(rng, 1, CHANNELS, CHANNELS, 1, 1) * gain[:, None, None, None], binary=True
            ),
            FoldedIdentity("layer0", shortcut[None]),
        ),
        np.zeros(CHANNELS),
        neuron(rng),
        ("e",),
    )
    head = FoldedDense("layer1", np.ones((1, 4, CHANNELS)))
    stages = (folded.stages[0], block, FoldedPopulation("readout", (head,), np.zeros(4), None, ()))
    quantized, report = quantize(FoldedNetwork(folded.input, STEPS, stages, "network"))
    conv, identity = quantized.populations[1].projections
    assert (conv.bits, identity.bits) == (1, 8)
    np.testing.assert_array_equal(identity.weight[0], np.rint(shortcut / gain))
    assert report.layers[1].weight_bits == 1


@pytest.mark.parametrize("ratio", [1.0, 1.25])
def test_two_binary_projections_share_a_magnitude_or_are_rounded(ratio):
    rng = np.random.default_rng(6)
    gain = gains(rng)
    _, report = quantize(network(binary(rng, gain), binary(rng, gain * ratio)))
    assert report.layers[0].binary_rounded == (ratio != 1)
    assert report.layers[0].weight_bits == (1 if ratio == 1 else 4)


@pytest.mark.parametrize("equal", [True, False])
def test_classes_of_a_binary_readout_have_one_magnitude_or_are_rounded(equal):
    rng = np.random.default_rng(7)
    gain = np.full(4, 0.3) if equal else np.array([0.3, 0.3, 0.3, 0.4])
    head = FoldedDense("layer0", signs(rng, 1, 4, CHANNELS) * gain[:, None], binary=True)
    quantized, report = quantize(network(binary(rng, gains(rng)), readout=head))
    assert quantized.readout.projections[0].bits == (1 if equal else 4)
    assert report.layers[1].binary_rounded != equal
    if equal:
        np.testing.assert_allclose(quantized.readout.scale, 0.3 / STEPS)
        assert report.layers[1].weight_max == 0


def constant_levels(folded, channel):
    """Levels of a channel whose only current is its bias, in float64."""
    p = folded.populations[0]
    v, fired, levels = 0.0, False, []
    for _ in range(STEPS):
        u = p.neuron.leak * v + p.bias[channel]
        u = u * p.neuron.factor if fired and p.neuron.reset == "scale" else u
        level = min(p.neuron.levels, max(0, np.floor(u / p.neuron.threshold[0, channel])))
        fired = u >= p.neuron.fire_floor if p.neuron.fire_floor is not None else level > 0
        level = level if fired else 0
        levels.append(level)
        v = 0.0 if fired and p.neuron.reset == "zero" else u
    return levels


@pytest.mark.parametrize("size", [0.0, 1e-300, 1e-30, 1e-6])
@pytest.mark.parametrize(
    "options",
    [{}, {"fire_floor": 2.0}, {"reset": "scale", "factor": 0.5, "fire_floor": None}],
    ids=["reverb", "floor", "qblif"],
)
@pytest.mark.parametrize("offset", [-30.0, 0.6, 1.4, 7.4, 500.0])
def test_a_vanishing_channel_answers_by_its_bias_alone(size, options, offset):
    """As after a batch norm whose gain is (almost) 0; whatever comes, at the highest levels too."""
    rng = np.random.default_rng(8)
    gain = rng.uniform(0.5, 1, CHANNELS)
    gain[3] *= size
    folded = network(binary(rng, gain), **options)
    hidden = folded.populations[0]
    hidden.bias[3] = offset * hidden.neuron.threshold[0, 3]
    quantized, report = quantize(folded)
    x = rng.integers(0, LEVELS + 1, (60, 1, SIZE))
    aligned = (quantized.populations[0].projections[0].weight[0, 3] > 0) * LEVELS
    x[0], x[1], x[2] = LEVELS, aligned, LEVELS - aligned
    levels = Golden(quantized).run(x, record=True).levels["layer0"]
    wanted = np.array(constant_levels(folded, 3))
    assert (levels[:, :, 3].reshape(60, STEPS) == wanted).all()
    assert len(np.unique(levels[:, :, :3])) > 4
    assert report.layers[0].scales_raised == 1
    scale = quantized.populations[0].neuron.threshold[0, 3] / (1 << quantized.populations[0].fraction)
    assert 16 * SIZE * LEVELS * 0.99 <= scale <= 16 * SIZE * LEVELS * 1.01


def test_no_channel_is_louder_than_it_was():
    """A channel of small but not vanishing weights keeps them exactly."""
    rng = np.random.default_rng(9)
    gain = rng.uniform(0.5, 1, CHANNELS)
    gain[3] = 2e-3
    folded = network(binary(rng, gain))
    folded.populations[0].neuron.threshold[0, 3] = 1.0
    quantized, report = quantize(folded)
    np.testing.assert_allclose(
        quantized.populations[0].scale * (1 << quantized.populations[0].fraction), gain
    )
    assert report.layers[0].scales_raised == report.layers[0].weight_max == 0


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e-6])
def test_vanishing_weights_beside_others_are_rounded_to_zero(size):
    """Of one channel in many, whose other weights would be lost beside one-bit weights so small."""
    rng = np.random.default_rng(10)
    gain = rng.uniform(0.5, 1, 100)
    gain[3] *= size
    other = FoldedDense("input", rng.normal(0, 4, (1, 100, SIZE)))
    quantized, report = quantize(network(other, binary(rng, gain)), weight_bits=6)
    plain, exact = quantized.populations[0].projections
    assert not exact.weight[0, 3].any()
    assert abs(plain.weight[0, 3]).max() == 31
    assert report.layers[0].binary_rounded


def test_a_binary_readout_of_gain_zero_has_only_its_bias():
    rng = np.random.default_rng(11)
    head = FoldedDense("layer0", 0 * signs(rng, 1, 4, CHANNELS), binary=True)
    folded = network(binary(rng, gains(rng)), readout=head)
    quantized, _ = quantize(folded)
    run = Golden(quantized).run(rng.integers(0, LEVELS + 1, (20, 1, SIZE)))
    got, bias = run.logits * quantized.readout.scale, folded.populations[1].bias
    np.testing.assert_allclose(got - bias, 0, atol=abs(bias).max() * 2**-15)


@pytest.mark.parametrize("factor", [0.0, 0.3, 0.5, 1.0])
def test_reset_factors_become_shifts_and_are_reported(factor):
    rng = np.random.default_rng(12)
    options = {"reset": "scale", "factor": factor, "fire_floor": None, "leak": 0.5}
    quantized, report = quantize(network(binary(rng, gains(rng)), **options), leak_terms=2)
    used, layer = quantized.populations[0].neuron.factor, report.layers[0]
    assert len(used.terms) <= 2
    assert abs(used.value - factor) < 0.02
    assert (layer.factor, layer.factor_used) == (factor, used.value)
    assert (f"; reset factor {factor:g} became {used.value:g}" in str(report)) == (factor == 0.3)
    assert report.layers[1].factor is None


@pytest.mark.parametrize("floor", [None, 0.0, 1.7, -0.4])
def test_fire_floors_are_rounded_in_membrane_units(floor):
    rng = np.random.default_rng(13)
    quantized, report = quantize(network(binary(rng, gains(rng)), fire_floor=floor))
    population = quantized.populations[0]
    if floor is None:
        assert population.neuron.fire_floor is None
        assert report.layers[0].fire_floor_max is None
    else:
        np.testing.assert_array_equal(population.neuron.fire_floor, np.rint(floor / population.scale))
        assert report.layers[0].fire_floor_max <= 0.5 / (1 << population.fraction)


@pytest.mark.parametrize(
    ("ratio", "bits", "weight"), [(4.2, (1, 4), (1, 4)), (1.0, (1, 1), (1, 1)), (50.0, (4, 4), (0, 7))]
)
def test_the_largest_binary_projection_sets_the_scale(ratio, bits, weight):
    """Beside a smaller one, as where a residual network changes shape; unless that one would be clipped."""
    rng = np.random.default_rng(14)
    gain = gains(rng)
    folded = network(binary(rng, gain))
    small = FoldedDense("layer0", signs(rng, 1, CHANNELS, CHANNELS) * ratio * gain[:, None], binary=True)
    block = FoldedPopulation("layer1", (small, binary(rng, gain)), np.zeros(CHANNELS), neuron(rng), ("e",))
    head = FoldedDense("layer1", np.ones((1, 4, CHANNELS)))
    stages = (folded.stages[0], block, FoldedPopulation("readout", (head,), np.zeros(4), None, ()))
    quantized, report = quantize(FoldedNetwork(folded.input, STEPS, stages, "network"))
    second, first = quantized.populations[1].projections
    assert (first.bits, second.bits) == bits
    assert tuple(int(abs(p.weight).max()) for p in (first, second)) == weight
    assert tuple(int(abs(p.weight).min()) for p in (first, second)) == weight
    assert report.layers[1].binary_rounded == (ratio != 1)
    assert report.layers[1].weight_rms < 0.125
    assert report.layers[1].weights_clipped == 0

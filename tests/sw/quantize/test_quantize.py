"""Rounding a folded network: errors within bounds, the rules of docs/numerics.md, and what it may not do."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from folded_reference import as_arrays, as_tensors
from sklearn.datasets import load_digits

from spikefold import nn
from spikefold.errors import InputError, ModelError
from spikefold.fold import FoldedDense, FoldedNetwork, FoldedNeuron, FoldedPopulation, fold
from spikefold.golden import Golden, accuracy
from spikefold.ir import Input, load_network, population_bounds, save_network
from spikefold.quantize import quantizer
from spikefold.quantize.rounding import round_threshold, round_weight
from spikefold.quantize.scales import CANDIDATES, weight_scale, with_floor


def quantize(folded, **options):
    """Quantize a network written in numpy."""
    return quantizer.quantize(as_tensors(folded), **options)


def folded_network(rng, *, steps=2, per_step=True, leak=0.5, channels=24, size=40):
    """A hidden population and a readout with random real parameters."""
    sets = steps if per_step else 1
    hidden = FoldedPopulation(
        "layer0",
        (FoldedDense("input", rng.normal(0, rng.uniform(0.1, 3, (1, channels, 1)), (1, channels, size))),),
        rng.normal(0, 1, channels),
        FoldedNeuron(rng.uniform(0.5, 20, (sets, channels)), 4, "half_up", "subtract", leak),
        ("dense", "neuron"),
    )
    readout = FoldedPopulation(
        "readout",
        (FoldedDense("layer0", rng.normal(0, 1, (sets, 10, channels))),),
        rng.normal(0, 1, 10),
        None,
        ("head", "out"),
    )
    return FoldedNetwork(Input((size,), 16), steps, (hidden, readout), "network")


@pytest.fixture(scope="module")
def digits():
    """A PIT network trained for a moment on real digits: folded network, samples, labels, float classes."""
    torch.manual_seed(0)
    data = load_digits()
    x, y = torch.tensor(data.data, dtype=torch.float32), torch.tensor(data.target)
    model = nn.models.mlp(64, [48], 10, steps=2, maximum=16.0)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        classes = model(x).argmax(1).numpy()
    assert (classes == data.target).mean() > 0.97
    return as_arrays(fold(model, "digits")), x.numpy(), data.target, classes


@pytest.mark.parametrize("method", ["max", "mse"])
def test_eight_bits_agree_with_the_float_network(digits, method):
    folded, x, _, classes = digits
    network, _ = quantize(folded, weight_bits=8, method=method)
    assert accuracy(network, x, classes) >= 0.99


def test_four_bits_lose_at_most_one_point(digits):
    folded, x, labels, classes = digits
    network, _ = quantize(folded)
    assert accuracy(network, x, labels) >= (classes == labels).mean() - 0.01


def test_logits_have_the_stated_unit(digits):
    folded, x, _, _ = digits
    coarse, fine = (quantize(folded, weight_bits=bits)[0] for bits in (7, 8))
    logits = [Golden(n).run(n.input.encode(x, n.steps)).logits * n.readout.scale for n in (coarse, fine)]
    assert np.corrcoef(logits[0].ravel(), logits[1].ravel())[0, 1] > 0.995
    assert np.polyfit(logits[0].ravel(), logits[1].ravel(), 1)[0] == pytest.approx(1, abs=0.01)


def test_more_bits_lose_less(digits):
    folded, _, _, _ = digits
    for method in ("max", "mse"):
        losses = [quantize(folded, weight_bits=b, method=method)[1].layers[0].weight_rms for b in range(2, 9)]
        assert losses == sorted(losses, reverse=True)
        assert losses[-1] < 0.02


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


def test_readout_has_one_scale():
    network, _ = quantize(folded_network(np.random.default_rng(0)))
    assert len(set(network.readout.scale)) == 1
    assert network.readout.fraction == 0


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


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("method", ["max", "mse"])
@pytest.mark.parametrize("size", [0.0, 1e-310, 1e-30, 1e-6])
def test_dead_channels_do_not_widen_the_population(size, method, bits):
    folded = folded_network(np.random.default_rng(4))
    plain, _ = quantize(folded, weight_bits=bits, method=method)
    weight = folded.populations[0].projections[0].weight
    weight[0, 3] *= size
    folded.populations[0].bias[3] = -5.0
    network, report = quantize(folded, weight_bits=bits, method=method)
    dead, alive = network.populations[0], plain.populations[0]
    assert report.layers[0].scales_raised == 1
    median = np.median(alive.neuron.threshold.max(axis=0) / (1 << alive.fraction))
    assert dead.fraction == alive.fraction
    limit = 16 * max(64, 1.1 * median)
    if bits == 1:  # 40 sources of 16 levels together are a 16th of the smaller threshold of the two steps
        smaller = dead.neuron.threshold[:, 3].min() / (1 << dead.fraction)
        assert smaller == pytest.approx(16 * 40 * 16, rel=1e-3)
        limit = smaller * np.divide(*sorted(folded.populations[0].neuron.threshold[:, 3])[::-1]) * 1.01
    assert dead.neuron.threshold.max() / (1 << dead.fraction) <= limit <= 1 << 16
    others = np.arange(24) != 3
    np.testing.assert_array_equal(
        dead.projections[0].weight[:, others], alive.projections[0].weight[:, others]
    )
    if bits > 1:
        assert not dead.projections[0].weight[0, 3].any()
    real = folded.populations[0].neuron.threshold[:, 3]
    np.testing.assert_allclose(dead.neuron.threshold[:, 3] * dead.scale[3], real, rtol=0.02)


def test_a_population_of_dead_channels_is_still_exact():
    folded = folded_network(np.random.default_rng(5))
    for population in folded.populations:
        population.projections[0].weight[:] = 0
    network, report = quantize(folded)
    assert not any(p.projections[0].weight.any() for p in network.populations)
    assert report.layers[0].scales_raised == 24
    run = Golden(network).run(np.zeros((1, 1, 40), np.int64))
    wanted = folded.populations[1].bias
    np.testing.assert_allclose(run.logits[0] * network.readout.scale, wanted, atol=1e-3)
    assert json.loads(json.dumps(report.to_json()))["layers"][0]["weight_rms"] == 0


def test_a_readout_of_zeros_is_zero():
    folded = folded_network(np.random.default_rng(6))
    folded.populations[1].projections[0].weight[:] = 0
    folded.populations[1].bias[:] = 0
    network, _ = quantize(folded)
    assert not network.readout.bias.any()
    assert (network.readout.scale == 1 / folded.steps).all()


@pytest.mark.parametrize("factor", [1e-100, 1e-12, 1e12, 1e100])
@pytest.mark.parametrize("method", ["max", "mse"])
def test_the_unit_of_real_numbers_does_not_matter(method, factor):
    folded = folded_network(np.random.default_rng(7))
    expected, _ = quantize(folded, method=method)
    for population in folded.populations:
        population.projections[0].weight[:] *= factor
        population.bias[:] *= factor
    folded.populations[0].neuron.threshold[:] *= factor
    network, _ = quantize(folded, method=method)
    for p, q in zip(network.populations, expected.populations, strict=True):
        np.testing.assert_array_equal(p.projections[0].weight, q.projections[0].weight)
        np.testing.assert_array_equal(p.bias, q.bias)
        np.testing.assert_allclose(p.scale, q.scale * factor)


def test_least_squares_is_no_worse_than_any_candidate():
    rng = np.random.default_rng(8)
    weight = torch.from_numpy(rng.standard_t(3, (2, 12, 200)))

    def error(scale, bits):
        return ((round_weight(weight, bits, scale) * scale[:, None] - weight) ** 2).sum((0, 2))

    for bits in (2, 3, 4, 8):
        largest = weight_scale([(weight, bits)], "max")
        best = weight_scale([(weight, bits)], "mse")
        for fraction in CANDIDATES:
            assert (error(best, bits) <= error(largest * fraction, bits) + 1e-12).all()
        if bits < 8:
            assert (error(best, bits) < 0.9 * error(largest, bits)).all()
    mean = weight_scale([(weight, 1)], "mse")
    for fraction in (0.98, 1.02):
        assert (error(mean, 1) < error(mean * fraction, 1)).all()


def test_projections_share_one_scale():
    rng = np.random.default_rng(9)
    one, two = rng.normal(0, 1, (1, 5, 8)), rng.normal(0, 4, (3, 5, 9))
    shared = weight_scale([(torch.from_numpy(one), 4), (torch.from_numpy(two), 8)], "max")
    np.testing.assert_allclose(
        shared, np.maximum(abs(one).max(axis=(0, 2)) / 7, abs(two).max(axis=(0, 2)) / 127)
    )


def test_floor_leaves_ordinary_channels_alone():
    scale = torch.tensor([1.0, 2.0, 0.5, 1.5])
    threshold = torch.tensor([[10.0, 160.0, 60.0, 50.0]])
    assert torch.equal(with_floor(scale, threshold, torch.tensor([100.0, -900, 3, 4])), scale)
    assert with_floor(scale, threshold, torch.tensor([1e6, 0, 0, 0]))[0] == 1e6 / 1024


def test_floor_spares_biases_where_thresholds_are_small():
    """Thresholds of a tenth of a weight step, as coarse weights have them, beside ordinary biases."""
    scale, threshold = torch.ones(4), torch.full((1, 4), 0.1)
    assert torch.equal(with_floor(scale, threshold, torch.tensor([100.0, -900, 3, 4])), scale)


def test_the_floor_goes_by_the_median_of_live_channels():
    """Half of 100 and 140 of four live channels, of three 100; a dead one does not count."""
    scale, threshold = torch.ones(4), torch.tensor([[100.0, 140.0, 90.0, 500.0]])
    offset = torch.tensor([0.0, 0.0, 1e6, 0.0])
    assert with_floor(scale, threshold, offset)[2] == 1e6 / (16 * 120)
    scale[1] = 0
    assert with_floor(scale, threshold, offset)[2] == 1e6 / (16 * 100)


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


def test_a_capped_membrane_is_passed_on():
    network, _ = quantize(folded_network(np.random.default_rng(11)), membrane_bits=12)
    assert network.populations[0].neuron.membrane_bits == 12


def test_input_steps_and_name_are_kept(digits):
    folded, _, _, _ = digits
    network, _ = quantize(folded)
    assert network.name == "digits"
    assert network.steps == 2
    assert network.input is folded.input


def test_storage_keeps_a_quantized_network(digits, tmp_path):
    folded, x, _, _ = digits
    network, _ = quantize(folded)
    save_network(network, tmp_path / "network.npz")
    again = load_network(tmp_path / "network.npz")
    levels = network.input.encode(x, network.steps)
    np.testing.assert_array_equal(Golden(again).run(levels).logits, Golden(network).run(levels).logits)
    np.testing.assert_array_equal(again.readout.scale, network.readout.scale)


def test_results_are_reproducible(digits):
    folded, _, _, _ = digits
    for method in ("max", "mse"):
        one, two = (quantize(folded, method=method) for _ in range(2))
        assert one[1].to_json() == two[1].to_json()
        for p, q in zip(one[0].populations, two[0].populations, strict=True):
            np.testing.assert_array_equal(p.projections[0].weight, q.projections[0].weight)


def test_report_is_json_and_text(digits):
    _, report = quantize(digits[0])
    data = json.loads(json.dumps(report.to_json()))
    assert [layer["name"] for layer in data["layers"]] == ["layer0", "readout"]
    assert data["layers"][1]["leak"] is None
    assert str(report).splitlines()[0].startswith("layer0: 4-bit weights, error ")


def test_membranes_stay_within_their_bounds(digits):
    folded, x, _, _ = digits
    network, _ = quantize(folded)
    run = Golden(network).run(network.input.encode(x, 2), record=True)
    for population in network.populations:
        low, high = population_bounds(network, population).membrane
        assert low <= run.membranes[population.name].min()
        assert run.membranes[population.name].max() <= high


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

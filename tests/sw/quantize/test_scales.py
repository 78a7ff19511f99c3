"""The scale of each channel: what it goes by, and what it must not go by."""

import json

import numpy as np
import pytest
import torch
from quantize_case import folded_network, quantize

from spikefold.golden import Golden
from spikefold.quantize.rounding import round_weight
from spikefold.quantize.scales import CANDIDATES, weight_scale, with_floor


def test_readout_has_one_scale():
    network, _ = quantize(folded_network(np.random.default_rng(0)))
    assert len(set(network.readout.scale)) == 1
    assert network.readout.fraction == 0


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

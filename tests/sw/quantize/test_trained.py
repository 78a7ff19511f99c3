"""A trained network on real digits: what quantizing loses of it, and what it keeps."""

import json

import numpy as np
import pytest
import torch
from folded_reference import as_arrays
from quantize_case import quantize
from sklearn.datasets import load_digits

from spikefold import nn
from spikefold.fold import fold
from spikefold.golden import Golden, accuracy
from spikefold.ir import load_network, population_bounds, save_network


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

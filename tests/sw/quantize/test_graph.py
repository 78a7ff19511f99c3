"""Rounding convolutions, identities and their scales; the integer network of a whole residual network."""

import numpy as np
import pytest
import torch
from folded_reference import as_arrays, randomize
from small_networks import build, images, sew

from spikefold import nn
from spikefold.errors import InputError
from spikefold.fold import fold
from spikefold.golden import Golden
from spikefold.ir import Add, Conv, Dense, Identity
from spikefold.quantize import quantize
from spikefold.quantize.rounding import round_weight


def residual(net, x):
    x = net.fire0(net.norm0(net.stem(net.source(x))))
    y = net.conv2(net.fire1(net.norm1(net.conv1(x))))
    return net.out(net.head(net.flat(net.fire2(net.norm2(y + x)))))


def scale_of(population):
    return population.scale * (1 << population.fraction)


@pytest.mark.parametrize("method", ["max", "mse"])
@pytest.mark.parametrize(("bits", "identity_bits"), [(4, 8), (8, 4), (2, 3)])
def test_one_scale_serves_all_projections(method, bits, identity_bits):
    folded = fold(build(residual, 2, 4))
    network, report = quantize(folded, weight_bits=bits, identity_bits=identity_bits, method=method)
    real, block = as_arrays(folded).populations[2], network.populations[2]
    assert [p.bits for p in block.projections] == [bits, identity_bits]
    assert [type(p) for p in block.projections] == [Conv, Identity]
    assert report.layers[2].weight_bits == bits
    if method == "max":
        largest = [abs(p.flat).max(axis=(0, 2)) for p in real.projections]
        limits = [(1 << (b - 1)) - 1 for b in (bits, identity_bits)]
        wanted = np.maximum(largest[0] / limits[0], largest[1] / limits[1])
        np.testing.assert_allclose(scale_of(block), wanted)
        for p, q in zip(real.projections, block.projections, strict=True):
            error = q.flat * scale_of(block)[:, None] - p.flat
            assert (abs(error) <= scale_of(block)[:, None] / 2 * (1 + 1e-9)).all()
    wanted = np.concatenate([p.weight.ravel() for p in real.projections])
    got = np.concatenate([(p.flat * scale_of(block)[:, None]).ravel() for p in block.projections])
    assert report.layers[2].weight_rms == pytest.approx(
        np.sqrt(((got - wanted) ** 2).mean() / (wanted**2).mean())
    )


def test_geometry_is_kept():
    model = nn.Sequential(
        nn.Input((2, 9, 8), 7, steps=2),
        nn.Conv2d(2, 6, (3, 2), (2, 1), (1, 0), 2),
        nn.PIT(6, 3, 2),
        nn.MaxPool2d(2, 1),
        nn.AvgPool2d((1, 2), padding=(0, 1)),
        nn.Flatten(),
        nn.Dense(6 * 4 * 4, 3),
        nn.Readout(),
    )
    network, _ = quantize(fold(randomize(model, 0)))
    conv, peak, mean, head = network.stages
    assert (conv.projections[0].stride, conv.projections[0].padding) == ((2, 1), (1, 0))
    assert conv.projections[0].groups == 2
    assert (peak.pooling, peak.kernel, peak.stride) == ("max", (2, 2), (1, 1))
    assert (mean.pooling, mean.kernel, mean.padding) == ("sum", (1, 2), (0, 1))
    assert isinstance(head.projections[0], Dense)
    assert {name: tuple(m) for name, m in network.maps.items()} == {
        "input": (2, 9, 8),
        "layer0": (6, 5, 7),
        "pool0": (6, 4, 6),
        "pool1": (6, 4, 4),
        "readout": (3, 1, 1),
    }


def test_weight_bits_go_by_population():
    network, report = quantize(fold(build(residual)), weight_bits={"layer2": 6, "layer0": 1}, identity_bits=5)
    bits = {p.name: [q.bits for q in p.projections] for p in network.populations}
    assert bits == {"layer0": [1], "layer1": [4], "layer2": [6, 5], "readout": [4]}
    assert [layer.weight_bits for layer in report.layers] == [1, 4, 6, 4]


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 7), (2, 5, 3, 2, 3)])
def test_every_shape_of_weight_rounds_alike(bits, shape):
    rng = np.random.default_rng(bits)
    weight, scale = torch.from_numpy(rng.normal(0, 3, shape)), torch.from_numpy(rng.uniform(0.1, 1, 5))
    flat = round_weight(weight.reshape(2, 5, -1), bits, scale)
    assert torch.equal(round_weight(weight, bits, scale).reshape(flat.shape), flat)


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("steps", [1, 3])
def test_eight_bits_answer_nearly_as_the_model(steps, tie):
    model = build(sew, steps, 4)
    if tie:
        nn.tie_scales(model.fire0, model.fire1, model.fire2)
    x = images(samples=60)
    with torch.no_grad():
        expected = model(x).numpy()
    network, _ = quantize(fold(model), weight_bits=8)
    assert sum(isinstance(stage, Add) for stage in network.stages) == (2 if tie else 0)
    run = Golden(network).run(network.input.encode(x.numpy(), steps))
    logits = run.logits * network.readout.scale
    assert np.corrcoef(logits.ravel(), expected.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("value", [0, 9, 4.0, True])
def test_identity_bits_are_checked(value):
    with pytest.raises(InputError, match=rf"^Identity bits must be 1\.\.8, not {value}$"):
        quantize(fold(build(residual)), identity_bits=value)

"""Convolutions, residual sums and padded inputs: the folded network against the model's own forward."""

import numpy as np
import pytest
import torch
from folded_reference import check, randomize
from small_networks import NORMALISED, TXD, Net, build, images, kinds, sequential, sew

from spikefold import ir, nn
from spikefold.fold import FoldedConv, FoldedDense, FoldedIdentity


@pytest.mark.parametrize(("steps", "levels"), TXD)
@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "groups"),
    [(3, 1, 1, 1), ((3, 2), (2, 1), (1, 0), 1), (1, 1, 0, 2), (5, 3, 2, 2), ((1, 3), 1, (0, 2), 4)],
)
def test_convolutions(steps, levels, kernel, stride, padding, groups):
    model = sequential(
        nn.Conv2d(2, 8, 3),
        nn.BatchNorm(8),
        nn.PIT(8, levels, steps),
        nn.Conv2d(8, 4, kernel, stride, padding, groups, bias=False),
        nn.BatchNorm(4),
        nn.PIT(4, levels, steps),
        nn.Flatten(),
        steps=steps,
        **NORMALISED,
    )
    with torch.no_grad():
        features = model(images(samples=2)).shape[-1]
    model = randomize(nn.Sequential(*model, nn.Dense(features, 3), nn.Readout()), 1)
    folded = check(model, images(1))
    first, second = (p.projections[0] for p in folded.populations[:2])
    assert isinstance(first, FoldedConv)
    assert (second.weight.shape[0], second.groups) == (steps, groups)
    assert isinstance(folded.populations[2].projections[0], FoldedDense)


@pytest.mark.parametrize(("steps", "levels"), TXD)
def test_scales_without_time_give_one_weight_set(steps, levels):
    model = sequential(
        nn.Conv2d(2, 4, 3, padding=1),
        nn.PIT(4, levels, steps, per_step=False),
        nn.Conv2d(4, 5, 3, bias=False),
        nn.PIT(5, levels, steps),
        nn.Flatten(),
        nn.Dense(5 * 7 * 6, 3),
        nn.Readout(),
        steps=steps,
    )
    folded = check(model, images())
    assert [len(p.projections[0].weight) for p in folded.populations] == [1, 1, steps]
    assert folded.populations[0].neuron.threshold.shape == (1, 4)


@pytest.mark.parametrize(("steps", "levels"), TXD)
def test_shortcuts_of_spikes_into_currents(steps, levels):
    def connect(net, x):
        x = net.fire0(net.norm0(net.stem(net.source(x))))
        y = net.conv2(net.fire1(net.norm1(net.conv1(x))))
        return net.out(net.head(net.flat(net.fire2(net.norm2(y + x)))))

    folded = check(build(connect, steps, levels), images())
    block = folded.populations[2]
    assert kinds(block) == ["conv", "identity"]
    assert block.modules == ("conv2", "add", "norm2", "fire2")
    assert [p.source for p in block.projections] == ["layer1", "layer0"]
    assert block.projections[1].weight.shape == (steps, 5)


@pytest.mark.parametrize(("steps", "levels"), TXD)
def test_shortcuts_with_their_own_norms_and_convolutions(steps, levels):
    def connect(net, x):
        x = net.fire0(net.norm0(net.stem(net.source(x))))
        y = net.norm1(net.conv2(net.fire1(net.conv1(x))))
        total = net.total(net.side_norm(x), y, net.side(x))
        return net.out(net.head(net.flat(net.fire2(net.norm2(total)))))

    extra = {"side_norm": nn.BatchNorm(5), "side": nn.Conv2d(5, 5, 1, groups=5), "total": nn.Add()}
    folded = check(build(connect, steps, levels, **extra), images())
    block = folded.populations[2]
    assert kinds(block) == ["identity", "conv", "conv"]
    assert block.modules == ("conv2", "norm1", "side_norm", "side", "total", "norm2", "fire2")


@pytest.mark.parametrize(("steps", "levels"), TXD)
def test_batch_norms_of_spikes(steps, levels):
    """Into the convolution after it, with and without a neuron between; signs of either kind."""

    def connect(net, x):
        x = net.fire0(net.stem(net.source(x)))
        y = net.fire1(net.norm1(net.norm0(x)))
        z = net.wide(net.norm2(y))
        return net.out(net.head(net.flat(net.fire2(z))))

    folded = check(build(connect, steps, levels, wide=nn.Conv2d(5, 5, 1)), images())
    lone = folded.populations[1]
    assert kinds(lone) == ["conv"]
    assert lone.projections[0].weight.shape == (steps, 5, 1, 1, 1)
    assert lone.projections[0].groups == 5
    assert lone.modules == ("norm0", "norm1", "fire1")
    assert folded.populations[2].modules == ("norm2", "wide", "fire2")


@pytest.mark.parametrize(("steps", "levels"), TXD)
def test_sums_of_spikes_of_one_scale_are_sums_of_levels(steps, levels):
    model = build(sew, steps, levels)
    nn.tie_scales(model.fire0, model.fire1, model.fire2)
    folded = check(model, images())
    names = [stage.name for stage in folded.stages]
    assert names == ["layer0", "layer1", "sum0", "layer2", "sum1", "readout"]
    assert folded.stages[2].sources == ("layer1", "layer0")
    assert folded.stages[4].sources == ("layer2", "sum0")
    assert [p.source for p in folded.populations[2].projections] == ["sum0"]


@pytest.mark.parametrize(("steps", "levels"), TXD)
def test_sums_of_spikes_of_many_scales_are_several_projections(steps, levels):
    folded = check(build(sew, steps, levels), images())
    assert [p.source for p in folded.populations[2].projections] == ["layer1", "layer0"]
    assert kinds(folded.populations[-1]) == ["dense"] * 3
    assert folded.populations[2].modules == ("add", "conv2", "norm2", "fire2")


def test_sums_pass_over_to_several_projections_at_255_levels():
    def connect(net, x):
        x = net.fire0(net.norm0(net.stem(net.source(x))))
        y = net.fire1(net.norm1(net.conv1(x))) + x
        return net.out(net.head(net.flat(y)))

    for levels, sums in ((127, 1), (128, 0)):
        model = build(connect, 1, levels)
        nn.tie_scales(model.fire0, model.fire1)
        folded = check(model, images())
        assert sum(isinstance(stage, ir.Add) for stage in folded.stages) == sums


def test_the_input_may_be_a_shortcut():
    def connect(net, x):
        x = net.source(x)
        y = net.fire1(net.conv(x) + x)
        return net.out(net.head(net.flat(y)))

    layers = {
        "source": nn.Input((2, 9, 8), 7, **NORMALISED),
        "conv": nn.Conv2d(2, 2, 1),
        "fire1": nn.PIT(2, 3),
        "flat": nn.Flatten(),
        "head": nn.Dense(144, 3),
        "out": nn.Readout(),
    }
    folded = check(randomize(Net(connect, **layers), 0), images())
    assert isinstance(folded.populations[0].projections[1], FoldedIdentity)


@pytest.mark.parametrize("pad", [1, (2, 1)])
@pytest.mark.parametrize("steps", [1, 2])
def test_padded_inputs(pad, steps):
    rows, columns = pad if isinstance(pad, tuple) else (pad, pad)
    model = sequential(
        nn.Conv2d(2, 4, 3),
        nn.PIT(4, 4, steps),
        nn.Flatten(),
        nn.Dense(4 * (7 + 2 * rows) * (6 + 2 * columns), 3),
        nn.Readout(),
        steps=steps,
        pad=pad,
        levels=15,
        **NORMALISED,
    )
    folded = check(model, images())
    assert folded.input.padding == (rows, columns)
    assert folded.input.pad_levels == (6, 3)


@pytest.mark.parametrize("pad", [0, 1])
def test_zeros_that_are_levels_go_into_the_input(pad):
    """The mean 0.4 is level 6 of 15, and 0.2 is level 3."""
    model = sequential(
        torch.nn.Identity(),
        nn.Conv2d(2, 4, 3, 2, (1, 2)),
        nn.BatchNorm(4),
        nn.PIT(4, 4),
        nn.Flatten(),
        nn.Dense(4 * (5 + pad) * (5 + pad), 3),
        nn.Readout(),
        levels=15,
        pad=pad,
        **NORMALISED,
    )
    folded = check(model, images())
    assert folded.input.padding == (1 + pad, 2 + pad)
    assert folded.input.pad_levels == (6, 3)
    assert folded.populations[0].projections[0].padding == (0, 0)


def test_padding_needs_nothing_where_zero_is_silence():
    model = sequential(nn.Conv2d(2, 4, 3, padding=1), nn.PIT(4), nn.Flatten(), nn.Dense(288, 3), nn.Readout())
    folded = check(model, images())
    assert folded.input.padding == (0, 0)
    assert folded.populations[0].projections[0].padding == (1, 1)


def test_values_read_by_several_layers_are_folded_once():
    def connect(net, x):
        x = net.fire0(net.norm0(net.stem(net.source(x))))
        return net.out(net.head(net.flat(net.fire1(net.conv1(x)) + net.fire2(net.conv2(x)) + x)))

    folded = check(build(connect, 2, 2), images())
    assert [p.name for p in folded.populations] == ["layer0", "layer1", "layer2", "readout"]
    assert [len(p.projections) for p in folded.populations] == [1, 1, 1, 3]
    np.testing.assert_array_equal(folded.populations[0].projections[0].weight.shape, (1, 5, 2, 3, 3))

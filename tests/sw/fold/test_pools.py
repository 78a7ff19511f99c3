"""Pools of spikes and of currents, as units and composed: the folded network against the model's forward."""

import pytest
import torch
from folded_reference import check
from small_networks import NORMALISED, TXD, build, images, kinds, pools, sequential

from spikefold import nn


def pooled_model(pool, head, steps, levels, width=6):
    """conv - norm - neuron - pool - head - readout over 2x9x8 images."""
    return sequential(
        nn.Conv2d(2, width, 2, bias=False),
        nn.BatchNorm(width),
        nn.PIT(width, levels, steps),
        pool,
        torch.nn.Dropout(0.3),
        *head,
        nn.Readout(),
        steps=steps,
    )


def conv_head(features, steps, levels, kernel=2, stride=1, padding=0, groups=1, width=6):
    return (
        nn.Conv2d(width, 4, kernel, stride, padding, groups),
        nn.BatchNorm(4),
        nn.PIT(4, levels, steps),
        nn.Flatten(),
        nn.Dense(features, 3),
    )


@pytest.mark.parametrize("pooling", ["unit", "compose", "auto"])
@pytest.mark.parametrize(("steps", "levels"), TXD)
@pytest.mark.parametrize(
    ("window", "head", "exact"),
    [
        # maps of 8x7 before the pool
        ((2,), {"features": 4 * 3 * 2}, True),
        ((2, 2, 1), {"features": 4 * 4 * 3}, True),
        ((3, 2), {"features": 4 * 2 * 2, "groups": 2}, True),
        ((2, 3), {"features": 4 * 2 * 1}, True),
        (((2, 1), (2, 1)), {"features": 4 * 5 * 8, "padding": 1}, True),
        (((2, 1), (2, 1)), {"features": 4 * 3 * 4, "padding": 1, "stride": 2}, True),
        (((1, 3), (1, 2), (0, 1)), {"features": 4 * 7 * 5, "padding": (0, 1)}, True),
        ((2,), {"features": 4 * 5 * 4, "padding": 1}, False),  # the last column is in no window
        ((3, 2, 1), {"features": 4 * 5 * 5, "padding": 1}, False),  # padding reaches into the map
    ],
)
def test_average_pools_of_spikes(pooling, steps, levels, window, head, exact):
    model = pooled_model(nn.AvgPool2d(*window), conv_head(steps=steps, levels=levels, **head), steps, levels)
    folded = check(model, images(), pooling)
    composed = not pools(folded)
    if pooling != "auto":
        assert composed == (exact and pooling == "compose")
    assert ("4" in folded.populations[1].modules) == composed


@pytest.mark.parametrize("pooling", ["unit", "compose"])
@pytest.mark.parametrize(("steps", "levels"), TXD)
@pytest.mark.parametrize("window", [(2,), (3, 2), (3, 2, 1), ((2, 4), (3, 2), (1, 2))])
def test_average_pools_before_dense_layers(pooling, steps, levels, window):
    pool = nn.AvgPool2d(*window)
    features = pool(torch.zeros(1, 1, 6, 8, 7)).numel()
    head = (nn.Flatten(), torch.nn.Identity(), nn.Dense(features, 3), nn.BatchNorm(3))
    folded = check(pooled_model(pool, head, steps, levels), images(), pooling)
    assert len(pools(folded)) == (pooling == "unit")
    assert folded.populations[1].projections[0].weight.shape[2] == (
        6 * 8 * 7 if pooling == "compose" else features
    )


@pytest.mark.parametrize(("width", "units"), [(6, 0), (12, 1)])
def test_auto_takes_what_needs_fewer_bits(width, units):
    """A (2, 1) pool of 7 columns, 6 channels of level 15 and 4 steps before `width` weights in 4 sets.

    With a unit 8 positions of 4 bits wait, then one of 5 bits: 768 + 120 bits, and 16 for each weight.
    Composed there are 8 positions of 4 bits and twice the weights: 768 bits, and 32 for each weight.
    """
    head = (
        nn.Conv2d(6, width, 1, groups=6, bias=False),
        nn.BatchNorm(width),
        nn.PIT(width, 15, 4),
        nn.Flatten(),
        nn.Dense(width * 4 * 7, 3),
    )
    folded = check(pooled_model(nn.AvgPool2d((2, 1)), head, 4, 15), images())
    assert len(pools(folded)) == units
    assert folded.populations[1].projections[0].weight.shape == (4, width, 1, 2 - units, 1)


def test_auto_leaves_overlapping_windows_to_a_unit():
    head = (nn.Conv2d(6, 6, (2, 1), groups=6), nn.PIT(6, 15, 4), nn.Flatten(), nn.Dense(6 * 5 * 7, 3))
    folded = check(pooled_model(nn.AvgPool2d((3, 1), 1), head, 4, 15), images())
    assert len(pools(folded)) == 1


def test_auto_composes_what_a_unit_cannot_sum():
    model = pooled_model(nn.GlobalAvgPool(), (nn.Flatten(), nn.Dense(6, 3)), 1, 5)
    folded = check(model, images())  # 56 positions of level 5 are 280
    assert not pools(folded)
    assert folded.populations[1].projections[0].weight.shape == (1, 3, 6 * 56)
    model = pooled_model(nn.GlobalAvgPool(), (nn.Flatten(), nn.Dense(6, 3)), 1, 4)
    assert len(pools(check(model, images()))) == 1


def test_pools_of_pools():
    head = (nn.MaxPool2d(2, 1), nn.AvgPool2d(2, 1, 1), nn.GlobalAvgPool(), nn.Flatten(), nn.Dense(6, 3))
    folded = check(pooled_model(nn.AvgPool2d(2, 1), head, 1, 2), images())
    assert [pool.pooling for pool in pools(folded)] == ["sum", "max", "sum"]
    assert [pool.name for pool in pools(folded)] == ["pool0", "pool1", "pool2"]


@pytest.mark.parametrize(("steps", "levels"), TXD)
@pytest.mark.parametrize("window", [(2,), (3, 2, 1), ((2, 3), 1, (1, 1))])
def test_max_pools_of_spikes(steps, levels, window):
    pool = nn.MaxPool2d(*window)
    features = pool(torch.zeros(1, 1, 6, 8, 7)).numel()
    folded = check(
        pooled_model(pool, (nn.Flatten(), nn.Dense(features, 3)), steps, levels), images(), "compose"
    )
    assert [stage.name for stage in folded.stages] == ["layer0", "pool0", "readout"]


@pytest.mark.parametrize(("steps", "levels"), TXD)
@pytest.mark.parametrize(
    ("conv", "window"),
    [((3,), (2,)), ((3, 1, 1), (2,)), ((3, 2, 2), (3, 2)), (((2, 3), (1, 2), (1, 2)), ((3, 1), (2, 1)))],
)
def test_average_pools_of_currents_are_composed(steps, levels, conv, window):
    layers = [nn.Conv2d(2, 6, *conv), nn.BatchNorm(6), nn.AvgPool2d(*window)]
    features = nn.Sequential(*layers).eval()(torch.zeros(1, 1, 2, 9, 8)).numel()
    model = sequential(
        *layers,
        nn.BatchNorm(6),
        nn.PIT(6, levels, steps),
        nn.Flatten(),
        nn.Dense(features, 3),
        nn.Readout(),
        steps=steps,
        static=False,
    )
    x = images().expand(steps, -1, -1, -1, -1) * torch.linspace(1, 0.5, steps).reshape(-1, 1, 1, 1, 1)
    folded = check(model, x, static=False)
    assert not pools(folded)
    assert folded.populations[0].modules == ("1", "2", "3", "4", "5")


@pytest.mark.parametrize(("steps", "leak"), [(1, 0.5), (3, 0.0)])
def test_max_pools_of_currents_move_behind_the_neuron(steps, leak):
    model = sequential(
        nn.Conv2d(2, 6, 2),
        nn.BatchNorm(6),
        nn.MaxPool2d(2),
        nn.BatchNorm(6),
        nn.MaxPool2d(2, 1, 1),
        nn.PIT(6, 4, steps, leak),
        nn.Flatten(),
        nn.Dense(6 * 5 * 4, 3),
        nn.Readout(),
        steps=steps,
    )
    with torch.no_grad():
        model[4].weight.abs_()
        model[4].weight[2] = 0.0
    folded = check(model, images())
    assert [stage.name for stage in folded.stages] == ["layer0", "pool0", "pool1", "readout"]


def test_currents_of_one_position_may_be_flattened():
    model = sequential(nn.Conv2d(2, 6, 3), nn.GlobalAvgPool(), nn.Flatten(), nn.BatchNorm(6), nn.Readout())
    folded = check(model, images())
    assert folded.populations[0].projections[0].weight.shape == (1, 6, 2, 9, 8)


@pytest.mark.parametrize("pooling", ["unit", "compose"])
def test_average_pools_of_sums(pooling):
    def connect(net, x):
        x = net.fire0(net.norm0(net.stem(net.source(x))))
        y = net.pool(net.fire1(net.norm1(net.conv1(x))) + x)
        return net.out(net.small(net.flat(net.fire2(net.conv2(y)))))

    extra = {"pool": nn.AvgPool2d(2), "small": nn.Dense(5 * 4 * 4, 3)}
    model = build(connect, 2, 3, **extra)
    folded = check(model, images(), pooling)
    assert len(pools(folded)) == 2  # its zeros would reach the row that no window has
    model.conv2.padding, model.small = (0, 0), nn.Dense(5 * 2 * 2, 3).double()
    folded = check(model, images(), pooling)
    assert len(pools(folded)) == (2 if pooling == "unit" else 0)
    assert len(folded.populations[2].projections) == 2


def test_a_pool_read_by_a_sum_is_a_unit():
    def connect(net, x):
        x = net.pool(net.fire0(net.norm0(net.stem(net.source(x)))))
        return net.out(net.small(net.flat(net.fire2(net.conv2(x) + x))))

    model = build(connect, 2, 3, pool=nn.AvgPool2d((1, 2)), small=nn.Dense(5 * 9 * 4, 3))
    folded = check(model, images(), "compose")
    assert len(pools(folded)) == 1
    assert [p.source for p in folded.populations[1].projections] == ["pool0", "pool0"]


def test_average_pools_of_residual_currents():
    def connect(net, x):
        x = net.fire0(net.norm0(net.stem(net.source(x))))
        y = net.norm1(net.pool(net.conv1(x) + net.side_norm(x)))
        return net.out(net.small(net.flat(net.fire2(y))))

    extra = {"pool": nn.AvgPool2d((2, 3), 2), "side_norm": nn.BatchNorm(5), "small": nn.Dense(5 * 4 * 3, 3)}
    folded = check(build(connect, 3, 2, **extra), images())
    assert kinds(folded.populations[1]) == ["conv", "conv"]
    assert [p.weight.shape[1:] for p in folded.populations[1].projections] == [(5, 5, 4, 5), (5, 1, 2, 3)]


@pytest.mark.parametrize("pooling", ["unit", "compose"])
def test_pools_of_normalised_inputs(pooling):
    model = sequential(
        nn.MaxPool2d(2, 1),
        nn.AvgPool2d(2),
        nn.Conv2d(2, 4, 2),
        nn.PIT(4),
        nn.Flatten(),
        nn.Dense(4 * 3 * 2, 3),
        nn.Readout(),
        **NORMALISED,
    )
    folded = check(model, images(), pooling)
    assert len(pools(folded)) == (2 if pooling == "unit" else 1)

"""Worst-case ranges: never exceeded, and reached where an input can reach them."""

from itertools import product

import numpy as np
import pytest
from random_networks import (
    LEAK_NAMES,
    LEAKS,
    random_graph,
    random_graph_levels,
    random_levels,
    random_network,
    scalar_run,
)
from scalar_reference import scalar_sums

from spikefold.errors import ModelError
from spikefold.ir import (
    Add,
    Conv,
    Dense,
    Identity,
    Input,
    Map,
    Network,
    Neuron,
    Pool,
    Population,
    ShiftSum,
    ShiftSums,
    population_bounds,
)
from spikefold.ir.bounds import signed_bits
from spikefold.ir.neuron import ladder_weights


@pytest.mark.parametrize(
    ("ranges", "bits"),
    [
        (((0, 0),), 1),
        (((-1, 0),), 1),
        (((0, 1),), 2),
        (((-128, 127),), 8),
        (((-129, 0),), 9),
        (((0, 128), (-3, 1)), 9),
    ],
)
def test_widths_of_ranges(ranges, bits):
    assert signed_bits(*ranges) == bits


def ladder_values(neuron, step, u):
    """Everything the ladder forms from saturated potentials (channels, rows, columns)."""
    theta, half = (row[:, None, None] for row in neuron.at(step))
    rest = u + half
    values = [u, rest]
    weights, level = ladder_weights(neuron.levels, neuron.rounding), 0
    for k, weight in enumerate(weights):
        multiple = weight * theta
        if neuron.rounding == "half_even" and k == len(weights) - 1:
            multiple = theta | 1
        values.append(rest - multiple)
        taken = (values[-1] >= 0) & (level < neuron.levels)
        rest, level = np.where(taken, values[-1], rest), level + weight * taken
    return np.concatenate([v.ravel() for v in values])


def observed(network, samples):
    """Extremes of every number of `Bounds` over samples, by population."""
    runs = [scalar_run(network, sample) for sample in samples]
    found = {}
    for p in network.populations:
        parts = {"accumulator": [], "sums": [], "current": [], "potential": []}
        windows = [q for q in p.projections if not isinstance(q, Identity)]
        for t, (emitted, _, potentials, _) in product(range(network.steps), runs):
            if windows:
                parts["accumulator"].append(np.ravel(scalar_sums(windows, t, emitted)))
            sums = np.array(scalar_sums(p.projections, t, emitted))
            parts["sums"].append(sums.ravel())
            bias = p.bias_at(t)[:, None, None]
            parts["current"].append(((sums << p.fraction) + bias).ravel())
            u = np.array(potentials[p.name][t]).reshape(sums.shape)
            parts["potential"].append(u.ravel())
            if p.neuron is not None:
                parts["potential"].append(ladder_values(p.neuron, t, p.neuron.saturate(u)))
        parts["membrane"] = [np.ravel(membranes[p.name]) for _, membranes, _, _ in runs]
        found[p.name] = {
            k: (int(min(map(np.min, v))), int(max(map(np.max, v)))) for k, v in parts.items() if v
        }
    return found


def test_nothing_in_a_graph_exceeds_its_bounds():
    for seed in range(25):
        rng = np.random.default_rng([3, seed])
        network = random_graph(rng, neurons=80)
        for name, values in observed(network, random_graph_levels(rng, network, 4)).items():
            bounds = population_bounds(network, network.by_name[name])
            for field, (low, high) in values.items():
                least, most = getattr(bounds, field)
                assert least <= low <= high <= most, (seed, name, field)


def extreme_sample(network, projection, channel, sign):
    """The input levels that drive a sum of the input furthest, at the first position."""
    levels = np.zeros(network.input.levels_shape, int)
    weight = projection.at(0)[channel] * sign > 0
    if isinstance(projection, Conv):
        share = len(weight)
        first = channel // (projection.targets // projection.groups) * share
        levels[first : first + share, : weight.shape[1], : weight.shape[2]][weight] = network.input.levels
    else:
        levels[weight.reshape(levels.shape)] = network.input.levels
    return levels[None]


@pytest.mark.parametrize(
    "projection",
    [
        Dense("input", np.random.default_rng(0).integers(-8, 8, (1, 4, 36)), 4),
        Conv("input", np.random.default_rng(1).integers(-8, 8, (1, 4, 4, 3, 3)), 4),
        Conv("input", np.random.default_rng(2).integers(-8, 8, (1, 4, 2, 3, 2)), 4, (2, 1), (0, 0), 2),
        Conv("input", np.random.default_rng(3).choice([-1, 1], (1, 4, 1, 2, 2)), 1, groups=4),
    ],
    ids=lambda p: f"{type(p).__name__}-{p.weight.shape}",
)
def test_sums_of_windows_are_reached(projection):
    """Driven by the levels that suit its weights, each channel reaches its own extremes, no other bound."""
    shape = (4, 3, 3)
    hidden = Population("hidden", (projection,), np.zeros((1, 4), int), 3, Neuron(2, np.full((1, 4), 9)))
    size = projection.target_map(Map(*shape) if isinstance(projection, Conv) else Map(36)).size
    readout = Population("readout", (Dense("hidden", np.ones((1, 1, size), int), 2),), np.array([[0]]))
    network = Network(Input(shape, 7), 1, (hidden, readout))
    samples = [extreme_sample(network, projection, channel, sign) for channel in range(4) for sign in (1, -1)]
    bounds = population_bounds(network, hidden)
    values = observed(network, samples)["hidden"]
    assert values["accumulator"] == bounds.accumulator == bounds.sums
    assert values["current"] == bounds.current


def test_identities_count_in_the_sums_alone():
    """A map of one position, every one of its levels tried."""
    windows = Conv("input", np.array([3, -2]).reshape(1, 2, 1, 1, 1), 4, groups=2)
    skip = Identity("input", np.array([[-5, 7]]), 4)
    neuron = Neuron(2, np.array([[5, 5]]))
    hidden = Population("hidden", (windows, skip), np.array([[1, 0]]), 1, neuron)
    readout = Population("readout", (Dense("hidden", np.ones((1, 1, 2), int), 2),), np.array([[0]]))
    network = Network(Input((2, 1, 1), 3), 1, (hidden, readout))
    samples = np.array(list(product(range(4), repeat=2))).reshape(-1, 1, 2, 1, 1)
    bounds, values = population_bounds(network, hidden), observed(network, samples)["hidden"]
    assert bounds.accumulator == values["accumulator"] == (-6, 9)
    # The range of a sum is taken as if its sources were independent; here they are one: 3n - 5n.
    assert values["sums"] == (-6, 15)
    assert bounds.sums == (-15, 21)


def test_pools_and_sums_reach_their_levels():
    stages = (
        Pool("pool", "input", "sum", (2, 3), (1, 1), (1, 0)),
        Add("twice", ("pool", "pool")),
        Pool("top", "twice", "max", (2, 1), (2, 1)),
        Population("readout", (Dense("top", np.array([[[1], [-2]]]), 3),), np.zeros((1, 2), int)),
    )
    network = Network(Input((1, 2, 3), 5), 1, stages)
    emitted = scalar_run(network, np.full((1, 1, 2, 3), 5))[0]
    for name, most in (("input", 5), ("pool", 30), ("twice", 60), ("top", 60), ("readout", 0)):
        assert network.levels_of(name) == most == np.max(emitted[name])
    assert population_bounds(network, network.readout).sums == (-120, 60)


@pytest.mark.parametrize("reset", ["subtract", "zero", "scale", "none"])
@pytest.mark.parametrize("fire_floor", [False, True])
def test_nothing_exceeds_its_bounds(reset, fire_floor):
    rng = np.random.default_rng(fire_floor)
    for leak, cap, rounding in product(LEAK_NAMES, (None, 9), ("half_up", "half_even", "floor")):
        network = random_network(
            rng,
            steps=int(rng.integers(1, 5)),
            size=3,
            channels=3,
            levels=int(rng.choice([1, 3, 4, 15])),
            static=bool(rng.integers(2)),
            reset=reset,
            rounding=rounding,
            fire_floor=fire_floor,
            leak=leak,
            membrane_bits=cap,
        )
        for name, values in observed(network, random_levels(rng, network, 12)).items():
            bounds = population_bounds(network, network.by_name[name])
            for field, (low, high) in values.items():
                least, most = getattr(bounds, field)
                assert least <= low, (name, field, leak, cap)
                assert high <= most, (name, field, leak, cap)


def single(neuron, steps=3, weights=(3, -2), bias=1, fraction=2):
    """One spiking neuron on two inputs of levels 0..3, small enough to try every input."""
    hidden = Population(
        "hidden", (Dense("input", np.array([[weights]]), 4),), np.array([[bias]]), fraction, neuron
    )
    readout = Population("readout", (Dense("hidden", np.array([[[-8]]]), 4),), np.array([[5]]))
    return Network(Input((2,), 3, static=False), steps, (hidden, readout))


def every_sample(steps):
    return np.array(list(product(range(4), repeat=2 * steps))).reshape(-1, steps, 2)


@pytest.mark.parametrize(
    "neuron",
    [
        Neuron(2, np.array([[5]])),
        Neuron(2, np.array([[5]]), leak=LEAKS["half"]),
        Neuron(7, np.array([[5]]), rounding="floor"),
        Neuron(1, np.array([[7]]), rounding="floor", reset="zero"),
        Neuron(1, np.array([[6]]), rounding="half_even"),
        Neuron(3, np.array([[6]]), rounding="half_even", leak=LEAKS["half"]),
        Neuron(4, np.array([[4]]), rounding="half_even"),
        Neuron(3, np.array([[7]]), reset="zero", fire_floor=np.array([11])),
        Neuron(2, np.array([[5]]), reset="none"),
        Neuron(2, np.array([[5]]), reset="none", leak=LEAKS["negative"]),
        Neuron(2, np.array([[5]]), membrane_bits=5),
    ],
    ids=lambda n: f"{n.reset}-D{n.levels}-{n.leak.value}-{n.membrane_bits}",
)
def test_bounds_are_reached(neuron):
    """Over all 4096 inputs, every bound is an actual extreme."""
    network = single(neuron)
    values = observed(network, every_sample(3))
    for name in ("hidden", "readout"):
        bounds = population_bounds(network, network.by_name[name])
        for field, extremes in values[name].items():
            assert getattr(bounds, field) == extremes, (name, field)


@pytest.mark.parametrize(
    ("threshold", "weights", "membrane"), [(5, (3, 2), (-2, 123)), (1000, (3, -2), (-69, 111))]
)
def test_membranes_that_always_or_never_fire(threshold, weights, membrane):
    """Never below zero before the reset, and never up to the threshold."""
    network = single(Neuron(4, np.array([[threshold]])), weights=weights)
    hidden = network.by_name["hidden"]
    assert population_bounds(network, hidden).membrane == membrane
    assert observed(network, every_sample(3))["hidden"]["membrane"] == membrane


def test_sums_inside_the_leak_are_bounded():
    leak = ShiftSum(((1, 0), (-1, 3), (1, 7)))
    network = single(Neuron(2, np.array([[5]]), reset="none", leak=leak))
    low, high = population_bounds(network, network.by_name["hidden"]).leak
    for sample in every_sample(3)[::17]:
        for v in scalar_run(network, sample)[1]["hidden"][:-1]:
            partial = 0
            for sign, shift in leak.terms:
                partial += sign * (v[0] << (7 - shift))
                assert low <= partial <= high
            assert low <= partial + 64 <= high


def test_sums_inside_the_leaks_of_channels_are_bounded():
    """The channel whose own membrane and terms reach furthest decides, not the extremes of both."""
    leaks = ShiftSums((ShiftSum(((1, 1),)), ShiftSum(((1, 0), (-1, 4)))))
    weight, rows = np.array([[[3, -2], [1, 0]]]), (1, 2)
    neuron = Neuron(2, np.full(rows, 5), reset="none", leak=leaks)
    hidden = Population("hidden", (Dense("input", weight, 4),), np.zeros(rows, int), 0, neuron)
    last = Population("readout", (Dense("hidden", np.ones((1, 1, 2), int), 2),), np.zeros((1, 1), int))
    network = Network(Input((2,), 3, static=False), 2, (hidden, last))
    assert population_bounds(network, hidden).leak == (-(9 * 8 + 16), 9 * 8 + 16)  # 3 * 17 + 16 is less


def test_without_a_second_step_nothing_leaks():
    network = single(Neuron(2, np.array([[5]]), leak=LEAKS["half"]), steps=1)
    assert population_bounds(network, network.by_name["hidden"]).leak == (0, 0)


def test_membranes_beyond_51_bits_are_refused():
    network = single(Neuron(2, np.array([[5]]), reset="none"), bias=1 << 49)
    with pytest.raises(
        ModelError, match=r"^Membrane of 'hidden' must stay within 51 bits, but reaches .* cap the"
    ):
        population_bounds(network, network.by_name["hidden"])


def test_leaks_beyond_63_bits_are_refused():
    leak = ShiftSum(((1, 0), (-1, 15)))
    network = single(Neuron(2, np.array([[5]]), reset="none", leak=leak), bias=1 << 48)
    with pytest.raises(
        ModelError, match=r"^Leak and reset factor must stay within 63 bits, but a sum reaches \d+$"
    ):
        population_bounds(network, network.by_name["hidden"])

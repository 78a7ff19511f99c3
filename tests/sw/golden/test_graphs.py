"""The golden model on graphs of every kind against the scalar reading of docs/numerics.md, "The neuron"."""

import numpy as np
import pytest
import torch
from random_networks import random_graph, random_graph_levels, random_weight, scalar_run

from spikefold import golden
from spikefold.errors import InputError
from spikefold.golden import Golden
from spikefold.golden import model as golden_model
from spikefold.ir import Add, Conv, Dense, Identity, Input, Network, Neuron, Pool, Population, ShiftSums

GRAPHS = 60


def check(network, levels):
    """Hold every recorded number equal to the scalar reading; return the run."""
    run = golden.run(network, levels, record=True)
    names = [stage.name for stage in network.stages]
    assert list(run.levels) == names[:-1]
    assert list(run.membranes) == [p.name for p in network.populations]
    for k, sample in enumerate(levels):
        emitted, membranes, _, logits = scalar_run(network, sample)
        for name, found in run.levels.items():
            assert found[k].tolist() == emitted[name], (name, k)
        for name, found in run.membranes.items():
            assert found[k].tolist() == membranes[name], (name, k)
        assert run.logits[k].tolist() == logits
        assert run.classes[k] == logits.index(max(logits))
    return run


def graph(seed):
    rng = np.random.default_rng([7, seed])
    network = random_graph(rng)
    return network, random_graph_levels(rng, network, 3)


@pytest.mark.parametrize("seed", range(GRAPHS))
def test_random_graphs_equal_the_scalar_reading(seed):
    network, levels = graph(seed)
    run = check(network, levels)
    np.testing.assert_array_equal(golden.run(network, levels).logits, run.logits)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(1, 20))
def test_many_random_graphs_equal_the_scalar_reading(block):
    for seed in range(block * GRAPHS, (block + 1) * GRAPHS):
        check(*graph(seed))


def leak_name(neuron):
    return "each" if isinstance(neuron.leak, ShiftSums) else neuron.leak.value


def features(network):
    """What a graph has, of what the tests above must have met."""
    found = {f"steps {network.steps}", f"static {network.input.static}"}
    if network.input.padding != (0, 0):
        found.add("padded input")
    for stage in network.stages:
        if isinstance(stage, Pool):
            found |= {stage.pooling, f"pool padded {stage.padding != (0, 0)}"}
            found |= {"overlap"} if stage.kernel > stage.stride else set()
        elif isinstance(stage, Add):
            found.add("add")
        else:
            found |= _population_features(network, stage)
    return found


def _population_features(network, population):
    found = {f"{len(population.projections)} projections"} | {
        type(p).__name__ for p in population.projections
    }
    found |= {f"{type(p).__name__} sets" for p in population.projections if len(p.weight) > 1}
    if population.neuron is not None:
        neuron = population.neuron
        found |= {neuron.reset, neuron.rounding, f"cap {neuron.membrane_bits is not None}"}
        found |= {f"floor {neuron.fire_floor is not None}", f"leak {leak_name(neuron)}"}
    for p in population.projections:
        source = network.maps[p.source]
        if isinstance(p, Dense) and source.positions > 1:
            found.add("dense over a map")
        if isinstance(p, Conv):
            found |= {f"kernel {n}" for n in p.kernel} | {f"stride {n}" for n in p.stride}
            found |= {"not square"} if p.kernel[0] != p.kernel[1] else set()
            found |= {"larger"} if p.kernel[0] > source.height else set()
            if p.groups > 1:
                found |= {"depthwise" if p.groups == source.channels else "groups"}
                found |= {"groups of several"} if p.targets > p.groups else set()
    return found


def test_the_random_graphs_have_everything():
    met = set().union(*(features(graph(seed)[0]) for seed in range(GRAPHS)))
    wanted = {f"steps {n}" for n in (1, 2, 3, 4)} | {f"{n} projections" for n in (1, 2, 3)}
    wanted |= {f"kernel {n}" for n in (1, 2, 3, 4, 5)} | {f"stride {n}" for n in (1, 2, 3)}
    wanted |= {"subtract", "zero", "scale", "none", "half_up", "half_even", "floor"}
    wanted |= {"sum", "max", "overlap", "add"}
    wanted |= {f"{what} {yes}" for what in ("static", "cap", "floor", "pool padded") for yes in (True, False)}
    wanted |= {f"leak {value}" for value in (1.0, 0.5, 0.8828125, -0.5, 0.0, "each")}
    wanted |= {f"{kind}{sets}" for kind in ("Conv", "Dense", "Identity") for sets in ("", " sets")}
    wanted |= {"dense over a map"}
    wanted |= {"not square", "larger", "depthwise", "groups", "groups of several", "padded input"}
    assert wanted <= met


def test_the_random_graphs_are_alive():
    """Every level up to 15 comes up, and most stages emit something."""
    seen, silent, stages = set(), 0, 0
    for seed in range(GRAPHS):
        for emitted in golden.run(*graph(seed), record=True).levels.values():
            seen |= set(np.unique(emitted).tolist())
            silent, stages = silent + (not emitted.any()), stages + 1
    assert set(range(16)) <= seen
    assert silent < stages / 4


def neurons(channels, levels=4, theta=30):
    return Neuron(levels, np.full((1, channels), theta))


def zeros(channels):
    return np.zeros((1, channels), int)


def readout(source, size, classes=3):
    weight = random_weight(np.random.default_rng(size), 4, (1, classes, size))
    return Population("readout", (Dense(source, weight, 4),), zeros(classes))


def conv(source, channels, targets, kernel=3, padding=1, seed=0, **options):
    weight = random_weight(np.random.default_rng(seed), 4, (1, targets, channels, kernel, kernel))
    return Conv(source, weight, 4, padding=(padding, padding), **options)


@pytest.mark.parametrize("static", [True, False])
def test_shapes_are_those_of_the_contract(static):
    network = Network(
        Input((2, 4, 6), 9, static),
        3,
        (
            Pool("pool", "input", "max", (2, 2), (2, 2)),
            Add("twice", ("pool", "pool")),
            Population("map", (conv("twice", 2, 5),), zeros(5), 0, neurons(5)),
            Population("flat", (Dense("map", np.ones((1, 4, 30), int), 4),), zeros(4), 0, neurons(4)),
            Population("again", (Identity("flat", np.ones((1, 4), int), 4),), zeros(4), 0, neurons(4)),
            readout("again", 4),
        ),
    )
    rng = np.random.default_rng(0)
    run = check(network, rng.integers(0, 10, (2, 1 if static else 3, 2, 4, 6)))
    shapes = {"pool": (2, 2, 3), "twice": (2, 2, 3), "map": (5, 2, 3), "flat": (4,), "again": (4, 1, 1)}
    assert {name: levels.shape[2:] for name, levels in run.levels.items()} == shapes
    for name, levels in run.levels.items():
        assert (levels.shape[:2], levels.dtype) == ((2, 3), np.uint8)
        assert shapes[name] == network.shape_of(name)
    for name, membranes in run.membranes.items():
        assert (membranes.shape, membranes.dtype) == ((2, 3, *network.shape_of(name)), np.int64)
    empty = golden.run(network, np.zeros((0, 1 if static else 3, 2, 4, 6), int), record=True)
    assert empty.levels["map"].shape == (0, 3, 5, 2, 3)
    assert (empty.logits.shape, empty.classes.shape) == ((0, 3), (0,))


def test_batches_do_not_matter():
    for seed in range(8):
        rng = np.random.default_rng(seed)
        network = random_graph(rng)
        levels = random_graph_levels(rng, network, 7)
        whole = golden.run(network, levels, record=True)
        for batch in (1, 3):
            parts = golden.run(network, levels, record=True, batch=batch)
            np.testing.assert_array_equal(parts.logits, whole.logits)
            np.testing.assert_array_equal(parts.classes, whole.classes)
            for name in whole.levels:
                np.testing.assert_array_equal(parts.levels[name], whole.levels[name])
            for name in whole.membranes:
                np.testing.assert_array_equal(parts.membranes[name], whole.membranes[name])


def test_wrong_shapes_of_maps_are_refused():
    network = Network(
        Input((2, 4, 4), 9, padding=(1, 0), pad_levels=(0, 3)), 2, (readout("input", 2 * 6 * 4),)
    )
    golden.run(network, network.input.encode(np.zeros((1, 2, 4, 4)), 2))
    for shape in ((1, 1, 2, 4, 4), (1, 1, 48), (1, 2, 2, 6, 4)):
        with pytest.raises(InputError, match=r"^Levels must have shape \(samples, 1, 2, 6, 4\), not "):
            golden.run(network, np.zeros(shape, int))


def chain(steps, static, depth=4):
    stages, source = [], "input"
    for k in range(depth):
        stages.append(Population(f"conv{k}", (conv(source, 3, 3, seed=k),), zeros(3), 0, neurons(3)))
        source = f"conv{k}"
    stages.append(readout(source, 3 * 25))
    return Network(Input((3, 5, 5), 4, static), steps, tuple(stages))


@pytest.mark.parametrize(("static", "first"), [(True, 2), (False, 8)])
def test_currents_of_a_static_source_are_computed_once(monkeypatch, static, first):
    seen = []
    original = torch.nn.functional.conv2d

    def counted(levels, *rest):
        seen.append(len(levels))
        return original(levels, *rest)

    monkeypatch.setattr(torch.nn.functional, "conv2d", counted)
    golden.run(chain(4, static), np.ones((2, 1 if static else 4, 3, 5, 5), int))
    assert seen == [first, 8, 8, 8]


def test_levels_are_kept_no_longer_than_needed(monkeypatch):
    known = []
    original = golden_model._emitted

    def watched(stage, layers, levels, membranes):
        known.append(sorted(levels))
        return original(stage, layers, levels, membranes)

    monkeypatch.setattr(golden_model, "_emitted", watched)
    network = chain(2, True)
    join = Population(
        "conv2",
        (conv("conv1", 3, 3), Identity("conv0", np.ones((1, 3), int), 2)),
        zeros(3),
        0,
        neurons(3),
    )
    stages = tuple(join if stage.name == "conv2" else stage for stage in network.stages)
    golden.run(Network(network.input, 2, stages), np.ones((1, 1, 3, 5, 5), int))
    assert known == [["input"], ["conv0"], ["conv0", "conv1"], ["conv2"]]


def test_wide_maps_run_in_small_batches():
    stages = (Population("a", (conv("input", 3, 64),), zeros(64), 0, neurons(64)), readout("a", 64 * 1024))
    assert Golden(Network(Input((3, 32, 32), 16), 4, stages))._batch(None) == 16

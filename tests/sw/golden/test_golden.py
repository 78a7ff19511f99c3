"""The golden model against `Neuron.step` and against a scalar reading of docs/numerics.md, "The neuron"."""

from itertools import product

import numpy as np
import pytest
import torch
from random_networks import LEAK_NAMES, LEAKS, random_levels, random_network, scalar_run

from spikefold import golden
from spikefold.errors import InputError
from spikefold.golden import Golden, accuracy
from spikefold.ir import Dense, Input, Network, Neuron, Population, ShiftSum

RESETS = ("subtract", "zero", "scale", "none")
ROUNDINGS = ("half_up", "floor", "half_even")


def step_run(network, levels):
    """The same network by `Neuron.step`, all samples at once."""
    emitted = {"input": np.broadcast_to(levels, (len(levels), network.steps, levels.shape[2]))}
    membranes = {}
    for p in network.populations:
        v = np.zeros((len(levels), p.channels), np.int64)
        fired = np.zeros(v.shape, bool)
        out, kept = [], []
        for t in range(network.steps):
            a = sum(emitted[q.source][:, t] @ q.at(t).T for q in p.projections)
            current = (a << p.fraction) + p.bias_at(t)
            if p.neuron is None:
                n, v = v * 0, v + current
            else:
                n, v, fired = p.neuron.step(current, v, fired, t)
            out.append(n)
            kept.append(v)
        emitted[p.name], membranes[p.name] = np.stack(out, 1), np.stack(kept, 1)
    return emitted, membranes, v


def check(network, levels, scalar_samples=3):
    """Hold golden, `Neuron.step` and the scalar reading equal, levels and membranes included."""
    run = golden.run(network, levels, record=True)
    emitted, membranes, logits = step_run(network, levels)
    spiking = [p.name for p in network.populations[:-1]]
    assert list(run.levels) == spiking
    assert list(run.membranes) == [*spiking, network.readout.name]
    for name, expected in membranes.items():
        np.testing.assert_array_equal(run.membranes[name], expected, name)
    for name in spiking:
        np.testing.assert_array_equal(run.levels[name], emitted[name], name)
    np.testing.assert_array_equal(run.logits, logits)
    for k in range(min(scalar_samples, len(levels))):
        levels_k, membranes_k, _, logits_k = scalar_run(network, levels[k])
        assert run.logits[k].tolist() == logits_k
        assert run.classes[k] == logits_k.index(max(logits_k))
        for name in spiking:
            assert run.levels[name][k].tolist() == levels_k[name]
        for name in run.membranes:
            assert run.membranes[name][k].tolist() == membranes_k[name]
    brief = golden.run(network, levels)
    np.testing.assert_array_equal(brief.logits, run.logits)
    assert brief.levels == {}
    assert brief.membranes == {}
    return run


def check_neuron(reset, rounding, fire_floor, levels, combinations):
    """Check networks of one kind of neuron; every level must have come up."""
    rng = np.random.default_rng([RESETS.index(reset), ROUNDINGS.index(rounding), fire_floor, levels])
    seen = set()
    for leak, cap, steps, per_step in combinations:
        network = random_network(
            rng,
            steps=steps,
            sets=steps if per_step else 1,
            bits=int(rng.choice([1, 2, 4, 8])),
            levels=levels,
            input_levels=int(rng.choice([1, 16, 255])),
            static=bool(rng.integers(2)),
            reset=reset,
            rounding=rounding,
            fire_floor=fire_floor,
            leak=leak,
            membrane_bits=cap,
        )
        run = check(network, random_levels(rng, network, 16), scalar_samples=2)
        seen |= {int(n) for name in run.levels for n in np.unique(run.levels[name])}
    assert {0, levels} <= seen
    assert len(seen) > min(levels, 10)


COMBINATIONS = list(product(LEAK_NAMES, (None, 10), (1, 2, 5), (False, True)))
KINDS = list(product(RESETS, ROUNDINGS, (False, True), (1, 2, 3, 4, 15, 255)))


@pytest.mark.parametrize(("reset", "rounding", "fire_floor", "levels"), KINDS)
def test_neuron_equals_both_references(reset, rounding, fire_floor, levels):
    """Nine of the sixty combinations each, moving on by one from kind to kind; all of them: see below."""
    start = KINDS.index((reset, rounding, fire_floor, levels))
    chosen = [COMBINATIONS[(start + 7 * k) % len(COMBINATIONS)] for k in range(9)]
    check_neuron(reset, rounding, fire_floor, levels, chosen)


@pytest.mark.slow
@pytest.mark.parametrize(("reset", "rounding", "fire_floor", "levels"), KINDS)
def test_every_neuron_equals_both_references(reset, rounding, fire_floor, levels):
    check_neuron(reset, rounding, fire_floor, levels, COMBINATIONS)


@pytest.mark.parametrize("steps", [1, 3])
def test_wide_networks_leave_float32(steps):
    """Sums above 2^24: float32 would be wrong, which the test proves on the same numbers."""
    rng = np.random.default_rng(steps)
    size, channels = 700, 4
    weight = rng.integers(-128, 128, (1, channels, size))
    weight[0, 0] = rng.integers(100, 128, size)
    neuron = Neuron(255, rng.integers(1, 1 << 28, (1, channels)), leak=LEAKS["mixed"])
    network = Network(
        Input((size,), 255, static=False),
        steps,
        (
            Population(
                "wide", (Dense("input", weight, 8),), rng.integers(-999, 999, (1, channels)), 8, neuron
            ),
            Population(
                "readout",
                (Dense("wide", rng.integers(-8, 8, (1, 2, channels)), 4),),
                np.array([[1, -1]]),
            ),
        ),
    )
    levels = rng.integers(200, 256, (40, steps, size))
    assert Golden(network).dtypes == {
        "wide": (torch.float64, torch.float64),
        "readout": (torch.float32, torch.float32),
    }
    check(network, levels)
    products = torch.tensor(levels[:, 0] + 0.0) @ torch.tensor(weight[0].T + 0.0) * 256 + 1
    assert (products.float().long() != products.long()).any()


def test_leak_sums_beyond_float64_are_integers():
    leak = ShiftSum(((1, 0), (-1, 15), (-1, 14)))
    bias = np.array([[(1 << 44) + 12345, -(1 << 44) - 7]])
    neuron = Neuron(3, np.array([[1 << 44, 3]]), reset="none", leak=leak)
    network = Network(
        Input((2,), 3),
        3,
        (
            Population("wide", (Dense("input", np.array([[[3, -4], [2, 1]]]), 3),), bias, 0, neuron),
            Population("readout", (Dense("wide", np.array([[[3, -4]]]), 3),), np.array([[0]])),
        ),
    )
    assert Golden(network).dtypes["wide"] == (torch.float32, torch.int64)
    check(network, np.random.default_rng(0).integers(0, 4, (20, 1, 2)))


def test_partial_sums_of_either_sign_count():
    """+127 and -127 take turns: the sum is small, a partial sum in another order is not."""
    weight = np.tile([127, -127], 300)[None, None]
    readout = Population("readout", (Dense("input", weight, 8),), np.array([[3]]))
    network = Network(Input((600,), 255), 1, (readout,))
    assert network.readout.bias.max() + 300 * 127 * 255 < 1 << 24 < 600 * 127 * 255
    assert Golden(network).dtypes["readout"] == (torch.float64, torch.float32)
    check(network, np.random.default_rng(0).integers(0, 256, (50, 1, 600)))


@pytest.mark.parametrize(
    ("change", "expected"),
    [(0, torch.float32), (1, torch.float64)],
)
def test_types_change_exactly_at_the_limit(change, expected):
    """7 · 255 · 1 + b reaches 2^24 - 1, the last magnitude float32 may be asked for, and then 2^24."""
    bias = (1 << 24) - 1 - 7 * 255 + change
    network = Network(
        Input((1,), 255),
        1,
        (Population("readout", (Dense("input", np.array([[[7]]]), 4),), np.array([[bias]])),),
    )
    assert Golden(network).dtypes == {"readout": (torch.float32, expected)}
    check(network, np.arange(256).reshape(256, 1, 1))


def test_ties_go_to_the_lowest_class():
    weight = np.array([[[0], [1], [1], [1], [0]]])
    network = Network(
        Input((1,), 3),
        2,
        (Population("readout", (Dense("input", weight, 2),), np.zeros((1, 5), np.int64)),),
    )
    run = golden.run(network, np.arange(4).reshape(4, 1, 1))
    assert run.classes.tolist() == [0, 1, 1, 1]
    assert run.logits[3].tolist() == [0, 6, 6, 6, 0]


def test_batches_do_not_matter():
    rng = np.random.default_rng(5)
    network = random_network(rng, steps=3, static=False)
    levels = random_levels(rng, network, 11)
    whole = golden.run(network, levels, record=True)
    for batch in (1, 4, 11, 1000):
        parts = golden.run(network, levels, record=True, batch=batch)
        np.testing.assert_array_equal(parts.logits, whole.logits)
        np.testing.assert_array_equal(parts.classes, whole.classes)
        for name in whole.membranes:
            np.testing.assert_array_equal(parts.membranes[name], whole.membranes[name])
        for name in whole.levels:
            np.testing.assert_array_equal(parts.levels[name], whole.levels[name])


def test_long_networks_run_in_small_batches():
    network = random_network(np.random.default_rng(0), steps=1024, channels=600)
    assert Golden(network)._batch(None) == 6
    assert Golden(random_network(np.random.default_rng(0)))._batch(None) == 1024


def test_results_have_documented_shapes_and_types():
    rng = np.random.default_rng(6)
    network = random_network(rng, steps=3, levels=255)
    run = golden.run(network, torch.tensor(random_levels(rng, network, 4)), record=True)
    assert (run.logits.shape, run.logits.dtype) == ((4, 3), np.int64)
    assert (run.classes.shape, run.classes.dtype) == ((4,), np.int64)
    assert (run.levels["first"].shape, run.levels["first"].dtype) == ((4, 3, 6), np.uint8)
    assert (run.membranes["readout"].shape, run.membranes["readout"].dtype) == ((4, 3, 3), np.int64)
    np.testing.assert_array_equal(run.membranes["readout"][:, -1], run.logits)


@pytest.mark.parametrize("record", [False, True])
def test_no_sample_gives_empty_results(record):
    network = random_network(np.random.default_rng(7), steps=2)
    run = golden.run(network, np.zeros((0, 1, 5), np.int64), record=record)
    assert run.logits.shape == (0, 3)
    assert run.classes.shape == (0,)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, ">i4", np.uint64])
def test_any_integer_type_and_memory_order_is_taken(dtype):
    rng = np.random.default_rng(8)
    network = random_network(rng, steps=2, static=False)
    levels = random_levels(rng, network, 6)
    expected = golden.run(network, levels).logits
    given = np.asfortranarray(levels.astype(dtype))
    given.setflags(write=False)
    np.testing.assert_array_equal(golden.run(network, given).logits, expected)
    np.testing.assert_array_equal(golden.run(network, levels[::-1]).logits, expected[::-1])


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        (np.zeros((4, 5), np.int64), r"^Levels must have shape \(samples, 1, 5\), not \(4, 5\)$"),
        (np.zeros((4, 2, 5), np.int64), r"^Levels must have shape \(samples, 1, 5\), not \(4, 2, 5\)$"),
        (np.zeros((4, 1, 5)), r"^Levels must be integers, not float64; encode features with Input.encode$"),
        (
            np.zeros((4, 1, 5), bool),
            r"^Levels must be integers, not bool; encode features with Input.encode$",
        ),
        (np.full((4, 1, 5), -1), r"^Levels must be 0\.\.16, not -1\.\.-1$"),
        (np.full((4, 1, 5), 17), r"^Levels must be 0\.\.16, not 17\.\.17$"),
        (np.full((4, 1, 5), 200, np.uint8), r"^Levels must be 0\.\.16, not 200\.\.200$"),
        (np.full((4, 1, 5), 1 << 63, np.uint64), r"^Levels must be 0\.\.16, not "),
    ],
)
def test_wrong_levels_are_refused(levels, message):
    with pytest.raises(InputError, match=message):
        golden.run(random_network(np.random.default_rng(0)), levels)


@pytest.mark.parametrize("batch", [0, -1, 2.0, True, "4"])
def test_wrong_batches_are_refused(batch):
    network = random_network(np.random.default_rng(0))
    with pytest.raises(InputError, match=r"^Batch must be a positive integer, not "):
        golden.run(network, np.zeros((4, 1, 5), np.int64), batch=batch)


def test_accuracy_is_the_share_of_right_classes():
    rng = np.random.default_rng(9)
    network = random_network(rng)
    x = rng.random((50, 5))
    classes = golden.run(network, network.input.encode(x, network.steps)).classes
    labels = classes.copy()
    labels[:10] = (labels[:10] + 1) % 3
    assert accuracy(network, x, classes) == 1.0
    assert accuracy(network, x, labels) == 0.8


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((3, 5)), [0, 1], r"^Labels must be integers of shape \(3,\), not int64 of shape \(2,\)$"),
        (
            np.zeros((3, 5)),
            [0.0] * 3,
            r"^Labels must be integers of shape \(3,\), not float64 of shape \(3,\)$",
        ),
        (np.zeros((0, 5)), np.zeros(0, int), r"^Accuracy must be taken over at least one sample, not 0$"),
        (np.zeros((3, 4)), [0] * 3, r"^Samples must have shape \(samples, 5\), not \(3, 4\)$"),
    ],
)
def test_accuracy_refuses_what_does_not_fit(x, y, message):
    with pytest.raises(InputError, match=message):
        accuracy(random_network(np.random.default_rng(0)), x, y)

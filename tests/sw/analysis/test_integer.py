"""What a build's hardware adds, against a loop over every event, digit and synapse."""

import numpy as np
import pytest
from conv_case import conv_network, levels_of

from spikefold.analysis.cost import update_of
from spikefold.analysis.integer import integer_operations
from spikefold.design import Design
from spikefold.ir.coding import digits_of
from spikefold.ir.projections import Conv, Dense, Identity
from spikefold_hw.streaming.planning import plan_of


def summary_of(network, **options):
    return Design(network, plan_of(network, {p.name: 1 for p in network.populations}, **options)).summary


def reached(projection, shape, y, x):
    """Targets that the neuron of a channel at (y, x) of a map reaches, by trying every output."""
    if not isinstance(projection, Conv):
        return projection.targets if isinstance(projection, Dense) else 1
    rows, columns = projection.kernel
    down, right = projection.stride
    top, left = projection.padding
    heights = range((shape.height + 2 * top - rows) // down + 1)
    widths = range((shape.width + 2 * left - columns) // right + 1)
    windows = sum(
        0 <= y + top - i * down < rows and 0 <= x + left - j * right < columns
        for i in heights
        for j in widths
    )
    return windows * projection.targets // projection.groups


def by_hand(network, coding_of, population, levels, times):
    found = 0
    for projection in population.projections:
        shape = network.maps[projection.source]
        coding = "binary" if isinstance(projection, Identity) else coding_of[projection.source]
        repeat = times if projection.source == "input" else 1
        n = levels[projection.source]
        n = n.reshape(*n.shape[:2], *shape)
        for index in np.argwhere(n):
            digits = len(digits_of(int(n[tuple(index)]), coding))
            found += digits * reached(projection, shape, *index[3:]) * repeat
    return found


@pytest.mark.parametrize(
    ("static", "order", "coding", "times"),
    [
        (True, "position_major", "naf", 1),
        (True, "step_major", "unary", 2),
        (False, "step_major", "binary", 1),
    ],
)
def test_every_population(static, order, coding, times):
    """A static input that is presented at every step is added at every step."""
    network = conv_network(steps=2, static=static)
    codings = dict.fromkeys(("input", *(stage.name for stage in network.stages[:-1])), coding)
    summary = summary_of(network, order=order, coding=codings)
    levels = levels_of(network, samples=2)
    x = levels["input"][:, 0] if static else levels["input"]
    found = integer_operations(network, summary, x)
    assert [row.name for row in found.layers] == [p.name for p in network.populations]
    for population, row in zip(network.populations, found.layers, strict=True):
        assert row.additions * 2 == by_hand(network, codings, population, levels, times), row.name
    first, last = found.layers[0], found.layers[-1]
    assert first.updates == 2 * 16 * 64
    each = update_of(3, "half_up", "subtract", network.populations[0].neuron.leak, None, False, 2)
    work = (first.shifts, first.neuron_additions, first.comparisons)
    assert work == tuple(first.updates * n for n in (each.shifts, each.additions, each.comparisons))
    assert (last.updates, last.neuron_additions) == (0, 0)
    total = found.to_json()["total"]
    assert total["additions"] == sum(row.additions for row in found.layers)


def test_silence_costs_no_addition():
    network = conv_network()
    silent = np.zeros((1, 3, 8, 8), int)
    found = integer_operations(network, summary_of(network), silent)
    assert found.layers[0].additions == 0


def test_batches_make_no_difference(monkeypatch):
    network = conv_network()
    x = levels_of(network, samples=5)["input"][:, 0]
    whole = integer_operations(network, summary_of(network), x)
    monkeypatch.setattr("spikefold.analysis.integer._BATCH", 2)
    assert integer_operations(network, summary_of(network), x) == whole

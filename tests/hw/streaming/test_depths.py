"""How much windows and skips keep: the stages run with exactly that, in any order, and with one less."""

import numpy as np
import pytest
from random_networks import random_graph

from spikefold.ir import Add, Conv, Dense, Identity, Input, Map, Network, Neuron, Pool, Population, Window
from spikefold_hw.streaming.depths import LAG, occupancy, ring_depth


class Stages:
    """The stages as a marked graph, position by position; every connection holds only so many positions."""

    def __init__(self, network, capacity, lag):
        self.total = {name: shape.positions for name, shape in network.maps.items()}
        self.done = dict.fromkeys(self.total, 0)
        self.edges = []
        for stage in network.stages:
            for port, source in enumerate(stage.sources):
                read = _positions_read(network, stage, port)
                last = [max(max(p) for p in read[: k + 1]) for k in range(len(read))]
                last = [last[min(k + lag, len(last) - 1)] for k in range(len(last))]
                kept = [min(min(p) for p in read[k:]) for k in range(len(read))] + [self.total[source]]
                self.edges.append((source, stage.name, last, kept, capacity[stage.name, port]))

    def ready(self, name):
        """Whether a stage has another position, all it reads, and a place for the result everywhere."""
        k = self.done[name]
        if k == self.total[name]:
            return False
        for source, stage, last, kept, capacity in self.edges:
            if stage == name and self.done[source] <= last[k]:
                return False
            if source == name and k + 1 - kept[self.done[stage]] > capacity:
                return False
        return True

    def run(self, rng):
        """Let stages work in random order, some in bursts; return whether all came to their end."""
        names = list(self.total)
        while ready := [name for name in names if self.ready(name)]:
            name = ready[rng.integers(len(ready))]
            for _ in range(rng.choice([1, 1, 100])):
                if self.ready(name):
                    self.done[name] += 1
        return self.done == self.total


def _positions_read(network, stage, port):
    """Positions of its source that each position of a stage reads, seen one by one."""
    window = stage.window(port, network.maps)
    height, width = window.map.height, window.map.width
    return [
        [
            (y + i) * width + x + j
            for i in range(window.kernel[0])
            for j in range(window.kernel[1])
            if 0 <= y + i < height and 0 <= x + j < width
        ]
        for y in range(
            -window.padding[0], height + window.padding[0] - window.kernel[0] + 1, window.stride[0]
        )
        for x in range(-window.padding[1], width + window.padding[1] - window.kernel[1] + 1, window.stride[1])
    ]


def graphs(count):
    return [random_graph(np.random.default_rng([11, seed]), edge=7) for seed in range(count)]


@pytest.mark.parametrize("lag", [0, 1, LAG])
def test_this_much_never_deadlocks(lag):
    rng = np.random.default_rng(lag)
    for network in graphs(40):
        capacity = occupancy(network, lag)
        for _ in range(3):
            assert Stages(network, capacity, lag).run(rng)
        assert Stages(network, capacity, 0).run(rng)


def test_one_less_deadlocks():
    """Nearly anywhere: what another path brings early may be taken early too, with one place to spare."""
    rng = np.random.default_rng(9)
    stuck, tried = 0, 0
    for network in graphs(40):
        capacity = occupancy(network, lag=0)
        ends = [Stages(network, capacity | {key: capacity[key] - 1}, 0).run(rng) for key in capacity]
        assert not all(ends)
        stuck, tried = stuck + ends.count(False), tried + len(ends)
    assert tried > 100
    assert stuck > 0.98 * tried


def neurons(channels):
    return Neuron(1, np.ones((1, channels), int))


def layer(name, *projections):
    channels = projections[0].targets
    return Population(name, projections, np.zeros((1, channels), int), 0, neurons(channels))


def conv(source, kernel=3, stride=1):
    weight = np.ones((1, 2, 2, kernel, kernel), int)
    return Conv(source, weight, 2, (stride, stride), (kernel // 2, kernel // 2))


def readout(source, size):
    return Population("readout", (Dense(source, np.ones((1, 1, size), int), 2),), np.zeros((1, 1), int))


def test_a_residual_block_by_hand():
    """Rows of 8: the first window needs two rows and two, the second again; the skip waits for both."""
    network = Network(
        Input((2, 8, 8), 1),
        1,
        (
            layer("a", conv("input")),
            layer("b", conv("a"), Identity("input", np.ones((1, 2), int), 2)),
            readout("b", 128),
        ),
    )
    # A 3x3 window, padded by 1, reads 9 positions on, up to (y + 1, x + 1), and keeps from (y - 1, x - 1).
    assert occupancy(network, lag=0) == {("a", 0): 19, ("b", 0): 19, ("b", 1): 19, ("readout", 0): 64}


def test_every_kind_of_stage_has_its_window():
    network = Network(
        Input((2, 4, 6), 1),
        1,
        (
            layer("a", conv("input", stride=2), Conv("input", np.ones((1, 2, 2, 1, 1), int), 2, (2, 2))),
            Pool("pool", "a", "max", (2, 2), (1, 1)),
            Add("sum", ("pool", "pool")),
            layer("b", Identity("sum", np.ones((1, 2), int), 2)),
            readout("b", 4),
        ),
    )

    def window_of(stage, port):
        return network.by_name[stage].window(port, network.maps)

    assert window_of("a", 0) == Window(Map(2, 4, 6), (3, 3), (2, 2), (1, 1))
    assert window_of("a", 1) == Window(Map(2, 4, 6), (1, 1), (2, 2))
    assert window_of("pool", 0) == Window(Map(2, 2, 3), (2, 2), (1, 1))
    for stage, port in (("sum", 0), ("sum", 1), ("b", 0)):
        assert window_of(stage, port) == Window(Map(2, 1, 2), (1, 1))
    assert window_of("readout", 0) == Window(Map(2, 1, 2), (1, 2))


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "minimum", "steps", "depth"),
    [
        ((1, 1), (1, 1), (0, 0), 1, 4, 0),
        ((1, 1), (1, 1), (0, 0), 2, 4, 6),
        ((1, 1), (2, 2), (0, 0), 1, 4, 7),
        ((3, 5), (1, 1), (0, 0), 15, 1, 0),
        ((3, 5), (1, 1), (0, 0), 15, 2, 6),
        ((3, 3), (1, 1), (1, 1), 8, 1, 6),
    ],
)
def test_no_ring_where_the_stream_brings_windows_in_one_piece(kernel, stride, padding, minimum, steps, depth):
    assert ring_depth(Window(Map(2, 3, 5), kernel, stride, padding), 5, minimum, steps) == depth

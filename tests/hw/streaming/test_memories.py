"""What a stage says of its memories, against those that its gateware instantiates."""

from collections import Counter

import numpy as np
import pytest
from amaranth.hdl import Fragment, Module, Shape
from plans import plain_plan
from random_networks import chain_network
from random_plans import random_plan

from spikefold_hw.streaming.kinds import KINDS


class Recorder:
    """A platform that takes note of every memory."""

    def __init__(self):
        self.found = Counter()

    def get_memory(self, memory):
        self.found[Shape.cast(memory.shape).width, memory.depth] += 1
        return Module()


def instantiated(stage):
    recorder = Recorder()
    Fragment.get(stage.core(None), recorder)
    return recorder.found


def told(stage):
    return Counter([*stage.memories().values(), *((size.width, size.depth) for size in stage.image_sizes())])


def test_memories_of_random_designs():
    seen = Counter()
    for seed in range(40):
        _, plan = random_plan(np.random.default_rng([21, seed]), neurons=80, edge=5)
        for stage in plan.stages:
            assert told(stage) == instantiated(stage), (seed, stage.name)
            seen[type(stage)] += 1
            assert all(name.startswith(f"{stage.name}_") for name in stage.memories())
    assert set(seen) == set(KINDS.values())


@pytest.mark.parametrize("steps", [1, 3])
def test_memories_of_wide_layers(steps):
    """Weights in several memories, and a current that serves all steps."""
    network = chain_network(np.random.default_rng(0), steps=steps, bits=8, size=70, channels=(40,))
    plan = plain_plan(network, lanes=20)
    assert plan.layers[0].repeats == steps
    assert len(plan.layers[0].image_sizes()) > 3
    for stage in plan.stages:
        assert told(stage) == instantiated(stage), stage.name

"""A user's choices for memories become a part of the plan."""

import json

import numpy as np
import pytest

from spikefold.errors import InputError
from spikefold.ir import Dense, Input, Network, Neuron, Population
from spikefold_hw.memory_choice import MemoryChoice
from spikefold_hw.streaming.architecture import ARCHITECTURE
from spikefold_hw.streaming.config import Config


def network():
    rng = np.random.default_rng(0)

    def population(name, source, shape, neuron=None):
        return Population(
            name, (Dense(source, rng.integers(-8, 8, shape), 4),), np.zeros((1, shape[1]), int), 0, neuron
        )

    hidden = population("hidden", "input", (1, 6, 5), Neuron(3, np.full((1, 6), 9)))
    return Network(Input((5,), 3), 2, (hidden, population("readout", "hidden", (1, 3, 6))))


LEVELS = {"input": np.ones((2, 1, 5), int), "hidden": np.ones((2, 2, 6), int)}


def plan(lanes=2, **choices):
    return ARCHITECTURE.plan(network(), Config(lanes=lanes, units=1, coding="binary", **choices), LEVELS)


def test_default_chooses_nothing():
    assert plan().memories == ()


def test_choices_are_in_the_plan_and_its_json():
    chosen = plan(memories="hidden_weight*=block+single,*_state=distributed", macro={"readout_state": "sram"})
    assert chosen.memories == (
        MemoryChoice("hidden_state", "distributed"),
        MemoryChoice("hidden_weight0", "block", single=True),
        MemoryChoice("readout_state", "distributed", macro="sram"),
    )
    data = json.loads(json.dumps(ARCHITECTURE.to_json(chosen)))
    assert ARCHITECTURE.from_json(data) == chosen
    assert ARCHITECTURE.memory_choices(chosen) == chosen.memories
    ARCHITECTURE.check_fit(chosen, network())


def test_only_loaded_memories_may_be_in_ultra_ram():
    with pytest.raises(InputError, match=r"^Memory 'hidden_weight0' must not be in UltraRAM"):
        plan(memories="*_weight*=ultra")
    chosen = plan(memories="*_weight*=ultra", weights="loaded").memories
    assert {choice.style for choice in chosen} == {"ultra"}


def test_weights_for_single_port_ram_are_in_words_of_16_bits():
    chosen = plan(memories="hidden_weight*=spram", weights="loaded")
    assert chosen.memories == (MemoryChoice("hidden_weight0", "spram", single=True),)
    hidden, readout = chosen.layers
    assert (hidden.word, readout.word) == (16, None)
    assert ARCHITECTURE.from_json(json.loads(json.dumps(ARCHITECTURE.to_json(chosen)))) == chosen
    ARCHITECTURE.check_fit(chosen, network())
    cost = ARCHITECTURE.cost(chosen)
    assert cost.spram == {"hidden_weight0"}
    assert cost.spram_bits == 8 * 15
    wide, narrow = (plan(6, weights="loaded", memories=choice) for choice in ("auto", "hidden_weight*=spram"))
    memories = [ARCHITECTURE.cost(one).memories.items() for one in (wide, narrow)]
    sizes = [[bits for name, (bits, _) in each if "hidden_weight" in name] for each in memories]
    assert sizes == [[24], [16, 8]]
    assert list(ARCHITECTURE.images(narrow, network()))[:2] == ["hidden_weight0", "hidden_weight1"]


def test_buffers_keep_both_ports():
    with pytest.raises(InputError, match=r"^Memory 'hidden_state' must keep two ports"):
        plan(memories="*_state=single")


def test_unknown_names_are_refused_with_those_that_are_known():
    with pytest.raises(
        InputError, match=r"^Memory must be one of hidden_.*, readout_.*, not 'hiden_weight0'$"
    ):
        plan(memories="hiden_weight0=block")

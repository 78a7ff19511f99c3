"""Memory words, unpacked again."""

import numpy as np
import pytest
from random_networks import chain_network

from spikefold.ir import profile_of
from spikefold.ir.profile import parameter_rows
from spikefold.ir.words import lanes_per_memory, memory_words, pack, parameter_fields, weight_lanes


def field(word, place, width, signed):
    value = word >> place & ((1 << width) - 1)
    return value - (1 << width) if signed and value >> (width - 1) else value


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("options", [{}, {"levels": 6, "fire_floor": True}, {"steps": 3, "sets": 3}])
def test_words_hold_every_parameter_and_weight(bits, options):
    network = chain_network(np.random.default_rng(bits), bits=bits, size=9, channels=(13,), **options)
    profile = profile_of(network, {"layer0": 5, "readout": 3})
    for population, layer in zip(network.populations, profile.layers, strict=True):
        memories = memory_words(network, layer)
        width, words = memories[f"{layer.name}_parameter"]
        rows = parameter_rows(population)
        assert len(words) == layer.parameter_sets * layer.channels
        for k, word in enumerate(words):
            assert 0 <= word < 1 << width
            place = 0
            for name, (size, signed) in parameter_fields(layer).items():
                assert field(word, place, size, signed) == rows[name].reshape(-1)[k]
                place += size
            assert place == width
        check_weights(population.projections[0], layer, memories)


def check_weights(projection, layer, memories):
    sets, channels, inputs = projection.weight.shape
    lanes = weight_lanes(layer)
    assert [lane for group in lanes for lane in group] == list(range(layer.lanes))
    for k, group in enumerate(lanes):
        width, words = memories[f"{layer.name}_weight{k}"]
        assert width == len(group) * projection.bits
        assert len(words) == sets * layer.blocks * inputs
        for s, block, i in np.ndindex(sets, layer.blocks, inputs):
            word = words[(s * layer.blocks + block) * inputs + i]
            for place, lane in enumerate(group):
                channel = block * layer.lanes + lane
                value = field(word, place * projection.bits, projection.bits, projection.bits > 1)
                if projection.bits == 1:
                    value = 2 * value - 1
                if channel < channels:
                    assert value == projection.weight[s, channel, i]


@pytest.mark.parametrize(
    ("bits", "rows", "lanes"),
    [(4, 100, 8), (4, 512, 8), (4, 513, 4), (4, 3136, 1), (8, 1 << 20, 1), (1, 100, 32)],
)
def test_memories_are_cut_to_one_block_ram(bits, rows, lanes):
    assert lanes_per_memory(bits, rows) == lanes


def test_values_beyond_their_field_are_a_defect():
    with pytest.raises(ValueError, match=r"^bias must be -8\.\.7, not 8$"):
        pack({"bias": 8}, {"bias": (4, True)})
    with pytest.raises(ValueError, match=r"^threshold must be 0\.\.15, not -1$"):
        pack({"threshold": -1}, {"threshold": (4, False)})

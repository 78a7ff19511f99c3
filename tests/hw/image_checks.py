"""Memory images taken apart again, and networks to take them from."""

import numpy as np
from random_networks import chain_network, random_graph

from spikefold_hw.streaming.planning import plan_of

CHAIN_OPTIONS = (
    {},
    {"levels": 6, "fire_floor": True},
    {"steps": 3, "sets": 3},
    {"steps": 2, "leak": "each", "fire_floor": True},
)
"""Options of `chain_network` that change what is stored."""


def field(word, place, width, signed):
    """A number of `width` bits from `place` on."""
    value = word >> place & ((1 << width) - 1)
    return value - (1 << width) if signed and value >> (width - 1) else value


def check_image(image, rows):
    """Words, hexadecimal text and bytes of an image agree; there are as many as there should be."""
    words, size = image.words, -(-image.width // 8)
    assert len(words) == rows
    assert all(0 <= word < 1 << image.width for word in words)
    digits = -(-image.width // 4)
    assert image.hexadecimal == b"".join(b"%0*x\n" % (digits, word) for word in words)
    assert image.data.tobytes() == b"".join(word.to_bytes(size, "little") for word in words)
    return words


def chain_plans(bits, options):
    """A chain and its plan, with one unit and with several."""
    network = chain_network(np.random.default_rng(bits), bits=bits, size=9, channels=(12,), **options)
    yield network, plan_of(network, {"layer0": 5, "readout": 3})
    yield network, plan_of(network, {"layer0": 6, "readout": 3}, units={"layer0": 3, "readout": 3})


def graph_plans():
    """Random graphs and their plans."""
    for seed in range(30):
        rng = np.random.default_rng([4, seed])
        network = random_graph(rng, neurons=60)
        lanes = {p.name: int(rng.integers(1, 9)) for p in network.populations}
        plain = plan_of(network, lanes)
        units = {
            layer.name: int(
                rng.choice(
                    [n for n in range(1, 9) if layer.lanes % n == layer.blocks.group_channels % n == 0]
                )
            )
            for layer in plain.layers
        }
        yield network, plan_of(network, lanes, units=units)

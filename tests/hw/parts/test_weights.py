"""Weight memories, unpacked again bit by bit."""

import numpy as np
import pytest
from image_checks import CHAIN_OPTIONS, chain_plans, check_image, field, graph_plans

from spikefold.ir import Conv, Dense, Identity, Input, Network, Neuron, Population
from spikefold_hw.parts.weights import lanes_per_memory, weight_lanes, weight_sizes
from spikefold_hw.streaming.planning import plan_of


def scanned(projection, source):
    """Weights of each target in the order of its window: row, column, channel of the group."""
    sets, targets = projection.weight.shape[:2]
    if isinstance(projection, Conv):
        _, _, channels, height, width = projection.weight.shape
        places = [(i, y, x) for y in range(height) for x in range(width) for i in range(channels)]
        values = {
            (s, c): [projection.weight[s, c, i, y, x] for i, y, x in places]
            for s, c in np.ndindex(sets, targets)
        }
    else:
        places = [
            (i * source.height + y) * source.width + x
            for y in range(source.height)
            for x in range(source.width)
            for i in range(source.channels)
        ]
        values = {(s, c): [projection.weight[s, c, k] for k in places] for s, c in np.ndindex(sets, targets)}
    return values


def check_weights(network, layer, port, images):
    shape, blocks, inputs = layer.lanes_shape, layer.blocks, layer.windows[port].inputs
    projections = [p for p in network.by_name[layer.name].projections if not isinstance(p, Identity)]
    projection, bits = projections[port], layer.projections[port].weight_bits
    expected = scanned(projection, network.maps[projection.source])
    shares = weight_lanes(shape, port)
    assert [lane for share in shares for lane in share] == list(range(layer.lanes))
    for size, share in zip(weight_sizes(shape, port), shares, strict=True):
        image = images[size.name]
        assert (image.width, size.width) == (len(share) * bits,) * 2
        assert size.depth == len(projection.weight) * blocks.count * inputs
        for row, word in enumerate(check_image(image, size.depth)):
            rest, i = divmod(row, inputs)
            s, block = divmod(rest, blocks.count)
            channels = blocks.channels_of(block)
            for place, lane in enumerate(share):
                value = field(word, place * bits, bits, bits > 1)
                if lane >= len(channels):
                    assert value == 0
                else:
                    stored = value if bits > 1 else 2 * value - 1
                    assert stored == expected[s, channels[lane]][i]


def check_plan(network, plan):
    for layer in plan.layers:
        images, ports = layer.images(network), range(len(layer.windows))
        for port in ports:
            check_weights(network, layer, port, images)
        names = [size.name for port in ports for size in weight_sizes(layer.lanes_shape, port)]
        assert list(images) == [*names, f"{layer.name}_parameter"]


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("options", CHAIN_OPTIONS)
def test_words_hold_every_weight(bits, options):
    for network, plan in chain_plans(bits, options):
        check_plan(network, plan)


def test_words_of_random_graphs():
    for network, plan in graph_plans():
        check_plan(network, plan)


def test_groups_of_several_blocks_by_hand():
    """Two groups of three targets, two lanes: blocks of 2, 1, 2, 1 channels; inputs row, column, channel."""
    weight = np.arange(-24, 24).reshape(1, 6, 2, 2, 2)
    layer = Population(
        "layer",
        (Conv("input", weight, 8, groups=2),),
        np.zeros((1, 6), int),
        0,
        Neuron(1, np.ones((1, 6), int)),
    )
    last = Population(
        "readout", (Dense("layer", np.arange(-12, 12).reshape(1, 1, 24), 8),), np.zeros((1, 1), int)
    )
    network = Network(Input((4, 3, 3), 1), 1, (layer, last))
    plan = plan_of(network, {"layer": 2, "readout": 4})
    image = plan.layers[0].images(network)["layer_weight0"]
    order = [0, 4, 1, 5, 2, 6, 3, 7]  # channel, row, column -> row, column, channel
    lanes = [[0, 1], [2], [3, 4], [5]]
    expected = [
        [-24 + 8 * channel + k for channel in channels] + [0] * (2 - len(channels))
        for channels in lanes
        for k in order
    ]
    assert [[field(word, 8 * lane, 8, True) for lane in (0, 1)] for word in image.words] == expected
    # Dense over the map of 6x2x2: columns (channel, row, column) come as (row, column, channel).
    image = plan.layers[1].images(network)["readout_weight0"]
    assert [field(word, 0, 8, True) for word in image.words] == [
        -12 + 4 * c + p for p in range(4) for c in range(6)
    ]


@pytest.mark.parametrize(
    ("bits", "rows", "lanes"),
    [(4, 100, 8), (4, 512, 8), (4, 513, 4), (4, 3136, 1), (8, 1 << 20, 4), (1, 100, 32), (3, 600, 5)],
)
def test_memories_are_cut_to_one_block_ram(bits, rows, lanes):
    assert lanes_per_memory(bits, rows) == lanes


@pytest.mark.parametrize(
    ("bits", "rows", "lanes"), [(4, 100, 4), (4, 20_000, 4), (5, 9, 3), (1, 9, 16), (8, 9, 2)]
)
def test_memories_are_cut_to_a_word(bits, rows, lanes):
    assert lanes_per_memory(bits, rows, 16) == lanes

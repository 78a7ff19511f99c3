"""Memory images, unpacked again bit by bit."""

import numpy as np
import pytest
from random_networks import chain_network, random_graph, random_weight
from spikefold.images import image_files

from spikefold.ir import Conv, Dense, Identity, Input, Network, Neuron, Population
from spikefold_hw.parts.images import (
    Image,
    lanes_per_memory,
    memory_images,
    parameter_fields,
    weight_lanes,
    weight_name,
)
from spikefold_hw.streaming.planning import parameter_rows, plan_of


def field(word, place, width, signed):
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


def check_parameters(network, layer, image):
    """Row (set, word): drain neurons, each with its fields, the first neuron and field lowest."""
    rows = parameter_rows(network.by_name[layer.name])
    assert list(rows) == list(parameter_fields(layer))
    words = check_image(image, layer.parameter_sets * layer.channels // layer.drain)
    for k, word in enumerate(words):
        s, place = divmod(k, layer.channels // layer.drain)
        bit = 0
        for neuron in range(layer.drain):
            for name, (size, signed) in parameter_fields(layer).items():
                assert field(word, bit, size, signed) == rows[name][s, place * layer.drain + neuron]
                bit += size
        assert bit == image.width


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
    window = layer.windows[port]
    projections = [p for p in network.by_name[layer.name].projections if not isinstance(p, Identity)]
    projection, bits = projections[port], window.weight_bits
    expected = scanned(projection, network.maps[projection.source])
    shares = weight_lanes(layer, window)
    assert [lane for share in shares for lane in share] == list(range(layer.lanes))
    for k, share in enumerate(shares):
        image = images[weight_name(layer, port, k)]
        assert image.width == len(share) * bits
        words = check_image(image, len(projection.weight) * layer.blocks * window.inputs)
        for row, word in enumerate(words):
            rest, i = divmod(row, window.inputs)
            s, block = divmod(rest, layer.blocks)
            channels = layer.block_channels(block)
            for place, lane in enumerate(share):
                value = field(word, place * bits, bits, bits > 1)
                if lane >= len(channels):
                    assert value == 0
                else:
                    stored = value if bits > 1 else 2 * value - 1
                    assert stored == expected[s, channels[lane]][i]


def check_network(network, profile):
    for layer in profile.layers:
        images = memory_images(network, layer)
        check_parameters(network, layer, images.pop(f"{layer.name}_parameter"))
        for port in range(len(layer.windows)):
            check_weights(network, layer, port, images)
        names = [
            weight_name(layer, port, k)
            for port, window in enumerate(layer.windows)
            for k in range(len(weight_lanes(layer, window)))
        ]
        assert list(images) == names


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("options", [{}, {"levels": 6, "fire_floor": True}, {"steps": 3, "sets": 3}])
def test_words_hold_every_parameter_and_weight(bits, options):
    network = chain_network(np.random.default_rng(bits), bits=bits, size=9, channels=(12,), **options)
    check_network(network, plan_of(network, {"layer0": 5, "readout": 3}))
    check_network(network, plan_of(network, {"layer0": 6, "readout": 3}, drain={"layer0": 3, "readout": 3}))


def test_words_of_random_graphs():
    for seed in range(30):
        rng = np.random.default_rng([4, seed])
        network = random_graph(rng, neurons=60)
        lanes = {p.name: int(rng.integers(1, 9)) for p in network.populations}
        plain = plan_of(network, lanes)
        drain = {
            layer.name: int(
                rng.choice([n for n in range(1, 9) if layer.lanes % n == layer.group_channels % n == 0])
            )
            for layer in plain.layers
        }
        check_network(network, plan_of(network, lanes, drain=drain))


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
    profile = plan_of(network, {"layer": 2, "readout": 4})
    (image,) = (
        i for name, i in memory_images(network, profile.layers[0]).items() if name.endswith("weight0")
    )
    order = [0, 4, 1, 5, 2, 6, 3, 7]  # channel, row, column -> row, column, channel
    lanes = [[0, 1], [2], [3, 4], [5]]
    expected = [
        [-24 + 8 * channel + k for channel in channels] + [0] * (2 - len(channels))
        for channels in lanes
        for k in order
    ]
    assert [[field(word, 8 * lane, 8, True) for lane in (0, 1)] for word in image.words] == expected
    # Dense over the map of 6x2x2: columns (channel, row, column) come as (row, column, channel).
    (image,) = (
        i for name, i in memory_images(network, profile.layers[1]).items() if name.endswith("weight0")
    )
    assert [field(word, 0, 8, True) for word in image.words] == [
        -12 + 4 * c + p for p in range(4) for c in range(6)
    ]


def test_skip_weights_are_parameters():
    skip = Identity("input", np.array([[-3, 3], [2, -4]]), 3)
    one_bit = Identity("input", np.array([[1, -1]]), 1)
    conv = Conv("input", random_weight(np.random.default_rng(0), 2, (1, 2, 2, 1, 1)), 2)
    layer = Population("layer", (skip, conv, one_bit), np.array([[5, -6]]), 0, Neuron(1, np.array([[9, 8]])))
    last = Population("readout", (Dense("layer", np.ones((1, 1, 2), int), 2),), np.zeros((1, 1), int))
    network = Network(Input((2, 1, 1), 1), 2, (layer, last))
    profile = plan_of(network, {"layer": 2, "readout": 1}, drain={"layer": 2}).layers[0]
    fields = parameter_fields(profile)
    assert {name: fields[name] for name in ("skip0", "skip1")} == {"skip0": (3, True), "skip1": (2, True)}
    assert profile.parameter_sets == 2
    image = memory_images(network, profile)["layer_parameter"]
    assert image.width == 2 * sum(bits for bits, _ in fields.values())
    check_parameters(network, profile, image)


def test_files_are_the_images():
    network = random_graph(np.random.default_rng(1))
    profile = plan_of(network, {p.name: 2 for p in network.populations})
    files = image_files(network, profile)
    images = {name: i for layer in profile.layers for name, i in memory_images(network, layer).items()}
    assert set(files) == {f"{name}.{kind}" for name in images for kind in ("mem", "bin")}
    for name, image in images.items():
        assert files[f"{name}.mem"] == image.hexadecimal
        assert files[f"{name}.bin"] == image.data.tobytes()


@pytest.mark.parametrize(
    ("bits", "rows", "lanes"),
    [(4, 100, 8), (4, 512, 8), (4, 513, 4), (4, 3136, 1), (8, 1 << 20, 4), (1, 100, 32), (3, 600, 5)],
)
def test_memories_are_cut_to_one_block_ram(bits, rows, lanes):
    assert lanes_per_memory(bits, rows) == lanes


def test_values_beyond_their_field_are_a_defect():
    Image.of([(np.array([7, -8]), 4)])
    Image.of([(np.array([0, 15]), 4)])
    with pytest.raises(ValueError, match=r"^Values must fit 4 bits, not 0\.\.16$"):
        Image.of([(np.array([0, 16]), 4)])
    with pytest.raises(ValueError, match=r"^Values must fit 4 bits, not -9\.\.0$"):
        Image.of([(np.array([0, -9]), 4)])

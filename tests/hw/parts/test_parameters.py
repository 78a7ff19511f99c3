"""Parameter memories, unpacked again bit by bit."""

import numpy as np
import pytest
from image_checks import CHAIN_OPTIONS, chain_plans, check_image, field, graph_plans
from random_networks import chain_network, random_weight

from spikefold.ir import Conv, Dense, Identity, Input, Network, Neuron, Population
from spikefold_hw.parts.parameters import (
    parameter_fields,
    parameter_image,
    parameter_layout,
    parameter_size,
    stored_rows,
)
from spikefold_hw.streaming.planning import plan_of


def check_parameters(population, shape, image):
    """Row (set, word): `units` neurons, each with its fields, the first neuron and field lowest."""
    rows, fields = stored_rows(population, shape), parameter_fields(shape)
    units, words = shape.blocks.units, shape.blocks.words
    assert list(rows) == list(fields)
    size = parameter_size(shape)
    assert (image.width, size.width) == (parameter_layout(shape).size,) * 2
    assert size.depth == shape.parameter_sets * shape.blocks.channels // units
    for k, word in enumerate(check_image(image, size.depth)):
        s, place = divmod(k, words)
        bit = 0
        for neuron in range(units):
            for name, (bits, signed) in fields.items():
                assert field(word, bit, bits, signed) == rows[name][s, place * units + neuron]
                bit += bits
        assert bit == image.width


def check_plan(network, plan):
    for layer in plan.layers:
        population, shape = network.by_name[layer.name], layer.drain_shape
        image = layer.images(network)[parameter_size(shape).name]
        check_parameters(population, shape, image)
        assert parameter_image(population, shape).words == image.words


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("options", CHAIN_OPTIONS)
def test_words_hold_every_parameter(bits, options):
    for network, plan in chain_plans(bits, options):
        check_plan(network, plan)


def test_words_of_random_graphs():
    for network, plan in graph_plans():
        check_plan(network, plan)


def test_skip_weights_are_parameters():
    skip = Identity("input", np.array([[-3, 3], [2, -4]]), 3)
    one_bit = Identity("input", np.array([[1, -1]]), 1)
    conv = Conv("input", random_weight(np.random.default_rng(0), 2, (1, 2, 2, 1, 1)), 2)
    layer = Population("layer", (skip, conv, one_bit), np.array([[5, -6]]), 0, Neuron(1, np.array([[9, 8]])))
    last = Population("readout", (Dense("layer", np.ones((1, 1, 2), int), 2),), np.zeros((1, 1), int))
    network = Network(Input((2, 1, 1), 1), 2, (layer, last))
    stage = plan_of(network, {"layer": 2, "readout": 1}, units={"layer": 2}).layers[0]
    shape = stage.drain_shape
    fields = parameter_fields(shape)
    assert {name: fields[name] for name in ("skip0", "skip1")} == {"skip0": (3, True), "skip1": (2, True)}
    assert shape.parameter_sets == 2
    image = stage.images(network)["layer_parameter"]
    assert image.width == 2 * sum(bits for bits, _ in fields.values())
    check_parameters(layer, shape, image)


@pytest.mark.parametrize("steps", [1, 2])
def test_leaks_are_stored_where_there_is_a_second_step(steps):
    network = chain_network(np.random.default_rng(1), steps=steps, leak="each")
    stage = plan_of(network, {"layer0": 2, "readout": 1}, units={"layer0": 2}).layers[0]
    fields = parameter_fields(stage.drain_shape)
    assert any(name.startswith("leak") for name in fields) == (steps > 1)
    check_parameters(network.populations[0], stage.drain_shape, stage.images(network)["layer0_parameter"])

"""How parameters are packed into memory words: one definition for images and gateware."""

import numpy as np
from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from spikefold.ir.neuron import Integers, Neuron
from spikefold.ir.projections import Identity
from spikefold.ir.stages import Population
from spikefold_hw.parts.images import Image, ImageSize
from spikefold_hw.parts.leak import code_fields, code_rows, leak_shape
from spikefold_hw.parts.shapes import DrainShape, NeuronShape

Fields = dict[str, tuple[int, bool]]
"""Width and signedness by field name, lowest bits first."""


def neuron_shape(neuron: Neuron) -> NeuronShape:
    """The part of a neuron that shapes hardware."""
    return NeuronShape(
        levels=neuron.levels,
        rounding=neuron.rounding,
        reset=neuron.reset,
        leak=leak_shape(neuron.leak),
        factor=neuron.factor,
        fire_floor=neuron.fire_floor is not None,
        membrane_bits=neuron.membrane_bits,
    )


def parameter_rows(population: Population) -> dict[str, Integers]:
    """The words stored per channel, as arrays (parameter sets, channels).

    Bias, θ, m·θ, fire floor, and a weight per identity projection (`skip0`, ..). Where nothing acts
    between current and rounding, `h` is already in bias and fire floor (`NeuronShape.merged`), which
    saves an adder. A readout stores no threshold.
    """
    neuron = population.neuron
    rows = {"bias": population.bias}
    if neuron is not None:
        shape = neuron_shape(neuron)
        half = neuron.half if shape.merged else np.zeros_like(neuron.half)
        rows = {"bias": population.bias + half, "threshold": neuron.threshold}
        if shape.stores_top:
            rows["top"] = neuron.threshold * shape.top
        if neuron.fire_floor is not None:
            rows["fire_floor"] = neuron.fire_floor[None] + half
    identities = [p.weight for p in population.projections if isinstance(p, Identity)]
    rows |= {f"skip{k}": weight for k, weight in enumerate(identities)}
    sets = max(len(row) for row in rows.values())
    return {name: np.broadcast_to(row, (sets, population.channels)) for name, row in rows.items()}


def stored_rows(population: Population, shape: DrainShape) -> dict[str, Integers]:
    """Those words with the codes of each channel's leak, as hardware of this shape stores them."""
    rows, neuron = parameter_rows(population), population.neuron
    if neuron is None or shape.neuron is None or shape.time.steps == 1:
        return rows
    codes = code_rows(neuron.leak, shape.neuron.leak, population.channels)
    return rows | {name: np.broadcast_to(row, rows["bias"].shape) for name, row in codes.items()}


def parameter_fields(shape: DrainShape) -> Fields:
    """Fields of a neuron's parameters, in the order of `stored_rows`."""
    widths, neuron = shape.widths, shape.neuron
    codes: Fields = {}
    fields: Fields = {"bias": (widths.bias, True)}
    if neuron is not None:
        fields["threshold"] = (widths.threshold, False)
        if neuron.stores_top:
            fields["top"] = (widths.top, False)
        if neuron.fire_floor:
            fields["fire_floor"] = (widths.fire_floor, True)
        if shape.time.steps > 1:
            codes |= {name: (bits, False) for name, bits in code_fields(neuron.leak).items()}
    # A one-bit weight is -1 or +1; as a number it takes two bits.
    skips = {f"skip{k}": (max(skip.weight_bits, 2), True) for k, skip in enumerate(shape.skips)}
    return fields | skips | codes


def parameter_layout(shape: DrainShape) -> data.ArrayLayout:
    """A parameter word as a layout: fields of each of its neurons."""
    fields = parameter_fields(shape).items()
    neuron = data.StructLayout({name: (signed if sign else unsigned)(bits) for name, (bits, sign) in fields})
    return data.ArrayLayout(neuron, shape.blocks.units)


def parameter_size(shape: DrainShape) -> ImageSize:
    """Name and size of the parameter memory."""
    width = shape.blocks.units * sum(bits for bits, _ in parameter_fields(shape).values())
    return ImageSize(f"{shape.name}_parameter", width, shape.parameter_sets * shape.blocks.words)


def parameter_image(population: Population, shape: DrainShape) -> Image:
    """Parameter memory: row (set, word) holds the parameters of `units` neurons, the first one lowest."""
    rows, columns, units = stored_rows(population, shape), [], shape.blocks.units
    for neuron in range(units):
        for name, (bits, _) in parameter_fields(shape).items():
            columns.append((rows[name][:, neuron::units].ravel(), bits))
    return Image.of(columns)

"""How parameters are packed into memory words: one definition for images and gateware."""

import numpy as np
from amaranth.hdl import signed, unsigned
from amaranth.lib import data

from spikefold.ir.neuron import Integers, Neuron
from spikefold.ir.projections import Identity
from spikefold.ir.stages import Population
from spikefold_hw.parts.images import Image, ImageSize
from spikefold_hw.parts.shapes import DrainShape, NeuronShape

Fields = dict[str, tuple[int, bool]]
"""Width and signedness by field name, lowest bits first."""


def neuron_shape(neuron: Neuron) -> NeuronShape:
    """The part of a neuron that shapes hardware."""
    return NeuronShape(
        levels=neuron.levels,
        rounding=neuron.rounding,
        reset=neuron.reset,
        leak=neuron.leak,
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


def parameter_fields(shape: DrainShape) -> Fields:
    """Fields of a neuron's parameters, in the order of `parameter_rows`."""
    widths, neuron = shape.widths, shape.neuron
    fields: Fields = {"bias": (widths.bias, True)}
    if neuron is not None:
        fields["threshold"] = (widths.threshold, False)
        if neuron.stores_top:
            fields["top"] = (widths.top, False)
        if neuron.fire_floor:
            fields["fire_floor"] = (widths.fire_floor, True)
    # A one-bit weight is -1 or +1; as a number it takes two bits.
    return fields | {f"skip{k}": (max(skip.weight_bits, 2), True) for k, skip in enumerate(shape.skips)}


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
    rows, columns, units = parameter_rows(population), [], shape.blocks.units
    for neuron in range(units):
        for name, (bits, _) in parameter_fields(shape).items():
            columns.append((rows[name][:, neuron::units].ravel(), bits))
    return Image.of(columns)

"""How parameters and weights are packed into memory words: one definition for images and gateware."""

from collections.abc import Mapping

import numpy as np

from spikefold.ir.network import Network
from spikefold.ir.profile import LayerProfile, parameter_rows

Fields = dict[str, tuple[int, bool]]
"""Width and signedness by field name, lowest bits first."""


def parameter_fields(layer: LayerProfile) -> Fields:
    """Fields of a neuron's parameter word, in the order of `parameter_rows`."""
    widths, neuron = layer.widths, layer.neuron
    fields: Fields = {"bias": (widths.bias, True)}
    if neuron is not None:
        fields["threshold"] = (widths.threshold, False)
        if neuron.stores_top:
            fields["top"] = (widths.top, False)
        if neuron.fire_floor:
            fields["fire_floor"] = (widths.fire_floor, True)
    return fields


def pack(values: Mapping[str, int], fields: Fields) -> int:
    """One word: every value in two's complement at its place.

    Raises
    ------
    ValueError
        If a value does not fit; widths come from the same network, so this is a defect.
    """
    word, place = 0, 0
    for name, (width, signed) in fields.items():
        value = values[name]
        low, high = (-(1 << (width - 1)), 1 << (width - 1)) if signed else (0, 1 << width)
        if not low <= value < high:
            raise ValueError(f"{name} must be {low}..{high - 1}, not {value}")
        word |= (value & ((1 << width) - 1)) << place
        place += width
    return word


def parameter_words(network: Network, layer: LayerProfile) -> list[int]:
    """Parameter memory of a layer: one word per neuron, parameter sets one after another."""
    rows, fields = parameter_rows(network.by_name[layer.name]), parameter_fields(layer)
    return [
        pack({name: int(row[k, c]) for name, row in rows.items()}, fields)
        for k in range(layer.parameter_sets)
        for c in range(layer.channels)
    ]


def lanes_per_memory(bits: int, rows: int) -> int:
    """Lanes whose weights share one memory: as many as one 16-kbit block RAM of that depth is wide.

    A block RAM keeps its 16 kbit at any width from 1 to 32. Memories cut to that width need no
    multiplexer behind the slow outputs of the RAM, and waste none of it.
    """
    width = 32
    while width > 1 and width * rows > 1 << 14:
        width //= 2
    return max(1, width // bits)


def weight_lanes(layer: LayerProfile) -> list[range]:
    """Lanes of each weight memory of a layer."""
    (window,) = layer.windows
    rows = window.weight_sets * layer.blocks * window.inputs
    share = lanes_per_memory(window.weight_bits, rows)
    return [range(k, min(k + share, layer.lanes)) for k in range(0, layer.lanes, share)]


def weight_words(network: Network, layer: LayerProfile, lanes: range) -> list[int]:
    """A weight memory: row (set, block, source) holds one weight per lane, the first lane lowest.

    Lanes beyond the last channel hold zeros. One-bit weights are stored as 1 for +1, 0 for -1.
    """
    (projection,) = network.by_name[layer.name].projections
    weight, bits = projection.weight, projection.bits
    stored = (weight > 0).astype(np.int64) if bits == 1 else weight & ((1 << bits) - 1)
    sets, _, inputs = weight.shape
    padded = np.zeros((sets, layer.blocks * layer.lanes, inputs), np.int64)
    padded[:, : layer.channels] = stored
    rows = padded.reshape(sets, layer.blocks, layer.lanes, inputs)[:, :, lanes.start : lanes.stop]
    shifts = np.arange(len(lanes))[:, None] * bits
    return (rows << shifts).sum(axis=2).reshape(-1).tolist()


def memory_words(network: Network, layer: LayerProfile) -> dict[str, tuple[int, list[int]]]:
    """Every memory of a layer: `(word width, words)` by memory name."""
    bits = layer.windows[0].weight_bits
    memories = {
        f"{layer.name}_weight{k}": (len(lanes) * bits, weight_words(network, layer, lanes))
        for k, lanes in enumerate(weight_lanes(layer))
    }
    width = sum(bits for bits, _ in parameter_fields(layer).values())
    memories[f"{layer.name}_parameter"] = (width, parameter_words(network, layer))
    return memories

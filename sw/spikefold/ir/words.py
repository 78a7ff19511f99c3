"""How parameters and weights are packed into memory words: one definition for images and gateware."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikefold.ir.maps import Map
from spikefold.ir.network import Network, Population
from spikefold.ir.neuron import Integers
from spikefold.ir.profile import LayerProfile, WindowProfile
from spikefold.ir.profiling import parameter_rows
from spikefold.ir.projections import Conv, Identity, Projection

Fields = dict[str, tuple[int, bool]]
"""Width and signedness by field name, lowest bits first."""

_BLOCK_RAM_BITS = 1 << 14
_BLOCK_RAM_WIDTH = 32


@dataclass(frozen=True, eq=False)
class Image:
    """Contents of a memory: words of `width` bits as bytes, lowest first, shape (rows, bytes)."""

    width: int
    data: NDArray[np.uint8]

    @classmethod
    def of(cls, columns: list[tuple[Integers, int]]) -> "Image":
        """Pack columns of values, each (rows,) with its width in bits, into words; the first one lowest.

        Raises
        ------
        ValueError
            If a value does not fit; widths come from the same network, so this is a defect.
        """
        width = sum(bits for _, bits in columns)
        rows = np.zeros((len(columns[0][0]), width), np.uint8)
        place = 0
        for values, bits in columns:
            low, high = int(values.min(initial=0)), int(values.max(initial=0))
            if not -(1 << bits) <= 2 * low or high >= (1 << bits) >> (low < 0):
                raise ValueError(f"Values must fit {bits} bits, not {low}..{high}")
            rows[:, place : place + bits] = values[:, None] >> np.arange(bits) & 1
            place += bits
        return cls(width, np.packbits(rows, axis=1, bitorder="little"))

    @property
    def words(self) -> list[int]:
        """The rows as unsigned integers."""
        return [int.from_bytes(row.tobytes(), "little") for row in self.data]

    @property
    def hexadecimal(self) -> bytes:
        """The rows as `$readmemh` reads them, one per line."""
        digits = -(-self.width // 4)
        text = np.frombuffer(self.data[:, ::-1].tobytes().hex().encode(), np.uint8)
        lines = text.reshape(len(self.data), -1)[:, -digits:]
        return np.concatenate([lines, np.full((len(lines), 1), ord("\n"), np.uint8)], axis=1).tobytes()


def parameter_fields(layer: LayerProfile) -> Fields:
    """Fields of a neuron's parameters, in the order of `parameter_rows`."""
    widths, neuron = layer.widths, layer.neuron
    fields: Fields = {"bias": (widths.bias, True)}
    if neuron is not None:
        fields["threshold"] = (widths.threshold, False)
        if neuron.stores_top:
            fields["top"] = (widths.top, False)
        if neuron.fire_floor:
            fields["fire_floor"] = (widths.fire_floor, True)
    # A one-bit weight is -1 or +1; as a number it takes two bits.
    return fields | {f"skip{k}": (max(skip.weight_bits, 2), True) for k, skip in enumerate(layer.skips)}


def parameter_image(network: Network, layer: LayerProfile) -> Image:
    """Parameter memory: row (set, word) holds the parameters of `drain` neurons, the first one lowest."""
    population = network.by_name[layer.name]
    assert isinstance(population, Population)
    rows, columns = parameter_rows(population), []
    for neuron in range(layer.drain):
        for name, (bits, _) in parameter_fields(layer).items():
            columns.append((rows[name][:, neuron :: layer.drain].ravel(), bits))
    return Image.of(columns)


def lanes_per_memory(bits: int, rows: int) -> int:
    """Lanes whose weights share one memory: as many as one 16-kbit block RAM of that depth is wide.

    A block RAM keeps its 16 kbit at any width from 1 to 32. Memories cut to that width need no
    multiplexer behind the slow outputs of the RAM, and waste none of it. Deeper memories need the
    multiplexer anyway.
    """
    width = _BLOCK_RAM_WIDTH
    while rows <= _BLOCK_RAM_BITS and width * rows > _BLOCK_RAM_BITS:
        width //= 2
    return max(1, width // bits)


def weight_lanes(layer: LayerProfile, window: WindowProfile) -> list[range]:
    """Lanes of each weight memory of a window."""
    share = lanes_per_memory(window.weight_bits, layer.weight_rows(window))
    return [range(k, min(k + share, layer.lanes)) for k in range(0, layer.lanes, share)]


def weight_name(layer: LayerProfile, port: int, memory: int) -> str:
    """Name of a weight memory of the `port`-th window."""
    window = f"_window{port}" if len(layer.windows) > 1 else ""
    return f"{layer.name}{window}_weight{memory}"


def weight_images(network: Network, layer: LayerProfile, port: int) -> Iterator[Image]:
    """Weight memories of a window: row (set, block, input) holds one weight per lane, the first one lowest.

    Inputs come as the window counts them: row, column, channel. Lanes beyond a block's last channel
    hold zeros. One-bit weights are stored as 1 for +1, 0 for -1.
    """
    window, bits = layer.windows[port], layer.windows[port].weight_bits
    population = network.by_name[layer.name]
    assert isinstance(population, Population)
    projection = [p for p in population.projections if not isinstance(p, Identity)][port]
    weight = _in_window_order(projection, network.maps[projection.source])
    stored = (weight > 0).astype(np.int8) if bits == 1 else weight.astype(np.int8)
    sets, _, inputs = stored.shape
    padded = np.zeros((sets, layer.blocks, layer.lanes, inputs), np.int8)
    for block in range(layer.blocks):
        channels = layer.block_channels(block)
        padded[:, block, : len(channels)] = stored[:, channels.start : channels.stop]
    for lanes in weight_lanes(layer, window):
        yield Image.of([(padded[:, :, lane].reshape(-1), bits) for lane in lanes])


def _in_window_order(projection: Projection, source: Map) -> Integers:
    """Weights (sets, targets, inputs) with the inputs in the window's order."""
    weight = projection.weight
    if not isinstance(projection, Conv):
        weight = weight.reshape(*weight.shape[:2], *source)
    return weight.transpose(0, 1, 3, 4, 2).reshape(*weight.shape[:2], -1)


def memory_images(network: Network, layer: LayerProfile) -> dict[str, Image]:
    """Every memory image of a layer by name."""
    images = {
        weight_name(layer, port, k): image
        for port in range(len(layer.windows))
        for k, image in enumerate(weight_images(network, layer, port))
    }
    return images | {f"{layer.name}_parameter": parameter_image(network, layer)}

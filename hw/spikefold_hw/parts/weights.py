"""How weights are packed into memory words: one definition for images and gateware."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from spikefold_hw.parts.images import Image, ImageSize
from spikefold_hw.parts.shapes import LanesShape

_BLOCK_RAM_BITS = 1 << 14
_BLOCK_RAM_WIDTH = 32


def lanes_per_memory(bits: int, rows: int, word: int | None = None) -> int:
    """Lanes whose weights share one memory: as many as ``word`` or one 16-kbit block RAM is wide.

    A block RAM keeps its 16 kbit at any width from 1 to 32. Memories cut to that width need no
    multiplexer behind the slow outputs of the RAM, and waste none of it. Deeper memories need the
    multiplexer anyway.
    """
    if word is not None:
        return max(1, word // bits)
    width = _BLOCK_RAM_WIDTH
    while rows <= _BLOCK_RAM_BITS and width * rows > _BLOCK_RAM_BITS:
        width //= 2
    return max(1, width // bits)


def weight_lanes(shape: LanesShape, port: int) -> list[range]:
    """Lanes of each weight memory of the `port`-th projection."""
    lanes = shape.blocks.lanes
    share = lanes_per_memory(shape.weights[port].bits, shape.rows(port), shape.word)
    return [range(k, min(k + share, lanes)) for k in range(0, lanes, share)]


def weight_sizes(shape: LanesShape, port: int) -> list[ImageSize]:
    """Names and sizes of the weight memories of the `port`-th projection."""
    window = f"_window{port}" if len(shape.weights) > 1 else ""
    return [
        ImageSize(f"{shape.name}{window}_weight{k}", len(lanes) * shape.weights[port].bits, shape.rows(port))
        for k, lanes in enumerate(weight_lanes(shape, port))
    ]


def weight_images(weight: NDArray[np.integer], shape: LanesShape, port: int) -> Iterator[Image]:
    """Weight memories of a projection: row (set, block, input) holds a weight per lane, the first one lowest.

    Lanes beyond a block's last channel hold zeros. One-bit weights are stored as 1 for +1, 0 for -1.

    Parameters
    ----------
    weight
        (sets, channels, inputs), inputs as the rows of weights are numbered.
    """
    blocks, bits = shape.blocks, shape.weights[port].bits
    stored = (weight > 0).astype(np.int8) if bits == 1 else weight.astype(np.int8)
    sets, _, inputs = stored.shape
    padded = np.zeros((sets, blocks.count, blocks.lanes, inputs), np.int8)
    for block in range(blocks.count):
        channels = blocks.channels_of(block)
        padded[:, block, : len(channels)] = stored[:, channels.start : channels.stop]
    for lanes in weight_lanes(shape, port):
        yield Image.of([(padded[:, :, lane].reshape(-1), bits) for lane in lanes])

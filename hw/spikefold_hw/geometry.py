"""Sizes of the memories a design is built from."""

from collections.abc import Iterator

from amaranth.hdl import Shape

from spikefold.ir.profile import LayerProfile, PoolProfile, Profile, ScanProfile, StageProfile, buffers_of
from spikefold_hw.digits import PendingDigits
from spikefold_hw.drain import state_rows
from spikefold_hw.levels import level_memories
from spikefold_hw.line_buffer import CellRecord
from spikefold_hw.load import image_sizes
from spikefold_hw.neuron import state_bits
from spikefold_hw.repeat import repeat_rows
from spikefold_hw.streams import index_bits

Sizes = Iterator[tuple[str, tuple[int, int]]]
"""`(name, (word width, rows))` of memories."""


def memory_sizes(profile: Profile) -> dict[str, tuple[int, int]]:
    """`(word width, rows)` of every memory, images and buffers, by name."""
    buffers = {name: size for stage in profile.stages for name, size in _stage(stage, profile)}
    return buffers | {image.name: (image.width, image.depth) for image in image_sizes(profile)}


def memory_bits(profile: Profile) -> int:
    """Bits of all memories together."""
    return bits_of(memory_sizes(profile))


def bits_of(sizes: dict[str, tuple[int, int]]) -> int:
    """Bits of some memories together."""
    return sum(width * rows for width, rows in sizes.values())


def _stage(stage: StageProfile, profile: Profile) -> Sizes:
    for k, buffer in enumerate(buffers_of(stage)):
        drain = stage.drain if isinstance(stage, LayerProfile) else 1
        for name, size in level_memories(stage.map.channels, drain, buffer).items():
            yield f"{stage.name}_skip{k}_{name}", size
    if isinstance(stage, PoolProfile):
        yield from _line_buffer(stage.name, stage.scan)
        for bank in range(2):
            yield f"{stage.name}_bank{bank}", (stage.levels.bit_length(), stage.map.channels)
    if isinstance(stage, LayerProfile):
        yield from _layer(stage, profile)


def _line_buffer(name: str, scan: ScanProfile) -> Sizes:
    cells = scan.depth * scan.steps
    entry = index_bits(scan.channels) + scan.levels.bit_length()
    if cells:
        yield f"{name}_line_events", (entry, cells * scan.map.channels)
        yield f"{name}_line_cells", (CellRecord(scan).size, cells)


def _layer(layer: LayerProfile, profile: Profile) -> Sizes:
    for port, window in enumerate(layer.windows):
        yield from _line_buffer(f"{layer.name}_window{port}", window.scan)
        index = index_bits(window.inputs)
        entry = index + Shape.cast(PendingDigits(window.levels, window.coding)).width
        yield f"{layer.name}_window{port}_event", (entry, 2 << index)
    if layer.repeats > 1:
        yield f"{layer.name}_currents", (layer.drain * layer.widths.accumulator, repeat_rows(layer))
    if profile.steps > 1:
        bits = layer.drain * state_bits(layer, profile.steps)
        yield f"{layer.name}_state", (bits, state_rows(layer, profile.order))

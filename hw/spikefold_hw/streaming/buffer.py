"""Levels that wait for another path."""

from dataclasses import dataclass

from spikefold_hw.parts.level_buffer import level_memories
from spikefold_hw.parts.shapes import SkipShape


@dataclass(frozen=True)
class BufferShape:
    """Levels that wait for another path, neuron by neuron.

    Attributes: source name, its largest level, and how many cells are kept.
    """

    source: str
    levels: int
    depth: int

    def memories(self, name: str, channels: int, units: int) -> dict[str, tuple[int, int]]:
        """`(word width, rows)` of its memories by name."""
        sizes = level_memories(channels, units, self.levels, self.depth)
        return {f"{name}_{memory}": size for memory, size in sizes.items()}


@dataclass(frozen=True)
class BufferedIdentity:
    """An identity projection: its buffer and the bits of its weight per channel."""

    buffer: BufferShape
    weight_bits: int

    @property
    def source(self) -> str:
        """Name of the source."""
        return self.buffer.source

    @property
    def shape(self) -> SkipShape:
        """What the drain needs to know of it."""
        return SkipShape(self.buffer.levels, self.buffer.depth, self.weight_bits)

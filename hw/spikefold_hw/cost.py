"""What a design costs, as every architecture tells it."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Cost:
    """Memory, exactly, and LUTs, by an estimate.

    Attributes
    ----------
    memories
        `(word width, rows)` of every memory by name.
    weights
        How many weights are stored, padding included, by their bits.
    luts
        Estimated LUTs of an ECP5.
    spram
        Memories that are meant for single-port RAM, by name.
    """

    memories: Mapping[str, tuple[int, int]]
    weights: Mapping[int, int]
    luts: int
    spram: frozenset[str] = frozenset()

    @property
    def memory_bits(self) -> int:
        """Bits of all memories together."""
        return bits_of(self.memories)

    @property
    def spram_bits(self) -> int:
        """Bits of the memories that are meant for single-port RAM."""
        return bits_of({name: self.memories[name] for name in self.spram})

    def weight_bits(self, most: int = 8) -> int:
        """Bits of all weights if none had more than `most` bits."""
        return sum(min(bits, most) * count for bits, count in self.weights.items())


def bits_of(memories: Mapping[str, tuple[int, int]]) -> int:
    """Bits of some memories together."""
    return sum(width * rows for width, rows in memories.values())

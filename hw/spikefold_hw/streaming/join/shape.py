"""What the hardware of a sum depends on."""

from dataclasses import dataclass

from spikefold.ir.maps import Map
from spikefold_hw.order import Time
from spikefold_hw.streaming.buffer import BufferShape


@dataclass(frozen=True)
class JoinShape:
    """A sum of two sources as the hardware sees it; `levels` is the largest that leaves."""

    name: str
    map: Map
    time: Time
    operands: tuple[BufferShape, BufferShape]
    levels: int

    @property
    def buffers(self) -> tuple[BufferShape, ...]:
        """The buffers of both sources."""
        return self.operands

"""What an event buffer keeps and replays: layouts and sizes."""

from amaranth.lib import data

from spikefold_hw.parts.digits import PendingDigits
from spikefold_hw.parts.shapes import WeightsShape
from spikefold_hw.streams import index_bits

BANKS = 2


class StoredEvent(data.StructLayout):
    """An event as it is kept: its index under the window, its digits, and whether it has no more than one."""

    def __init__(self, weights: WeightsShape):
        digits = PendingDigits(weights.levels, weights.coding)
        super().__init__({"index": index_bits(weights.inputs), "digits": digits, "single": 1})


class Slot(data.StructLayout):
    """A replayed event, or with `flush` the end of a block."""

    def __init__(self, weights: WeightsShape):
        super().__init__({"event": StoredEvent(weights), "flush": 1})


def event_rows(weights: WeightsShape) -> int:
    """Rows of an `EventBuffer`'s memory."""
    return BANKS << index_bits(weights.inputs)


class Place(data.StructLayout):
    """An address of the memory."""

    def __init__(self, weights: WeightsShape):
        super().__init__({"row": index_bits(weights.inputs), "bank": 1})


def count_bits(weights: WeightsShape) -> int:
    """Bits that count the events of a window."""
    return index_bits(weights.inputs) + 1

"""What a window costs: its memories, the bits of its addresses, and its longest walk."""

from spikefold_hw.streaming.window.records import CellRecord, EventRecord, event_rows
from spikefold_hw.streaming.window.shape import WindowShape
from spikefold_hw.streams import index_bits


def line_memories(name: str, window: WindowShape) -> dict[str, tuple[int, int]]:
    """`(word width, rows)` of the memories of a line buffer, if the window has one."""
    if not window.depth:
        return {}
    return {
        f"{name}_line_events": (EventRecord(window).size, event_rows(window)),
        f"{name}_line_cells": (CellRecord(window).size, window.cells),
    }


def ring_bits(window: WindowShape) -> int:
    """Bits of an address of the whole map; 0 without a line buffer."""
    return index_bits(window.map.size * window.steps) if window.depth else 0


def walk_cycles(window: WindowShape) -> int:
    """Upper bound of the cycles of a walk over all taps with all of their events."""
    return 2 * (window.inputs + window.taps)

"""Levels that wait for another path: a stream of events in, dense words of Q levels out."""

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from spikefold.errors import ModelError
from spikefold_hw.parts.arithmetic import divide
from spikefold_hw.parts.cell_memory import CellMemory, CellRows
from spikefold_hw.parts.memory import ring_next
from spikefold_hw.parts.occupancy import Occupancy
from spikefold_hw.parts.pipeline import Pipeline
from spikefold_hw.streams import Event
from spikefold_hw.typed import Component, View

_CHUNK_BITS = 5
_CHUNK = 1 << _CHUNK_BITS
"""Presence bits in a memory row: as many as a block RAM is wide."""


def _cell_rows(channels: int, units: int, levels: int) -> dict[str, CellRows]:
    words = channels // units
    chunks = -(-words // _CHUNK)
    rows = {"levels": CellRows(words, units, levels.bit_length())}
    if chunks > 1:
        return rows | {"chunks": CellRows(chunks, _CHUNK, 1), "cells": CellRows(1, chunks, 1)}
    return rows | {"cells": CellRows(1, words, 1)}


def level_memories(channels: int, units: int, levels: int, depth: int) -> dict[str, tuple[int, int]]:
    """`(word width, rows)` of the memories of a `LevelBuffer`, by name."""
    cells = _cell_rows(channels, units, levels)
    return {name: (cell.width, depth * cell.rows) for name, cell in cells.items()}


class LevelBuffer(Component):
    """Keeps cells (a position's levels at one time step) until they are read, word by word.

    A beat on `i` is written into its word, a word without an event is not written: presence bits, one
    per word, tell it from what an earlier cell left there. Beyond 32 words these bits are rows of 32
    themselves, and a row per cell tells which of those rows were written.

    Timing, in clock cycles:

    * A cell whose mark is taken in cycle t is `available` from cycle t + 2 on.
    * `next` reads the next word of the cell. Its levels stand on `levels` after three moves, the one
      in the cycle of `next` included: with `advance` high in cycles t, t + 1 and t + 2, a word asked
      for in cycle t is there in cycle t + 3, and stays until the next cycle with `advance`.
    * `next` in cycle t for a cell's last word frees the cell: where the buffer was full, `i` takes
      the first beat of another cell in cycle t + 1.
    * `i` is ready for a cell's first beat while fewer than `depth` cells are kept, and then, without
      a pause, for its other beats. A cell is kept from its first beat on.

    Parameters
    ----------
    channels
        Neurons of a cell.
    units
        Levels of a word, Q; divides the channels.
    levels
        The source's largest level.
    depth
        Cells that are kept.
    name
        What the names of its memories begin with.

    Members
    -------
    i : In(stream(Event))
        Cells, each with its events in ascending order and ended by a mark.
    available : Out(1)
        The cell that is being read, or will be next, is complete.
    advance : In(1)
        Enable of the reading pipeline.
    next : In(1)
        Read a word; only with `advance`, and for a cell's first word only while `available`.
    levels : Out(ArrayLayout(units))
        A word, lowest channel first.

    Raises
    ------
    ModelError
        If the units do not divide the channels, or no cell is kept.
    """

    i: stream.Interface
    available: Signal
    advance: Signal
    next: Signal
    levels: View

    latency = 3
    """Moves from `next` to the word on `levels`."""

    fill_latency = 2
    """Cycles from a mark's handshake to `available`."""

    def __init__(self, channels: int, units: int, levels: int, depth: int, name: str = ""):
        if units < 1 or channels % units:
            raise ModelError(f"Units of a level buffer must divide its {channels} channels, not be {units}")
        if depth < 1:
            raise ModelError(f"Depth of a level buffer must be at least 1, not {depth}")
        self._name = name
        self._channels = channels
        self._units = units
        self._depth = depth
        self._words = channels // units
        self._rows = _cell_rows(channels, units, levels)
        bits = levels.bit_length()
        super().__init__(
            {
                "i": In(stream.Signature(Event(channels, levels))),
                "available": Out(1),
                "advance": In(1),
                "next": In(1),
                "levels": Out(data.ArrayLayout(bits, units)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        memories = {
            name: CellMemory(cell, self._depth, at_end=name == "cells", name=f"{self._name}_{name}")
            for name, cell in self._rows.items()
        }
        for name, memory in memories.items():
            m.submodules[name] = memory
        stored = self._store(m, memories)
        freed = self._read(m, memories)
        inside = Signal()
        taken = self.i.valid & self.i.ready
        kept = Occupancy(m, "kept", self._depth, taken & ~inside, freed)
        complete = Occupancy(m, "complete", self._depth, stored, freed)
        m.d.comb += [self.i.ready.eq(inside | ~kept.full), self.available.eq(complete.some)]
        with m.If(taken):
            m.d.sync += inside.eq(~self.i.payload.end_position)
        return m

    def _store(self, m: Module, memories: dict[str, CellMemory]) -> Value:
        """Write a beat in the cycle after it was taken; returns the strobe of a cell's last write."""
        event = self.i.payload
        word, place = divide(event.index, self._units, self._channels)
        p = Pipeline(m, Const(1), self.i.valid & self.i.ready)
        p.stage(
            mark=event.end_position,
            level=event.level,
            word=word[: (self._words - 1).bit_length()],
            place=place[: (self._units - 1).bit_length()],
        )
        fires = Signal()
        ends = Signal()
        m.d.comb += [fires.eq(p.valid & (p.level != 0)), ends.eq(p.valid & p.mark)]
        chunk, bit = self._chunk(p.word)
        # Of each memory the row, the place in it, and the value.
        values = {
            "levels": (p.word, p.place, p.level),
            "chunks": (chunk, bit, Const(1)),
            "cells": (Const(0), chunk, Const(1)),
        }
        for name, memory in memories.items():
            places = zip((memory.row, memory.place, memory.value), values[name], strict=True)
            m.d.comb += [memory.put.eq(fires), memory.end.eq(ends), *(port.eq(v) for port, v in places)]
        return ends

    def _chunk(self, word: Value) -> tuple[Value, Value]:
        """Row of a word's presence bit and its place there; without chunks the word is its own row."""
        return (word[_CHUNK_BITS:], word[:_CHUNK_BITS]) if "chunks" in self._rows else (word, Const(0))

    def _read(self, m: Module, memories: dict[str, CellMemory]) -> Value:
        """Read all memories at the next word; returns the strobe of a cell's last word."""
        word = Signal(range(self._words))
        freed = Signal()
        m.d.comb += freed.eq(self.next & (word == self._words - 1))
        with m.If(self.next):
            m.d.sync += word.eq(ring_next(word, self._words))
        chunk, bit = self._chunk(word)
        rows = {"levels": word, "chunks": chunk, "cells": Const(0)}
        for name, memory in memories.items():
            m.d.comb += [
                memory.read.eq(self.advance),
                memory.read_row.eq(rows[name]),
                memory.read_end.eq(freed),
            ]
        # Registered by themselves: block RAM is slow to answer.
        p = Pipeline(m, self.advance, Const(1))
        p.stage(chunk=chunk, bit=bit)
        p.stage(**{name: memory.read_data for name, memory in memories.items()})
        present = p.cells.bit_select(p.chunk, 1)
        if "chunks" in memories:
            present &= p.chunks.bit_select(p.bit, 1)
        p.stage(word_levels=Mux(present, p.levels, 0))
        m.d.comb += Value.cast(self.levels).eq(p.word_levels)
        return freed

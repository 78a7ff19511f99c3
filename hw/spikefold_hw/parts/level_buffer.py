"""Levels that wait for another path: a stream of events in, dense words of Q levels out."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, ValueLike
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.errors import ModelError
from spikefold_hw.parts.arithmetic import divide
from spikefold_hw.parts.memory import Ram, ring_next
from spikefold_hw.parts.occupancy import Occupancy
from spikefold_hw.parts.pipeline import Pipeline
from spikefold_hw.streams import Event

_CHUNK_BITS = 5
_CHUNK = 1 << _CHUNK_BITS
"""Presence bits in a memory row: as many as a block RAM is wide."""


def level_memories(channels: int, units: int, levels: int, depth: int) -> dict[str, tuple[int, int]]:
    """`(word width, rows)` of the memories of a `LevelBuffer`, by name."""
    words = channels // units
    chunks = -(-words // _CHUNK)
    sizes = {"levels": (units * levels.bit_length(), depth * words)}
    if chunks > 1:
        sizes["chunks"] = (_CHUNK, depth * chunks)
    return sizes | {"cells": (chunks if chunks > 1 else words, depth)}


class LevelBuffer(wiring.Component):
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
        self._memories = level_memories(channels, units, levels, depth)
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
            name: Ram(width, rows, f"{self._name}_{name}") for name, (width, rows) in self._memories.items()
        }
        for name, memory in memories.items():
            m.submodules[f"{name}_memory"] = memory
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

    def _bases(self, m: Module, side: str, end: Value) -> dict[str, Signal]:
        """First row of the present cell in every memory; `end` goes on to the next cell."""
        bases = {}
        for name, (_, rows) in self._memories.items():
            bases[name] = base = Signal(range(rows), name=f"{side}_{name}")
            with m.If(end):
                m.d.sync += base.eq(ring_next(base, rows, rows // self._depth))
        return bases

    def _store(self, m: Module, memories: dict[str, Ram]) -> Value:
        """Write a beat in the cycle after it was taken; returns the strobe of a cell's last write."""
        event = self.i.payload
        valid = Signal()
        mark = Signal(reset_less=True)
        level = Signal.like(event.level, reset_less=True)
        word = Signal(range(self._words), reset_less=True)
        place = Signal(range(self._units), reset_less=True)
        quotient, rest = divide(event.index, self._units, self._channels)
        m.d.sync += [
            valid.eq(self.i.valid & self.i.ready),
            Cat(mark, level).eq(Cat(event.end_position, event.level)),
            Cat(word, place).eq(Cat(quotient[: len(word)], rest[: len(place)])),
        ]
        fires = Signal()
        ends = Signal()
        m.d.comb += [fires.eq(valid & (level != 0)), ends.eq(valid & mark)]
        bases = self._bases(m, "write", ends)

        def write(name: str, enable: Value, row: ValueLike, bits: Value) -> None:
            port = memories[name].write_port()
            m.d.comb += [port.en.eq(enable), port.addr.eq(bases[name] + row), port.data.eq(bits)]

        def gather(key: Value, place: Value, value: Value, count: int, keep: Value) -> Value:
            return _gather(m, fires, ends, key, place, value, count, keep)

        write("levels", fires, word, gather(word, place, level, self._units, Const(0)))
        place = word
        if "chunks" in memories:
            chunk = word[_CHUNK_BITS:]
            write("chunks", fires, chunk, gather(chunk, word[:_CHUNK_BITS], Const(1), _CHUNK, Const(0)))
            place = chunk
        write("cells", ends, 0, gather(Const(0), place, Const(1), self._memories["cells"][0], ~fires))
        return ends

    def _read(self, m: Module, memories: dict[str, Ram]) -> Value:
        """Read all memories at the next word; returns the strobe of a cell's last word."""
        word = Signal(range(self._words))
        freed = Signal()
        m.d.comb += freed.eq(self.next & (word == self._words - 1))
        bases = self._bases(m, "read", freed)
        with m.If(self.next):
            m.d.sync += word.eq(ring_next(word, self._words))

        def read(name: str, row: ValueLike) -> Value:
            port = memories[name].read_port()
            m.d.comb += [port.en.eq(self.advance), port.addr.eq(bases[name] + row)]
            return port.data

        place, present = word, Const(1)
        rows = {"levels": read("levels", word), "cells": read("cells", 0)}
        if "chunks" in memories:
            place = word[_CHUNK_BITS:]
            rows["chunks"] = read("chunks", place)
        # Registered by themselves: block RAM is slow to answer.
        p = Pipeline(m, self.advance, Const(1))
        p.stage(word=word, place=place)
        p.stage(**rows)
        present = p.cells.bit_select(p.place, 1)
        if "chunks" in memories:
            present &= p.chunks.bit_select(p.word[:_CHUNK_BITS], 1)
        p.stage(word_levels=Mux(present, p.levels, 0))
        m.d.comb += Value.cast(self.levels).eq(p.word_levels)
        return freed


def _gather(
    m: Module,
    fires: Value,
    ends: Value,
    key: Value,
    place: Value,
    value: Value,
    count: int,
    keep: Value,
) -> Value:
    """Put `value` at its `place` among `count` values, beside those stored in this cell under the same key.

    With `keep` it is not put there.
    """
    kept = Signal(data.ArrayLayout(len(value), count))
    last = Signal.like(key, reset_less=True)
    merged = [
        Mux((place == k) & ~keep, value, Mux(key == last, Value.cast(kept[k]), 0)) for k in range(count)
    ]
    with m.If(fires):
        m.d.sync += [Value.cast(kept).eq(Cat(merged)), last.eq(key)]
    with m.If(ends):
        m.d.sync += Value.cast(kept).eq(0)
    return Cat(merged)

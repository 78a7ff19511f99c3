"""Memories as a proof sees them: any contents, and no promise where a row is read while it is written."""

from collections.abc import Mapping, Sequence
from typing import Any

from amaranth.asserts import AnySeq
from amaranth.hdl import Array, Elaboratable, Module, Mux, Signal, Value


class AnyMemories:
    """A platform for proofs, to which memories come by `get_memory`.

    A memory that is written holds anything at first, and gives anything for a row that is written in the
    cycle in which it is read. A file of registers is read in the same cycle, before it is written. A memory
    that is read only holds the given rows.

    Parameters
    ----------
    rows
        Rows by the name of the memory, each the same value in all cycles.
    written
        Signals by the name of a memory, that get whether it is written, and with what.
    """

    def __init__(
        self,
        rows: Mapping[str, Sequence[Value]] | None = None,
        written: Mapping[str, tuple[Signal, Signal]] | None = None,
    ):
        self._rows = rows or {}
        self._seen = written or {}

    def get_memory(self, memory: Any) -> Elaboratable:
        """What stands for a memory."""
        if memory.write_ports:
            return _Written(memory, self._seen.get(getattr(memory, "name", "")))
        return _read_only(memory, self._rows[memory.name])


class _Written(Elaboratable):
    def __init__(self, memory: Any, seen: tuple[Signal, Signal] | None):
        self._memory, self._seen = memory, seen

    def elaborate(self, platform: object) -> Module:
        (read,), (write,) = self._memory.read_ports, self._memory.write_ports
        m = Module()
        rows = Array(
            Signal(len(write.data), name=f"row{k}", reset_less=True) for k in range(self._memory.depth)
        )
        with m.If(write.en):
            m.d.sync += rows[write.addr].eq(write.data)
        if read.domain == "comb":
            m.d.comb += read.data.eq(rows[read.addr])
        else:
            row, anything = Signal(len(read.data), reset_less=True), AnySeq(len(read.data))
            with m.If(read.en):
                m.d.sync += row.eq(Mux(write.en & (write.addr == read.addr), anything, rows[read.addr]))
            m.d.comb += read.data.eq(row)
        if self._seen is not None:
            m.d.comb += [
                signal.eq(port) for signal, port in zip(self._seen, (write.en, write.data), strict=True)
            ]
        return m


def _read_only(memory: Any, rows: Sequence[Value]) -> Module:
    (read,) = memory.read_ports
    m = Module()
    row = Signal(len(read.data), reset_less=True)
    with m.If(read.en):
        m.d.sync += row.eq(Array(rows)[read.addr])
    m.d.comb += read.data.eq(row)
    return m

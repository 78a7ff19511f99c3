"""Folding LUTs in front of ECP5 carry chains into the chains' own LUTs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

from spikefold_boards.netlist import Bit, Load, Netlist

Cell = dict[str, Any]

_PINS = "ABCD"
_Case = tuple[Mapping[Bit, int], int, int]  # values of nets, whether the carry passes, what it is if not


@dataclass(frozen=True)
class _Half:
    """Half of a CCU2C: one bit of a carry chain, with a LUT of four inputs of its own.

    The LUT says whether the carry is passed on (the sum is what it says, plus the carry in). Where it is
    not, the carry out is a function of A and B alone, written in the first four bits of the same table:
    what the LUT says where C and D are 0.
    """

    nets: tuple[Bit, ...]
    table: int

    def passes(self, values: Mapping[Bit, int]) -> int:
        return self.table >> _row(self.nets, values) & 1

    def carry(self, values: Mapping[Bit, int]) -> int:
        return self.table >> (_row(self.nets, values) & 3) & 1


def fold_addends(netlist: Netlist) -> int:
    """Fold LUTs that only carry chains read into the LUTs of these chains.

    yosys maps an adder to a carry chain that uses two or three inputs of each of its LUTs, and what is added
    (a choice, a sign) to a LUT in front of it. Where the two together are a function of four nets
    that a carry chain can have, one LUT does it all. A LUT goes if every one of its readers can take it in.

    Returns the number of LUTs that went.
    """
    loads = netlist.loads()
    folded = 0
    for name in [name for name, cell in netlist.cells.items() if cell["type"] == "LUT4"]:
        folded += _fold(netlist.cells, loads, name)
    return folded


def _fold(cells: dict[str, Cell], loads: dict[Bit, list[Load]], name: str) -> bool:
    """Fold one LUT into all that read it, and keep `loads` true; whether it could be."""
    lut = cells[name]
    (net,) = lut["connections"]["Z"]
    readers = loads.get(net, [])
    halves: dict[Load, _Half] = {}
    for cell, pin in readers:
        if not _takes(cells.get(cell), pin) or (cell, pin[1:]) in halves:
            return False
        half = _folded(_half(cells[cell], pin[1:]), net, _half(lut, ""))
        if half is None:
            return False
        halves[cell, pin[1:]] = half
    if not halves:
        return False
    _move_loads(loads, name, lut, "", None)
    for (cell, place), half in halves.items():
        _move_loads(loads, cell, cells[cell], place, half.nets)
        cells[cell]["connections"] |= {pin + place: [bit] for pin, bit in zip(_PINS, half.nets, strict=True)}
        cells[cell]["parameters"][f"INIT{place}"] = f"{half.table:016b}"
    del cells[name]
    return True


def _takes(reader: Cell | None, pin: str) -> bool:
    """Whether a pin is one at which a carry chain may take a LUT in."""
    if reader is None or reader["type"] != "CCU2C" or pin[0] not in "AB":
        return False
    return bool(reader["parameters"][f"INJECT1_{pin[1:]}"] == "NO")


def _half(cell: Cell, place: str) -> _Half:
    """A half of a CCU2C ("0", "1"), or a LUT4 as such ("")."""
    nets = tuple(cell["connections"].get(pin + place, ["0"])[0] for pin in _PINS)
    return _Half(nets, int(cell["parameters"][f"INIT{place}"], 2))


def _move_loads(
    loads: dict[Bit, list[Load]], name: str, cell: Cell, place: str, nets: Sequence[Bit] | None
) -> None:
    """Its inputs read other nets from now on, or none."""
    for k, pin in enumerate(_PINS):
        before = cell["connections"].get(pin + place, ["0"])[0]
        if (name, pin + place) in loads.get(before, []):
            loads[before].remove((name, pin + place))
        if nets is not None:
            loads.setdefault(nets[k], []).append((name, pin + place))


def _folded(half: _Half, net: Bit, lut: _Half) -> _Half | None:
    """The half with a LUT in the place of one of its nets; None if there is none."""
    nets = [bit for bit in dict.fromkeys((*half.nets, *lut.nets)) if bit != net and not isinstance(bit, str)]
    if half.nets.count(net) != 1 or net in half.nets[2:] or len(nets) > len(_PINS):
        return None
    cases: list[_Case] = []
    for bits in product((0, 1), repeat=len(nets)):
        values: dict[Bit, int] = dict(zip(nets, bits, strict=True))
        seen = values | {net: lut.passes(values)}
        cases.append((values, half.passes(seen), half.carry(seen)))
    # Unused inputs are 1, the last ones first, which leaves the first four bits of the table to the carry.
    padded: list[Bit] = [*nets, *["1"] * (len(_PINS) - len(nets))]
    for pins in dict.fromkeys(permutations(padded)):
        table = _table(pins, cases)
        if table is not None:
            return _Half(tuple(pins), table)
    return None


def _table(pins: Sequence[Bit], cases: Sequence[_Case]) -> int | None:
    """The table of a half with these nets on its pins; None if it cannot have these cases."""
    rows: dict[int, int] = {}
    for row, value in _demands(pins, cases):
        if rows.setdefault(row, value) != value:
            return None
    return sum(value << row for row, value in rows.items())


def _demands(pins: Sequence[Bit], cases: Sequence[_Case]) -> Iterator[tuple[int, int]]:
    for values, passes, carry in cases:
        row = _row(pins, values)
        yield row, passes
        if not passes:
            yield row & 3, carry


def _row(nets: Sequence[Bit], values: Mapping[Bit, int]) -> int:
    """The row of a table, where the nets have these values; constants are their own."""
    return sum((values[bit] if bit in values else int(bit == "1")) << k for k, bit in enumerate(nets))

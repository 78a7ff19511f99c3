"""What a library's power tables say of one cell: energy in fJ of every change at its pins."""

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spikefold_boards.asic.liberty import Group, parse, split


@dataclass(frozen=True)
class Table:
    """Energy over input slew in ns and output load in fF; without points for what it does not depend on."""

    slews: tuple[float, ...]
    loads: tuple[float, ...]
    values: tuple[float, ...]

    @classmethod
    def of(cls, group: Group | None) -> "Table":
        """The table of a group; 0 where there is none."""
        if group is None:
            return cls((), (), (0.0,))
        return cls(*(tuple(group.numbers(name)) for name in ("index_1", "index_2", "values")))

    def at(self, slew: float, load: float) -> float:
        """The value between its points, or at its border."""
        if not self.slews:
            return self.values[0]
        row, part = _place(self.slews, slew)
        columns = max(len(self.loads), 1)
        rows = [self._row(k, columns, load) for k in (row, row + 1)]
        return rows[0] + part * (rows[1] - rows[0])

    def _row(self, row: int, columns: int, load: float) -> float:
        values = self.values[row * columns : (row + 1) * columns]
        if columns == 1:
            return values[0]
        column, part = _place(self.loads, load)
        return values[column] + part * (values[column + 1] - values[column])


def _place(points: tuple[float, ...], value: float) -> tuple[int, float]:
    """The interval that a value lies in, and how far, 0..1."""
    low = min(max(bisect_right(points, value) - 1, 0), len(points) - 2)
    return low, min(max((value - points[low]) / (points[low + 1] - points[low]), 0.0), 1.0)


@dataclass(frozen=True)
class Change:
    """What a rise and a fall of a pin take, in one state of the others.

    Attributes
    ----------
    related
        The input that makes an output change; "" for an input's own energy, where no output changes.
    when
        Levels of other pins; empty for any.
    """

    related: str
    when: Mapping[str, bool]
    rise: Table
    fall: Table

    def mean(self, slew: float, load: float = 0.0) -> float:
        """Energy of one change, as many rising as falling."""
        return (self.rise.at(slew, load) + self.fall.at(slew, load)) / 2


@dataclass(frozen=True)
class Pin:
    """A pin: its direction, its capacitance in fF, whether it is a clock, and what its changes take."""

    output: bool
    capacitance: float
    clock: bool
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class CellPower:
    """A cell: whether it is a flip-flop, what it leaks on average in nW, and its pins."""

    flip_flop: bool
    leakage_nw: float
    pins: Mapping[str, Pin]


@dataclass(frozen=True)
class WireLoad:
    """The capacitance in fF that a net's wire is taken to have, by its fan-out, before anything is placed."""

    per_length: float
    slope: float
    lengths: Mapping[int, float]

    def of(self, fanout: int) -> float:
        """The capacitance of a net."""
        points = sorted(self.lengths)
        if not points or not fanout:
            return 0.0
        if fanout > points[-1]:
            return self.per_length * (self.lengths[points[-1]] + self.slope * (fanout - points[-1]))
        above = next(point for point in points if point >= fanout)
        below = max((point for point in points if point <= fanout), default=above)
        part = (fanout - below) / (above - below) if above > below else 0.0
        length = self.lengths[below] + part * (self.lengths[above] - self.lengths[below])
        return self.per_length * length


@dataclass(frozen=True)
class PowerTables:
    """What a library says of power: its supply in V, its wires and its cells."""

    volts: float
    wires: WireLoad
    cells: Mapping[str, CellPower]

    @classmethod
    def read(cls, liberty: str, cells: Iterable[str]) -> "PowerTables":
        """The tables of ``cells``, from the text of a liberty file in ns, V, fF and nW."""
        before, texts = split(liberty)
        head = parse(before.split("{", 1)[1], "library", "")
        chosen = head.attributes.get("default_wire_load", "")
        (wires,) = (_wires(before, group) for group in head.each("wire_load") if group.name == chosen)
        found = {name: _cell(parse(texts[name], "cell", name)) for name in cells}
        return cls(head.number("nom_voltage"), wires, found)


_LENGTH = re.compile(r"fanout_length\s*\(\s*(\d+)\s*,\s*([\d.]+)\s*\)")


def _wires(head: str, group: Group) -> WireLoad:
    text = head[head.index(f'wire_load("{group.name}")') :]
    lengths = {int(fanout): float(length) for fanout, length in _LENGTH.findall(text[: text.index("}")])}
    return WireLoad(group.number("capacitance"), group.number("slope"), lengths)


def _cell(group: Group) -> CellPower:
    pins = {pin.name: _pin(pin) for pin in group.each("pin")}
    return CellPower(any(group.each("ff")), group.number("cell_leakage_power"), pins)


def _pin(group: Group) -> Pin:
    given = group.number("capacitance")
    edges = [group.number(f"{edge}_capacitance", given) for edge in ("rise", "fall")]
    return Pin(
        group.attributes["direction"] == "output",
        sum(edges) / 2,
        group.attributes.get("clock") == "true",
        tuple(map(_change, group.each("internal_power"))),
    )


def _change(group: Group) -> Change:
    tables = [Table.of(next(group.each(f"{edge}_power"), None)) for edge in ("rise", "fall")]
    when = {name: not no for no, name in re.findall(r"(!?)(\w+)", group.attributes.get("when", ""))}
    return Change(group.attributes.get("related_pin", ""), when, *tables)

"""Lattice iCE40: SB_PLL40, PCF, icepack."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from amaranth.hdl import Const, Instance

from spikefold_boards.boards.family import CONSTRAINTS, Clocking, OpenFamily
from spikefold_boards.boards.pins import Pin, Pins
from spikefold_boards.boards.pll import Limits, Setting, multiples, span

_LIMITS = Limits(detector=span(10, 133), oscillator=span(533, 1066), output=span(16, 275))
"""Lattice FPGA-DS-02008 and FPGA-DS-02029, sysCLOCK PLL timing."""

_FILTERS = ((17, 1), (26, 2), (44, 3), (66, 4), (101, 5))
"""The loop filter's range by the detector's frequency in MHz, below which it serves; 6 above them all."""


@dataclass(frozen=True)
class Ice40(OpenFamily):
    """A board with an iCE40.

    Parameters
    ----------
    pad
        Whether the oscillator is on the PLL's own pin, which the fabric then cannot read.
    """

    packed: ClassVar[str] = ".bin"
    placed: ClassVar[str] = ".asc"
    packer: ClassVar[str] = "icepack"

    pad: bool
    middle: Fraction = Fraction(800)

    def settings(self, mhz: Fraction) -> Iterator[Setting]:
        for divider in range(16):
            detector = mhz / (divider + 1)
            low, high = _LIMITS.oscillator.low / detector, _LIMITS.oscillator.high / detector
            for factor in multiples(low, high, 128):
                vco = detector * factor
                for power in range(1, 7):
                    if _LIMITS.allow(detector, vco, vco / (1 << power)):
                        values = {"DIVR": divider, "DIVF": factor - 1, "DIVQ": power}
                        values["FILTER_RANGE"] = next((n for top, n in _FILTERS if detector < top), 6)
                        yield Setting(vco / (1 << power), vco, values)

    def pll(self, setting: Setting, mhz: Fraction, signals: Clocking) -> Instance:
        return Instance(
            "SB_PLL40_PAD" if self.pad else "SB_PLL40_CORE",
            ("p", "FEEDBACK_PATH", "SIMPLE"),
            *(("p", name, Const(value, _WIDTHS[name])) for name, value in setting.values.items()),
            ("i", "PACKAGEPIN" if self.pad else "REFERENCECLK", signals.oscillator),
            ("i", "RESETB", Const(1)),
            ("i", "BYPASS", Const(0)),
            ("o", "PLLOUTGLOBAL", signals.clock),
            ("o", "LOCK", signals.locked),
        )

    def constraints(self, pins: Pins) -> Mapping[str, str]:
        lines = [_located(pin) for pin in pins.all]
        lines.append(f"set_frequency {pins.oscillator.port} {float(pins.mhz):.6f}")
        return {f"{CONSTRAINTS}.pcf": "\n".join(lines) + "\n"}

    def placing(self, placed: str) -> tuple[str, ...]:
        return ("--pcf", f"{CONSTRAINTS}.pcf", "--asc", placed)

    def packing(self, placed: str, packed: str) -> tuple[str, ...]:
        return (placed, packed)


_WIDTHS = {"DIVR": 4, "DIVF": 7, "DIVQ": 3, "FILTER_RANGE": 3}


def _located(pin: Pin) -> str:
    """The pin, with its pull-up; the standard of its levels is that of its bank's supply."""
    return f"set_io {'-pullup yes ' if pin.attributes.get('PULLUP') else ''}{pin.port} {pin.site}"

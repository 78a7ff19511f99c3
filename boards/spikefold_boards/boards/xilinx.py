"""Xilinx's 7 series: PLLE2_BASE, XDC."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from amaranth.hdl import Const, Instance, Signal

from spikefold_boards.boards.family import CONSTRAINTS, Clocking, Family
from spikefold_boards.boards.pins import Pin, Pins
from spikefold_boards.boards.pll import Limits, Setting, multiples, span

_LIMITS = Limits(detector=span(19, 450), oscillator=span(800, 1600), output=span(6.25, 450))
"""Speed grade -1, DS181 table 38; the output as fast as a global clock buffer."""


@dataclass(frozen=True)
class Xilinx7(Family):
    """A board with a device of the 7 series, for Vivado."""

    middle: Fraction = Fraction(1200)

    def settings(self, mhz: Fraction) -> Iterator[Setting]:
        for divider in range(1, 57):
            detector = mhz / divider
            low, high = _LIMITS.oscillator.low / detector, _LIMITS.oscillator.high / detector
            for factor in multiples(max(low, Fraction(2)), high, 64):
                for last in range(1, 129):
                    vco = detector * factor
                    if _LIMITS.allow(detector, vco, vco / last):
                        values = {"DIVCLK": divider, "CLKFBOUT": factor, "CLKOUT0": last}
                        names = {"DIVCLK": "DIVIDE", "CLKFBOUT": "MULT", "CLKOUT0": "DIVIDE"}
                        yield Setting(vco / last, vco, {f"{k}_{names[k]}": n for k, n in values.items()})

    def pll(self, setting: Setting, mhz: Fraction, signals: Clocking) -> Instance:
        feedback = Signal()
        return Instance(
            "PLLE2_BASE",
            ("p", "CLKIN1_PERIOD", f"{float(1000 / mhz):.3f}"),
            *(("p", name, value) for name, value in setting.values.items()),
            ("i", "CLKIN1", signals.oscillator),
            ("i", "CLKFBIN", feedback),
            ("i", "RST", Const(0)),
            ("i", "PWRDWN", Const(0)),
            ("o", "CLKFBOUT", feedback),
            ("o", "CLKOUT0", signals.clock),
            ("o", "LOCKED", signals.locked),
        )

    def constraints(self, pins: Pins) -> Mapping[str, str]:
        port, period = pins.oscillator.port, float(1000 / pins.mhz)
        lines = [line for pin in pins.all for line in _located(pin)]
        lines.append(f"create_clock -name {port} -period {period:.6f} [get_ports {port}]")
        quiet = [pin for pin in (pins.reset, pins.rx) if pin is not None]
        lines += [f"set_false_path -from [get_ports {pin.port}]" for pin in quiet]
        lines.append(f"set_false_path -to [get_ports {pins.tx.port}]")
        return {f"{CONSTRAINTS}.xdc": "\n".join(lines) + "\n"}


def _located(pin: Pin) -> list[str]:
    properties = {"PACKAGE_PIN": pin.site, **pin.attributes}
    return [f"set_property {name} {value} [get_ports {pin.port}]" for name, value in properties.items()]

"""Gowin's GW1N and GW2A: rPLL, CST and SDC, gowin_pack."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from amaranth.hdl import Const, Instance

from spikefold_boards.boards.family import CONSTRAINTS, Clocking, OpenFamily
from spikefold_boards.boards.pins import Pin, Pins
from spikefold_boards.boards.pll import Limits, Setting, span

GW1NR_9 = Limits(detector=span(3, 400), oscillator=span(400, 1200), output=span(3.125, 600))
"""Speed grade C6/I5, Gowin DS117E."""

GW2AR_18 = Limits(detector=span(3, 500), oscillator=span(500, 1250), output=span(3.90625, 625))
"""Speed grade C8/I7, Gowin DS226E."""

_OUTPUT_DIVIDERS = (2, 4, 8, 16, 32, 48, 64, 80, 96, 112, 128)
_IDLE = {"FBDSEL": 6, "IDSEL": 6, "ODSEL": 6, "PSDA": 4, "DUTYDA": 4, "FDLY": 4}
_IDLE_BITS = ("RESET", "RESET_P", "CLKFB")


@dataclass(frozen=True)
class Gowin(OpenFamily):
    """A board with a Gowin device.

    Parameters
    ----------
    device
        What gowin_pack and the PLL's cell call it.
    chip
        What gowin_pack calls its die.
    limits
        Of its PLL.
    packing_options
        Which configuration pins are given to the design.
    """

    packed: ClassVar[str] = ".fs"
    placed: ClassVar[str] = ".json"
    packer: ClassVar[str] = "gowin_pack"

    device: str
    chip: str
    limits: Limits
    packing_options: tuple[str, ...] = ()
    middle: Fraction = Fraction(800)

    def settings(self, mhz: Fraction) -> Iterator[Setting]:
        for divider in range(64):
            for factor in range(64):
                output = mhz * (factor + 1) / (divider + 1)
                for last in _OUTPUT_DIVIDERS:
                    if self.limits.allow(mhz / (divider + 1), output * last, output):
                        values = {"IDIV_SEL": divider, "FBDIV_SEL": factor, "ODIV_SEL": last}
                        yield Setting(output, output * last, values)

    def pll(self, setting: Setting, mhz: Fraction, signals: Clocking) -> Instance:
        return Instance(
            "rPLL",
            ("p", "DEVICE", self.device),
            ("p", "FCLKIN", f"{float(mhz):g}"),
            *(("p", name, value) for name, value in setting.values.items()),
            ("p", "DYN_IDIV_SEL", "false"),
            ("p", "DYN_FBDIV_SEL", "false"),
            ("p", "DYN_ODIV_SEL", "false"),
            ("p", "CLKFB_SEL", "internal"),
            ("i", "CLKIN", signals.oscillator),
            *(("i", name, Const(0)) for name in _IDLE_BITS),
            *(("i", name, Const(0, width)) for name, width in _IDLE.items()),
            ("o", "CLKOUT", signals.clock),
            ("o", "LOCK", signals.locked),
        )

    def constraints(self, pins: Pins) -> Mapping[str, str]:
        located = "\n".join(line for pin in pins.all for line in _located(pin))
        port, period = pins.oscillator.port, float(1000 / pins.mhz)
        clock = f"create_clock -name {port} -period {period:.6f} [get_ports {{{port}}}]"
        return {
            f"{CONSTRAINTS}.cst": f"{located}\n",
            f"{CONSTRAINTS}.sdc": f"{clock}\n",
        }

    def placing(self, placed: str) -> tuple[str, ...]:
        return ("--vopt", f"cst={CONSTRAINTS}.cst", "--sdc", f"{CONSTRAINTS}.sdc", "--write", placed)

    def packing(self, placed: str, packed: str) -> tuple[str, ...]:
        return ("-d", self.chip, *self.packing_options, "-o", packed, placed)


def _located(pin: Pin) -> list[str]:
    attributes = [f'IO_PORT "{pin.port}" {name}={value};' for name, value in pin.attributes.items()]
    return [f'IO_LOC "{pin.port}" {pin.site};', *attributes]

"""Lattice ECP5: EHXPLLL, LPF, ecppack."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from amaranth.hdl import Const, Instance, Signal

from spikefold_boards.boards.family import CONSTRAINTS, Clocking, OpenFamily
from spikefold_boards.boards.pins import Pin, Pins
from spikefold_boards.boards.pll import Limits, Setting, multiples, span

_LIMITS = Limits(detector=span(10, 400), oscillator=span(400, 800), output=span(3.125, 400))
"""Lattice FPGA-DS-02012, sysCLOCK PLL timing."""

_MOST = 128
"""The largest of every divider."""

_LOOP = {"ICP_CURRENT": "12", "LPF_RESISTOR": "8", "MFG_ENABLE_FILTEROPAMP": "1", "MFG_GMCREF_SEL": "2"}
"""The loop filter, as Lattice's own tool and ecppll have it."""


@dataclass(frozen=True)
class Ecp5(OpenFamily):
    """A board with an ECP5.

    The PLL's feedback comes from its second output, so that the divider of the first is free: the output is
    input x CLKFB_DIV x CLKOS_DIV / (CLKI_DIV x CLKOP_DIV).

    Parameters
    ----------
    packing_options
        Further options of ecppack.
    """

    packed: ClassVar[str] = ".bit"
    placed: ClassVar[str] = ".config"
    packer: ClassVar[str] = "ecppack"

    packing_options: tuple[str, ...] = ("--compress",)
    middle: Fraction = Fraction(600)

    def settings(self, mhz: Fraction) -> Iterator[Setting]:
        for divider in range(1, _MOST + 1):
            detector = mhz / divider
            if not _LIMITS.detector.holds(detector):
                continue
            for vco, feedback, second in self._oscillators(detector):
                for first in multiples(vco / 400, vco / _LIMITS.output.low, _MOST):
                    if _LIMITS.allow(detector, vco, vco / first):
                        values = {"CLKI": divider, "CLKFB": feedback, "CLKOP": first, "CLKOS": second}
                        yield Setting(vco / first, vco, {f"{name}_DIV": n for name, n in values.items()})

    def _oscillators(self, detector: Fraction) -> Iterator[tuple[Fraction, int, int]]:
        """Frequencies of the PLL's oscillator, each once, with the two dividers of the feedback."""
        low, high = _LIMITS.oscillator.low / detector, _LIMITS.oscillator.high / detector
        for product in multiples(low, high, _MOST * _MOST):
            for second in range(2, _MOST + 1):  # 1 would be too fast for an output
                feedback, rest = divmod(product, second)
                if not rest and feedback <= _MOST and _LIMITS.output.holds(detector * feedback):
                    yield detector * product, feedback, second
                    break

    def pll(self, setting: Setting, mhz: Fraction, signals: Clocking) -> Instance:
        feedback, off, phase = Signal(), Const(0), setting.values
        return Instance(
            "EHXPLLL",
            *(("a", name, value) for name, value in _LOOP.items()),
            ("p", "PLLRST_ENA", "DISABLED"),
            ("p", "INTFB_WAKE", "DISABLED"),
            ("p", "STDBY_ENABLE", "DISABLED"),
            ("p", "DPHASE_SOURCE", "DISABLED"),
            ("p", "OUTDIVIDER_MUXA", "DIVA"),
            ("p", "OUTDIVIDER_MUXB", "DIVB"),
            ("p", "CLKOP_ENABLE", "ENABLED"),
            ("p", "CLKOS_ENABLE", "ENABLED"),
            ("p", "FEEDBK_PATH", "CLKOS"),
            *(("p", name, value) for name, value in setting.values.items()),
            ("p", "CLKOP_CPHASE", phase["CLKOP_DIV"] - 1),
            ("p", "CLKOP_FPHASE", 0),
            ("p", "CLKOS_CPHASE", phase["CLKOS_DIV"] - 1),
            ("p", "CLKOS_FPHASE", 0),
            ("i", "CLKI", signals.oscillator),
            ("i", "CLKFB", feedback),
            ("i", "RST", off),
            ("i", "STDBY", off),
            *(
                ("i", name, off)
                for name in ("PHASESEL0", "PHASESEL1", "PHASEDIR", "PHASESTEP", "PHASELOADREG")
            ),
            ("i", "PLLWAKESYNC", off),
            ("i", "ENCLKOP", off),
            ("o", "CLKOP", signals.clock),
            ("o", "CLKOS", feedback),
            ("o", "LOCK", signals.locked),
        )

    def constraints(self, pins: Pins) -> Mapping[str, str]:
        lines = ["BLOCK ASYNCPATHS;", "BLOCK RESETPATHS;"]
        for pin in pins.all:
            lines += _located(pin)
        lines.append(f'FREQUENCY PORT "{pins.oscillator.port}" {float(pins.mhz):.6f} MHZ;')
        return {f"{CONSTRAINTS}.lpf": "\n".join(lines) + "\n"}

    def placing(self, placed: str) -> tuple[str, ...]:
        return ("--lpf", f"{CONSTRAINTS}.lpf", "--textcfg", placed)

    def packing(self, placed: str, packed: str) -> tuple[str, ...]:
        return (*self.packing_options, placed, packed)


def _located(pin: Pin) -> list[str]:
    lines = [f'LOCATE COMP "{pin.port}" SITE "{pin.site}";']
    if pin.attributes:
        attributes = " ".join(f"{name}={value}" for name, value in pin.attributes.items())
        lines.append(f'IOBUF PORT "{pin.port}" {attributes};')
    return lines

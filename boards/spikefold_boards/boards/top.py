"""The top of a board: oscillator, PLL, reset, and the design between rx and tx."""

from dataclasses import dataclass

from amaranth.hdl import ClockDomain, ClockSignal, Instance, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.lib.wiring import In, Out

from spikefold.flow.artefact import Artefact
from spikefold_boards.boards.family import Clocking, Family
from spikefold_boards.boards.pins import Pins
from spikefold_boards.boards.pll import Setting
from spikefold_hw.emit.core import core_verilog
from spikefold_hw.emit.memories import FOLDER, FOLDER_HERE, VerilogPlatform
from spikefold_hw.typed import Component

FILE = "board.v"
"""Name of its file."""

HOLD_SECONDS = 20e-6
"""How long the design is held in reset after the PLL has locked.

The block RAM of an iCE40 gives its contents only some microseconds after configuration.
"""


@dataclass(frozen=True)
class Clocked:
    """What a family and a setting of its PLL make of a board's pins."""

    family: Family
    pins: Pins
    setting: Setting


class BoardTop(Component):
    """Runs a design at the PLL's frequency, and resets it as long as the PLL has not locked.

    The reset, or the board's button, begins at once and ends with the design's clock, `HOLD_SECONDS` after
    the last of its causes.

    Parameters
    ----------
    artefact
        A design with the inputs `rx` and those of its clock and reset, and the output `tx`.
    clocked
        The board.
    images
        Whether the folder of the memory images is a parameter, as of the design itself.

    Members
    -------
    oscillator : In(1)
        The board's clock.
    button : In(1)
        Resets, if the board has one; as it is on the pin.
    rx : In(1)
        The serial line from the computer.
    tx : Out(1)
        And to it.
    """

    oscillator: Signal
    button: Signal
    rx: Signal
    tx: Signal

    def __init__(self, artefact: Artefact, clocked: Clocked, images: bool = False):
        self._artefact, self._clocked, self._images = artefact, clocked, images
        members = {"oscillator": In(1), "rx": In(1), "tx": Out(1)}
        if clocked.pins.reset is not None:
            members["button"] = In(1)
        super().__init__(wiring.Signature(members))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.sync = ClockDomain()
        clock, locked, pressed, stop = Signal(), Signal(), Signal(), Signal()
        setting, pins, design = self._clocked.setting, self._clocked.pins, self._artefact
        signals = Clocking(self.oscillator, clock, locked)
        m.submodules.pll = self._clocked.family.pll(setting, pins.mhz, signals)
        if pins.reset is not None:
            m.d.comb += pressed.eq(self.button ^ pins.reset.inverted)
        m.d.comb += [ClockSignal().eq(clock), stop.eq(~locked | pressed)]
        m.submodules.synchronizer = ResetSynchronizer(stop)
        cycles = hold_cycles(setting)
        held = Signal(range(cycles))
        reset = Signal(init=1)
        with m.If(reset):
            m.d.sync += [held.eq(held + 1), reset.eq(held != cycles - 1)]
        folder = [("p", FOLDER, FOLDER_HERE)] if self._images and design.mem is not None else []
        m.submodules.inside = Instance(
            design.top,
            *folder,
            ("i", design.clock.port, ClockSignal()),
            ("i", design.clock.reset, reset),
            ("i", "rx", self.rx),
            ("o", "tx", self.tx),
        )
        return m


def hold_cycles(setting: Setting) -> int:
    """Cycles of the design's clock for which the reset is held: a power of two."""
    return 1 << (int(HOLD_SECONDS * setting.hertz) - 1).bit_length()


def board_top(artefact: Artefact) -> str:
    """Name of the module around a design."""
    return f"{artefact.top}_harness"


def board_verilog(artefact: Artefact, clocked: Clocked, images: bool = False) -> str:
    """Text of the module `board_top`."""
    mhz, oscillator = float(clocked.setting.mhz), float(clocked.pins.mhz)
    head = f"// {artefact.top} at {mhz:.6f} MHz, from an oscillator of {oscillator:g} MHz.\n"
    return head + core_verilog(BoardTop(artefact, clocked, images), VerilogPlatform(), board_top(artefact))

"""What differs from one vendor's devices to another's: the PLL, the constraints, the packer."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from amaranth.hdl import Instance, Signal, Value

from spikefold_boards.boards.pins import Pins
from spikefold_boards.boards.pll import Setting

CONSTRAINTS = "board"
"""Name of the files of constraints, without the ending."""


@dataclass(frozen=True)
class Clocking:
    """The signals around a PLL."""

    oscillator: Value
    clock: Signal
    locked: Signal


class Family(ABC):
    """The devices of one vendor, as far as boards with them have something in common.

    Attributes
    ----------
    middle
        The frequency of the PLL's oscillator that is best of several, MHz.
    """

    middle: Fraction

    @abstractmethod
    def settings(self, mhz: Fraction) -> Iterator[Setting]:
        """Every legal setting of the PLL with an oscillator of ``mhz`` MHz."""

    @abstractmethod
    def pll(self, setting: Setting, mhz: Fraction, signals: Clocking) -> Instance:
        """The PLL's cell."""

    @abstractmethod
    def constraints(self, pins: Pins) -> Mapping[str, str]:
        """Texts of the files that tell place and route pins and clocks, by their names."""


class OpenFamily(Family):
    """Devices for which open tools make a bitstream.

    Attributes
    ----------
    packed
        Ending of the bitstream's file.
    placed
        Ending of the file that place and route writes and the packer reads.
    packer
        The program that makes the bitstream, a name of `spikefold.flow.programs`.
    """

    packed: ClassVar[str]
    placed: ClassVar[str]
    packer: ClassVar[str]

    @abstractmethod
    def placing(self, placed: str) -> tuple[str, ...]:
        """Arguments with which nextpnr reads the constraints and writes ``placed``."""

    @abstractmethod
    def packing(self, placed: str, packed: str) -> tuple[str, ...]:
        """Arguments with which the packer makes ``packed`` of ``placed``."""

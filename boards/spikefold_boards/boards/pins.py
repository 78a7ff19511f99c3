"""A board's pins, as amaranth-boards has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from importlib import import_module
from types import MappingProxyType
from typing import Any

from spikefold.packages import check_installed
from spikefold_boards.boards.pll import MEGA

INSTALL = 'pip install "spikefold[boards]"'


@dataclass(frozen=True)
class Pin:
    """A port of the board's top and the pin that it is on.

    Attributes
    ----------
    port, site
        Name of the port, and of the package's pin or ball.
    attributes
        Of the pin, by the names that the vendor's constraints have.
    inverted
        Whether the pin is low where the port's meaning is true.
    """

    port: str
    site: str
    attributes: Mapping[str, Any]
    inverted: bool = False


@dataclass(frozen=True)
class Pins:
    """The pins that a design with a serial host needs.

    Attributes
    ----------
    oscillator, mhz
        The board's clock, and its exact frequency.
    rx, tx
        What the host's computer sends, and what it gets.
    reset
        A button; None where the board has none.
    """

    oscillator: Pin
    mhz: Fraction
    rx: Pin
    tx: Pin
    reset: Pin | None = None

    @property
    def all(self) -> tuple[Pin, ...]:
        """Every pin, the oscillator first."""
        return tuple(pin for pin in (self.oscillator, self.reset, self.rx, self.tx) if pin is not None)


def read_pins(platform: str, reset: tuple[str, int] | None) -> Pins:
    """The pins of a platform.

    Parameters
    ----------
    platform
        ``module:class``.
    reset
        Name and number of the resource of the button that resets; None where there is none.

    Raises
    ------
    MissingToolError
        amaranth-boards is not installed.
    """
    check_installed("amaranth_boards", "A board's list of pins", INSTALL)
    module, _, name = platform.partition(":")
    board = getattr(import_module(module), name)()
    uart = board.request("uart", dir="-")
    return Pins(
        oscillator=_pin("oscillator", board.request(board.default_clk, dir="-")),
        mhz=Fraction(board.lookup(board.default_clk).clock.frequency) / MEGA,
        rx=_pin("rx", uart.rx),
        tx=_pin("tx", uart.tx),
        reset=None if reset is None else _pin("button", board.request(*reset, dir="-")),
    )


def _pin(name: str, port: Any) -> Pin:
    """The one pin of a port of a platform."""
    (pin,), (inverted,) = port.io.metadata, port.invert
    return Pin(name, pin.name, MappingProxyType(dict(pin.attrs)), inverted)

"""The boards that a design can be taken to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from spikefold.errors import InputError
from spikefold_boards.boards.ecp5 import Ecp5
from spikefold_boards.boards.family import Family
from spikefold_boards.boards.gowin import GW1NR_9, GW2AR_18, Gowin
from spikefold_boards.boards.ice40 import Ice40
from spikefold_boards.boards.pins import Pins, read_pins
from spikefold_boards.boards.xilinx import Xilinx7
from spikefold_boards.fpgas import FPGAS, Fpga


@dataclass(frozen=True)
class Board:
    """A board.

    Parameters
    ----------
    name, title
        What the command line and people call it.
    fpga
        The device, in the package and speed grade that is on the board.
    family
        What goes with the device.
    platform
        ``module:class`` of its pins, in the form of amaranth-boards.
    mhz
        The frequency that the first placement aims at.
    reset
        Name and number of the button that resets; None where there is none.
    """

    name: str
    title: str
    fpga: Fpga
    family: Family
    platform: str
    mhz: float
    reset: tuple[str, int] | None = None

    @cached_property
    def pins(self) -> Pins:
        """Its pins. Raises MissingToolError without amaranth-boards."""
        return read_pins(self.platform, self.reset)


def _ecp5(device: str, package: str, ball: str, speed: int) -> Fpga:
    """An ECP5 in the package of a board."""
    fpga = FPGAS[device]
    part = f"{fpga.part.split('-')[0]}-{fpga.part.split('-')[1][:3]}-{speed}{ball}"
    arguments = (fpga.arguments[0], "--package", package, "--speed", str(speed))
    return replace(fpga, part=part, arguments=arguments)


_OURS = "spikefold_boards.boards.platforms"

BOARDS: Mapping[str, Board] = MappingProxyType(
    {
        board.name: board
        for board in (
            Board(
                name="ulx3s-85f",
                title="ULX3S with ECP5-85F",
                fpga=_ecp5("ecp5-85k", "CABGA381", "CABGA381", 6),
                family=Ecp5(),
                platform="amaranth_boards.ulx3s:ULX3S_85F_Platform",
                mhz=112.5,
                reset=("button_fire", 0),
            ),
            Board(
                name="ulx3s-25f",
                title="ULX3S with ECP5-25F",
                fpga=_ecp5("ecp5-25k", "CABGA381", "CABGA381", 6),
                family=Ecp5(),
                platform="amaranth_boards.ulx3s:ULX3S_25F_Platform",
                mhz=112.5,
                reset=("button_fire", 0),
            ),
            Board(
                name="orangecrab",
                title="OrangeCrab r0.2 with ECP5-25F",
                fpga=_ecp5("ecp5-25k", "CSFBGA285", "MG285", 8),
                family=Ecp5(("--compress", "--freq", "38.8")),
                platform=f"{_OURS}:OrangeCrabSerialPlatform",
                mhz=160,
                reset=("button", 0),
            ),
            Board(
                name="icebreaker",
                title="iCEBreaker with iCE40UP5K",
                fpga=FPGAS["ice40-up5k"],
                family=Ice40(pad=True),
                platform="amaranth_boards.icebreaker:ICEBreakerPlatform",
                mhz=39.75,
                reset=("button", 0),
            ),
            Board(
                name="ice40-hx8k-b-evn",
                title="iCE40-HX8K breakout board",
                fpga=FPGAS["ice40-hx8k"],
                family=Ice40(pad=False),
                platform="amaranth_boards.ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform",
                mhz=80,
            ),
            Board(
                name="tang-nano-9k",
                title="Tang Nano 9K with GW1NR-9",
                fpga=FPGAS["gowin-9k"],
                family=Gowin("GW1NR-9C", "GW1N-9C", GW1NR_9, ("--sspi_as_gpio", "--mspi_as_gpio")),
                platform="amaranth_boards.tang_nano_9k:TangNano9kPlatform",
                mhz=60,
                reset=("button", 0),
            ),
            Board(
                name="tang-nano-20k",
                title="Tang Nano 20K with GW2AR-18",
                fpga=FPGAS["gowin-20k"],
                family=Gowin("GW2AR-18C", "GW2A-18C", GW2AR_18, ("--sspi_as_gpio", "--mspi_as_gpio")),
                platform=f"{_OURS}:TangNano20kPlatform",
                mhz=100,
                reset=("button", 0),
            ),
            Board(
                name="arty-a7-35t",
                title="Arty A7-35T with XC7A35T",
                fpga=replace(FPGAS["xc7"], part="xc7a35ticsg324-1L"),
                family=Xilinx7(),
                platform="amaranth_boards.arty_a7:ArtyA7_35Platform",
                mhz=100,
                reset=("rst", 0),
            ),
        )
    }
)


def find_board(name: str) -> Board:
    """The board called ``name``; raises `InputError` for any other name."""
    try:
        return BOARDS[name]
    except KeyError:
        raise InputError(f"Board must be one of {', '.join(BOARDS)}, not {name!r}") from None

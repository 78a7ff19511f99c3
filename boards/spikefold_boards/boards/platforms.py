"""Boards that amaranth-boards does not have, or not with a serial line, in its own form."""

from amaranth.build import Attrs, Clock, Connector, Pins, PinsN, Resource, Subsignal
from amaranth.vendor import GowinPlatform
from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform

_LVCMOS33 = {"IO_TYPE": "LVCMOS33"}


class OrangeCrabSerialPlatform(OrangeCrabR0_2_25FPlatform):  # type: ignore[misc]
    """OrangeCrab r0.2 with an ECP5-25F, and a serial line on the pins 0 (rx) and 1 (tx) of its header."""

    resources = [  # noqa: RUF012 - the form of amaranth-boards
        *OrangeCrabR0_2_25FPlatform.resources,
        Resource(
            "uart",
            0,
            Subsignal("rx", Pins("0", dir="i", conn=("io", 0)), Attrs(PULLMODE="UP")),
            Subsignal("tx", Pins("1", dir="o", conn=("io", 0))),
            Attrs(**_LVCMOS33),
        ),
    ]


class TangNano20kPlatform(GowinPlatform):
    """Tang Nano 20K: GW2AR-18, 27 MHz, a serial line to its USB bridge, two buttons that give 1."""

    part = "GW2AR-LV18QN88C8/I7"
    family = "GW2AR-18C"
    default_clk = "clk27"  # type: ignore[assignment]  # the stubs have `...` for what a board must define
    resources = [  # type: ignore[assignment]  # noqa: RUF012
        Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), Attrs(**_LVCMOS33)),
        *(
            Resource("button", number, Pins(pin, dir="i"), Attrs(**_LVCMOS33))
            for number, pin in enumerate(("88", "87"))
        ),
        *(
            Resource("led", number, PinsN(pin, dir="o"), Attrs(**_LVCMOS33))
            for number, pin in enumerate(("15", "16", "17", "18", "19", "20"))
        ),
        Resource(
            "uart",
            0,
            Subsignal("rx", Pins("70", dir="i")),
            Subsignal("tx", Pins("69", dir="o")),
            Attrs(PULL_MODE="UP", **_LVCMOS33),
        ),
    ]
    connectors: list[Connector] = []  # type: ignore[assignment]  # noqa: RUF012

"""The devices a build can be synthesized for, with what each one holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from spikefold.errors import InputError


@dataclass(frozen=True)
class Fpga:
    """One device: how the tools name it and which of their resource names are counted.

    ``resources`` maps each reported figure (``lut``, ``ff``, ``bram``, ``dsp``) to the name nextpnr gives
    the resource. A figure that is missing there is counted in the netlist instead. ``capacity`` is only
    given where there is no place and route that knows it: the same figures, as the device holds them.
    ``pins`` is the number of pins a design can use in the chosen package. ``block_ram_bits`` is what the
    block RAMs hold together, parity bits left out, as memories here are cut to widths without them:
    208 and 56 blocks of 16 kbit on ECP5 (Lattice FPGA-DS-02012, table 1.1), 30 of 4 kbit on iCE40 UP5K
    (FPGA-DS-02008, table 1.1), 32 of them on iCE40 HX8K
    (FPGA-DS-02029, table 1.1), 26 and 46 of 16 kbit on GW1NR-9 and GW2AR-18 (Gowin DS117E and DS226E),
    50 of 32 kbit on XC7A35T (Xilinx DS180, table 4). ``luts`` is how many LUTs there are. ``variant`` is
    what yosys calls a member of the family. ``routers`` are nextpnr's routers to try, one after the other,
    where the first may not end; empty for the tool's own choice alone. ``speeds`` are the speed grades, the
    usual one first, empty where there is but one; ``part`` and ``arguments`` name the one that was chosen.
    ``sprams`` is how many single-port RAMs of 16384 words of 16 bits there are, which start empty.
    ``sites`` are pins for a design that is placed without a board, where place and route wants to be told.
    """

    name: str
    part: str
    family: str
    pins: int
    block_ram_bits: int
    luts: int
    place_and_route: str | None = None
    arguments: tuple[str, ...] = ()
    variant: str = ""
    routers: tuple[str, ...] = ()
    speeds: tuple[int, ...] = ()
    sprams: int = 0
    sites: tuple[str, ...] = ()
    resources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    capacity: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))

    def at_speed(self, speed: int | None) -> "Fpga":
        """The same device in another speed grade; itself for None.

        Raises
        ------
        InputError
            There is no such speed grade.
        """
        if speed is None:
            return self
        if speed not in self.speeds:
            known = " or ".join(map(str, self.speeds)) or "left out, as there is only one"
            raise InputError(f"Speed grade of {self.name} must be {known}, not {speed!r}")
        usual = str(self.speeds[0])
        part = self.part.replace(f"F-{usual}", f"F-{speed}")
        return replace(self, part=part, arguments=(*self.arguments[:-1], str(speed)))


_ECP5_RESOURCES = MappingProxyType(
    {"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "bram": "DP16KD", "dsp": "MULT18X18D"}
)
_ECP5_SPEEDS = (6, 7, 8)
# nextpnr's logic cell of iCE40 is a LUT with its flip-flop, so flip-flops come from the netlist.
_ICE40_RESOURCES = MappingProxyType({"lut": "ICESTORM_LC", "bram": "ICESTORM_RAM", "dsp": "ICESTORM_DSP"})

# nextpnr counts an adder's cells among the LUTs that they take.
_GOWIN_RESOURCES = MappingProxyType({"lut": "LUT4", "ff": "DFF", "bram": "BSRAM"})


def _gowin(name: str, part: str, chip: str, blocks: int, luts: int, sites: tuple[str, ...]) -> Fpga:
    """A Gowin device on a die that nextpnr calls ``chip``, with so many blocks of RAM."""
    return Fpga(
        name=name,
        part=part,
        family="gowin",
        pins=0,  # none can be left to the tool
        block_ram_bits=blocks << 14,
        luts=luts,
        place_and_route="nextpnr-himbaechel-gowin",
        arguments=("--device", part, "--vopt", f"family={chip}"),
        variant=chip[:4].lower(),
        sites=sites,
        resources=_GOWIN_RESOURCES,
    )


FPGAS: Mapping[str, Fpga] = MappingProxyType(
    {
        device.name: device
        for device in (
            Fpga(
                name="ecp5-85k",
                part="LFE5U-85F-6CABGA756",
                family="ecp5",
                pins=365,
                block_ram_bits=208 << 14,
                luts=83640,
                place_and_route="nextpnr-ecp5",
                arguments=("--85k", "--package", "CABGA756", "--speed", "6"),
                speeds=_ECP5_SPEEDS,
                resources=_ECP5_RESOURCES,
            ),
            Fpga(
                name="ecp5-25k",
                part="LFE5U-25F-6CABGA381",
                family="ecp5",
                pins=197,
                block_ram_bits=56 << 14,
                luts=24288,
                place_and_route="nextpnr-ecp5",
                arguments=("--25k", "--package", "CABGA381", "--speed", "6"),
                speeds=_ECP5_SPEEDS,
                resources=_ECP5_RESOURCES,
            ),
            Fpga(
                name="ice40-up5k",
                part="iCE40UP5K-SG48",
                family="ice40",
                pins=36,  # 39, less the three open-drain LED pins, which cannot drive a signal high
                block_ram_bits=30 << 12,
                luts=5280,
                place_and_route="nextpnr-ice40",
                arguments=("--up5k", "--package", "sg48"),
                variant="u",
                sprams=4,
                routers=("router1", "router2"),  # the first is better, but does not end with every seed
                resources=_ICE40_RESOURCES,
            ),
            Fpga(
                name="ice40-hx8k",
                part="iCE40HX8K-CT256",
                family="ice40",
                pins=206,
                block_ram_bits=32 << 12,
                luts=7680,
                place_and_route="nextpnr-ice40",
                arguments=("--hx8k", "--package", "ct256"),
                variant="hx",
                routers=("router1", "router2"),  # the first does not end on networks
                resources=_ICE40_RESOURCES,
            ),
            _gowin("gowin-9k", "GW1NR-LV9QN88PC6/I5", "GW1N-9C", 26, 8640, ("52", "3", "4", "18", "17")),
            _gowin("gowin-20k", "GW2AR-LV18QN88C8/I7", "GW2A-18C", 46, 20736, ("4", "88", "87", "70", "69")),
            Fpga(
                name="xc7",
                part="XC7A35T",
                family="xc7",
                pins=250,
                block_ram_bits=50 << 15,
                luts=20800,
                capacity=MappingProxyType({"lut": 20800, "ff": 41600, "bram": 50, "dsp": 90}),
            ),
        )
    }
)


def find_fpga(name: str) -> Fpga:
    """The device called ``name``; raises `InputError` for any other name."""
    try:
        return FPGAS[name]
    except KeyError:
        known = ", ".join(FPGAS)
        raise InputError(f"Device must be one of {known}, not {name!r}") from None

"""What a synthesis run found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True)
class SynthResult:
    """Resources, speed and multipliers of one design on one device.

    Attributes
    ----------
    device, part
        The device's short name and the manufacturer's part it stands for.
    fits, reason
        Whether the device is large enough, and if not, which resource is exceeded, needed and available.
    lut, ff, bram, dsp
        As nextpnr counts them after packing (``lut``: TRELLIS_COMB on ECP5, where a carry bit is one and
        a six-input function several; ICESTORM_LC on iCE40; ``bram``: DP16KD, ICESTORM_RAM). On xc7 as
        yosys counts cells: LUT1 to LUT6, shift registers and LUT RAM by the LUTs they take; ``bram`` in
        blocks of 36 kbit.
    multipliers
        Multiplier-like operators of the elaborated design (multiply, divide, remainder, power; before any
        mapping) plus DSP blocks of the netlist. 0 means that neither holds any.
    fmax_mhz
        The highest clock frequency of the placed and routed design, of its slowest clock; None where no
        open place and route exists, where the design does not fit or where it has no clocked path.
    critical_path
        The slowest clocked path, one text per hop: start, then each delay and where it leads.
    utilization
        Every resource that nextpnr lists and the design uses: ``{name: {"used": n, "available": n}}``.
    harness
        Whether the design had more port bits than the package has pins and therefore was measured inside
        a shift register; the figures then include the shift register.
    seed
        The seed of place and route that gave ``fmax_mhz``; None where nothing was placed.
    router
        The router of place and route that ended, where the device has several to try; else None.
    seconds
        How long the run took when it was done; a cached result keeps that figure.
    cached
        Whether this result was read from the cache.
    tools
        Version of each program used.
    """

    device: str
    part: str
    fits: bool
    reason: str | None
    lut: int
    ff: int
    bram: int
    dsp: int
    multipliers: int
    fmax_mhz: float | None
    critical_path: tuple[str, ...]
    utilization: Mapping[str, Mapping[str, int]]
    harness: bool
    seed: int | None
    router: str | None
    seconds: float
    cached: bool
    tools: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """The result as a JSON object; `from_json` reads it back."""
        return {**asdict(self), "critical_path": list(self.critical_path)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "SynthResult":
        """The result that `to_json` wrote; raises KeyError or TypeError if ``data`` is something else."""
        values = {field.name: data[field.name] for field in fields(cls)}
        return cls(**{**values, "critical_path": tuple(values["critical_path"])})

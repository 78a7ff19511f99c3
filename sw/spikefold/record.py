"""What was found out about a build after it was compiled, kept in it and shown by its report."""

from dataclasses import asdict
from typing import Any

from spikefold.design import Design
from spikefold.errors import InputError
from spikefold.results import Verification
from spikefold_boards.result import SynthResult

_VERIFIED = ("samples", "mismatches", "cycles_per_sample", "cycle_exact", "simulator")
_SYNTHESIZED = ("device", "fits", "reason", "lut", "ff", "bram", "dsp", "multipliers", "fmax_mhz")


def record(design: Design, *findings: Verification | SynthResult) -> None:
    """Write a design's build again with findings in its manifest and report; Verilog and images stay.

    A verification replaces the one before, a synthesis the one for the same device.

    Raises
    ------
    InputError
        If the design was neither written nor loaded.
    BuildError
        If something else is in its place now.
    """
    if design.path is None:
        raise InputError(f"Design {design.name!r} must be written before findings are recorded; call write")
    info: dict[str, Any] = {**design.info}
    for found in findings:
        values = asdict(found)
        if isinstance(found, Verification):
            verdict = {"passed": found.passed, "verdict": found.verdict}
            info["verification"] = {key: values[key] for key in _VERIFIED} | verdict
        else:
            chosen = {key: values[key] for key in _SYNTHESIZED}
            info["synthesis"] = {**info.get("synthesis", {}), found.device: chosen}
    design.info = info
    design.write(design.path)

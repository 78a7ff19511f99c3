"""What stages cost: bits of memory, exactly, and LUTs, by an estimate."""

from collections.abc import Mapping
from dataclasses import replace

from spikefold.ir.coding import shifts_of
from spikefold.ir.neuron import ladder_weights
from spikefold.ir.profile import LayerProfile, Profile, StageProfile, buffers_of, scans_of
from spikefold_hw.geometry import bits_of, memory_sizes
from spikefold_hw.streams import index_bits

Features = dict[str, float]

# Fitted to 16 random designs of 1491 to 10571 LUTs: mean error 4.8 %, largest 12 %; of designs that were
# left out of the fit 6.9 % and 16 %. The benchmark, not among them, is 7 % too high.
LUT_COEFFICIENTS: Mapping[str, float] = {
    "lanes": 1.4,
    "shifters": 0.255,
    "neurons": 1.97,
    "line_buffers": 60.1,
    "stages": 151.0,
}
"""LUTs (ECP5) for one unit of each feature; `bench/lut_model.py` fits them."""

TOP_FEATURES: Features = {"stages": 3}
"""What a top has besides its stages: counters, and the wiring of its streams."""

_DEEPEST_ROM = 1 << 14


def memory_of(stage: StageProfile, profile: Profile) -> dict[str, int]:
    """Bits of a stage's memories by name; those that differ in a last number together."""
    found: dict[str, int] = {}
    for name, size in memory_sizes(replace(profile, stages=(stage,))).items():
        name = name.rstrip("0123456789")
        found[name] = found.get(name, 0) + bits_of({name: size})
    return found


def luts_of(stage: StageProfile | None, profile: Profile) -> int:
    """Estimated LUTs of a stage; of what a top has besides its stages if there is none."""
    features = TOP_FEATURES if stage is None else lut_features(stage, profile)
    return round(sum(LUT_COEFFICIENTS[name] * units for name, units in features.items()))


def lut_features(stage: StageProfile, profile: Profile) -> Features:
    """What the LUTs of a stage grow with, by part: bits of adders, choices and addresses."""
    depths = [index_bits(scan.map.size * scan.steps) for scan in scans_of(stage) if scan.depth]
    features: Features = {"stages": 1, "line_buffers": sum(depths)}
    if isinstance(stage, LayerProfile):
        return features | _lanes(stage) | {"neurons": _neurons(stage, profile.steps)}
    bits = stage.levels.bit_length() + index_bits(stage.map.channels)
    return features | {"neurons": bits * max(1, len(buffers_of(stage)))}


def _lanes(layer: LayerProfile) -> Features:
    """Bits of accumulators, of the choices behind and before them, and of the shifters."""
    operand, chosen = 0, 0
    for port, window in enumerate(layer.windows):
        shifts = shifts_of(window.levels, window.coding) - 1
        operand = max(operand, (window.weight_bits + shifts) * (shifts + (window.coding == "naf")))
        # A second window's weights, and rows beyond what one block RAM holds.
        memories = -(-layer.weight_rows(window) // _DEEPEST_ROM)
        chosen += window.weight_bits * (memories - (port == 0))
    sums = (2 * layer.lanes - layer.drain) * layer.widths.accumulator
    return {"lanes": sums + layer.lanes * chosen, "shifters": layer.lanes * operand}


def _neurons(layer: LayerProfile, steps: int) -> int:
    """Bits of the adders of all neuron units, those of skipped levels included."""
    neuron, adders = layer.neuron, 1
    if neuron is not None:
        factor = neuron.factor.terms if neuron.factor is not None else ()
        adders += len(ladder_weights(neuron.levels)) + (steps > 1) * (len(neuron.leak.terms) + len(factor))
    skipped = sum(skip.buffer.levels.bit_length() for skip in layer.skips)
    return layer.drain * (adders * layer.widths.potential + skipped * layer.widths.sum)

"""What stages cost: bits of memory, exactly, and LUTs, by an estimate."""

from collections.abc import Mapping

from spikefold_hw.streaming.stage import Features, Sizes, Stage

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


def memories_of(stage: Stage) -> Sizes:
    """`(word width, rows)` of all memories of a stage, images included, by name."""
    return stage.memories() | {image.name: (image.width, image.depth) for image in stage.image_sizes()}


def memory_of(stage: Stage) -> dict[str, int]:
    """Bits of a stage's memories by name; those that differ in a last number together."""
    found: dict[str, int] = {}
    for name, (width, rows) in memories_of(stage).items():
        name = name.rstrip("0123456789")
        found[name] = found.get(name, 0) + width * rows
    return found


def luts_of(stage: Stage | None) -> int:
    """Estimated LUTs of a stage; of what a top has besides its stages if there is none."""
    features = TOP_FEATURES if stage is None else stage.features()
    return round(sum(LUT_COEFFICIENTS[name] * units for name, units in features.items()))

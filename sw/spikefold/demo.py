"""The demo: from real digits to verified, synthesized Verilog in one call."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from spikefold import nn
from spikefold.build import check_target
from spikefold.compiler import compile as compile_design
from spikefold.design import Design
from spikefold.record import record
from spikefold.results import Verification
from spikefold.train import DataOptions, Dataset, ModelOptions, Recipe, TrainingOptions, load_data, train

RECIPE = Recipe(
    data=DataOptions("digits"),
    model=ModelOptions(hidden=(96,), levels=4, input_levels=16),
    training=TrainingOptions(
        epochs=80,
        batch_size=64,
        learning_rate=0.005,
        weight_decay=0.05,
        label_smoothing=0.05,
        weight_bits=4,
    ),
)
"""The recipe, the same as `examples/digits.toml`."""

DEVICE = "ecp5-85k"
SAMPLES = 120
STALL = 0.25

_SUMMARY = ("accuracy_float", "accuracy_integer", "widths", "memory_bits", "lanes", "coding")
_SYNTHESIS = ("device", "fits", "lut", "ff", "bram", "dsp", "multipliers", "fmax_mhz")


class Steps(Protocol):
    """Where the demo shows how far it is, see `spikefold.cli.screen.Screen`."""

    quiet: bool

    def status(self, text: str) -> AbstractContextManager[Callable[[str], None]]:
        """A step of unknown length."""

    def samples(self, text: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """A step that counts samples."""


@dataclass(frozen=True)
class Demo:
    """What the demo found: every field its table shows, and both verifications, the first under stalls."""

    fields: dict[str, Any]
    verifications: tuple[Verification, Verification]


def run(folder: Path, steps: Steps, recipe: Recipe = RECIPE, device: str = DEVICE) -> Demo:
    """Train, compile, verify with and without stalls, and synthesize.

    Parameters
    ----------
    folder
        Build directory to write; the model goes beside it, `<folder>.safetensors`.

    Raises
    ------
    SpikefoldError
        As the steps do.
    """
    check_target(folder)
    began = time.perf_counter()
    model = folder.with_name(folder.name + ".safetensors")
    model.parent.mkdir(parents=True, exist_ok=True)
    train(recipe, model, progress=not steps.quiet)
    data = load_data(recipe.data.name, **recipe.data.keywords())
    with steps.status("compiling"):
        design = compile_design(
            nn.load(model),
            name="digits",
            data=(data.test_x[:], data.test_y),
            calibration=data.train_x[:],
        )
        design.info["data"] = {"name": recipe.data.name, **recipe.data.keywords()}
        design.write(folder)
    stalled, plain = _verify(design, data, steps)
    with steps.status(f"synthesizing for {device}") as progress:
        synthesized = design.synth(device, progress=progress)
    record(design, plain, synthesized)
    synthesis = synthesized.to_json()
    fields = {
        "path": str(folder),
        "model": str(model),
        **{key: design.summary[key] for key in _SUMMARY},
        **plain.to_json(),
        "samples": stalled.samples + plain.samples,
        "mismatches": stalled.mismatches + plain.mismatches,
        "events": stalled.events + plain.events,
        "passed": stalled.passed and plain.passed,
        **{key: synthesis[key] for key in _SYNTHESIS},
        "seconds": round(time.perf_counter() - began, 3),
    }
    return Demo(fields, (stalled, plain))


def _verify(design: Design, data: Dataset, steps: Steps) -> tuple[Verification, Verification]:
    """Once under stalls, for the values, and once without, for the cycles too."""
    x = data.test_x[np.arange(SAMPLES) % len(data.test_x)]
    with steps.samples("verifying under stalls") as progress:
        stalled = design.verify(x, stall=STALL, progress=progress)
    with steps.samples("verifying every cycle") as progress:
        plain = design.verify(x, progress=progress)
    return stalled, plain

"""A small network in gates, and real digits for it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pytest
import torch

import spikefold
from spikefold import nn
from spikefold.design import Design
from spikefold.train import load_data
from spikefold_boards.asic.synth import GateLevel, gate_level

SAMPLES = 6


@dataclass(frozen=True)
class Mapped:
    """A design, samples for it, and its gates."""

    design: Design
    x: np.ndarray
    gates: GateLevel


@pytest.fixture(scope="session")
def mapped() -> Iterator[Mapped]:
    """A network for 8x8 digits with weights as they are drawn, in NanGate 45 nm."""
    torch.manual_seed(3)
    data = load_data("digits", seed=0)
    model = nn.models.mlp(64, [12], 10, neuron="pit", levels=4, input_levels=16, maximum=16.0)
    design = spikefold.compile(
        model.eval(), name="gates", weight_bits=4, lanes=4, calibration=data.train_x[:64]
    )
    with design.artefact() as artefact, gate_level(artefact, "nangate45") as gates:
        yield Mapped(design, data.test_x[:SAMPLES], gates)

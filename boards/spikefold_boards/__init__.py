"""Boards and devices: synthesis, place and route of a build's Verilog."""

from spikefold_boards.fpgas import FPGAS
from spikefold_boards.result import SynthResult
from spikefold_boards.synth import count_multipliers, synthesize

__all__ = ["FPGAS", "SynthResult", "count_multipliers", "synthesize"]

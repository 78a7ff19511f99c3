"""Quantize a folded network to integers ("Quantize" of docs/numerics.md)."""

from spikefold.quantize.leak import leak_shifts
from spikefold.quantize.quantizer import quantize
from spikefold.quantize.report import LayerReport, QuantizationReport

__all__ = ["LayerReport", "QuantizationReport", "leak_shifts", "quantize"]

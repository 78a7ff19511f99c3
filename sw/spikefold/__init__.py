"""spikefold: integer-spike networks from PyTorch to multiplier-free Verilog, equal bit for bit."""

__version__ = "0.1.0"

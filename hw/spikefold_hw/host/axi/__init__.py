"""The block on AXI: samples and results as AXI4-Stream packets, registers as AXI4-Lite."""

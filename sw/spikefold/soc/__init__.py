"""A design on AXI, packaged for the tools that build systems on chip."""

from spikefold.soc.axi import AxiDesign

__all__ = ["AxiDesign"]

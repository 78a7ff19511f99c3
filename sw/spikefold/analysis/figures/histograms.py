"""A small panel per layer: levels, and membranes over time."""

import numpy as np
from matplotlib.figure import Figure

from spikefold.analysis.figures.style import COLOURS, MAP, grid_of, whole_ticks
from spikefold.analysis.levels import EFFECTIVE
from spikefold.analysis.results import Analysis


def levels(analysis: Analysis) -> Figure:
    """How often each level occurs, over all time steps (QB-LIF Fig. 5)."""
    figure, panels = grid_of(len(analysis.neurons))
    for axes, layer in zip(panels, analysis.neurons, strict=True):
        shares = layer.statistics.probabilities
        axes.bar(np.arange(len(shares)), shares, width=0.8)
        axes.axhline(EFFECTIVE, color=COLOURS[1], linewidth=1, linestyle="--")
        axes.set_yscale("log")
        axes.set_ylim(1e-5, 1.5)
        axes.set_yticks([1e-4, 1e-2, 1], ["0.01 %", "1 %", "100 %"])
        axes.minorticks_off()
        whole_ticks(axes.xaxis)
        scale = float(np.median(layer.learned.scale.values))
        axes.set_title(f"{layer.name}\nscale {scale:.3g}", fontsize=9)
    figure.supxlabel("level", fontsize=10)
    figure.supylabel("probability", fontsize=10)
    return figure


def membranes(analysis: Analysis) -> Figure:
    """Density of the membrane before firing: a curve, or, with several steps, a map of step and membrane."""
    figure, panels = grid_of(len(analysis.neurons))
    for axes, layer in zip(panels, analysis.neurons, strict=True):
        found = layer.membranes
        if layer.steps == 1:
            axes.fill_between(found.centres, found.density[0], alpha=0.3, linewidth=0)
            axes.plot(found.centres, found.density[0])
            axes.set_ylim(bottom=0)
        else:
            extent = (0.5, layer.steps + 0.5, found.edges[0], found.edges[-1])
            axes.imshow(
                found.density.T,
                cmap=MAP,
                origin="lower",
                aspect="auto",
                extent=extent,
                interpolation="nearest",
            )
            whole_ticks(axes.xaxis)
            axes.grid(visible=False)
        axes.set_title(layer.name, fontsize=9)
    over_time = any(layer.steps > 1 for layer in analysis.neurons)
    figure.supxlabel("time step" if over_time else "membrane (levels)", fontsize=10)
    figure.supylabel("membrane (levels)" if over_time else "density", fontsize=10)
    return figure

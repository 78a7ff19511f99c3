"""Figures with the network's layers from left to right."""

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from spikefold.analysis.figures.style import COLOURS, MAP, layer_axis, whole_ticks, width_for
from spikefold.analysis.results import Analysis
from spikefold.analysis.scales import LearnedScales
from spikefold.analysis.sources import COUNTS

_MOST_LINES = 6


def firing(analysis: Analysis) -> Figure:
    """Rate (mean level over D) and active share of every layer, a line per time step (PIT Fig. 6)."""
    layers = analysis.neurons
    names = [layer.name for layer in layers]
    figure = Figure(figsize=(width_for(len(names)), 6.2))
    upper, lower = figure.subplots(2, 1, sharex=True)
    rates = np.array([layer.statistics.mean_by_step / layer.levels for layer in layers])
    active = np.array([layer.statistics.activity_by_step for layer in layers])
    for axes, values, label in ((upper, rates, "mean level / D"), (lower, active, "share of neurons firing")):
        _lines_by_step(figure, axes, 100 * values)
        axes.set_ylabel(f"{label} (%)")
        axes.set_ylim(bottom=0)
    upper.set_title(f"Firing rate, {analysis.steps} × {analysis.levels} (T × D)")
    layer_axis(lower, names)
    return figure


def _lines_by_step(figure: Figure, axes: Axes, values: NDArray[np.float64]) -> None:
    """Draw values [layers, T]: a line per step with a legend, or, with many steps, a colour per step."""
    x, steps = np.arange(len(values)), values.shape[1]
    if steps <= _MOST_LINES:
        for t in range(steps):
            axes.plot(x, values[:, t], marker="o", color=COLOURS[t], label=f"step {t + 1}")
        if steps > 1:
            axes.legend(ncols=steps, loc="upper right")
        return
    norm, colours = mpl.colors.Normalize(1, steps), mpl.colormaps[MAP]
    for t in range(steps):
        axes.plot(x, values[:, t], color=colours(norm(t + 1)), linewidth=1.1)
    figure.colorbar(mpl.cm.ScalarMappable(norm, colours), ax=axes, label="time step")


def information(analysis: Analysis) -> Figure:
    """Scale, entropy, effective levels and activity of every layer (QB-LIF Fig. 6)."""
    layers = analysis.neurons
    names, x = [layer.name for layer in layers], np.arange(len(layers))
    figure = Figure(figsize=(max(8.0, 1.3 * width_for(len(names))), 7.0))
    (scale, entropy), (effective, activity) = figure.subplots(2, 2)
    summaries = [layer.learned.scale.to_json() for layer in layers]
    scale.plot(x, [s["median"] for s in summaries], marker="o")
    scale.fill_between(
        x, [s["min"] for s in summaries], [s["max"] for s in summaries], alpha=0.2, linewidth=0
    )
    scale.set_title("(a) value of one level: median, least to most")
    entropy.bar(x, [layer.statistics.entropy for layer in layers], width=0.7)
    most = [layer.statistics.max_entropy for layer in layers]
    entropy.plot(x, most, "_", color=COLOURS[1], markersize=12, markeredgewidth=2, label="log2(D + 1)")
    entropy.set_title("(b) entropy of a level (bits)")
    entropy.set_ylim(top=1.25 * max(most))
    entropy.legend(loc="upper right")
    effective.bar(x, [layer.statistics.effective for layer in layers], width=0.7, color=COLOURS[2])
    effective.set_title("(c) effective levels (p > 0.01)")
    whole_ticks(effective.yaxis)
    activity.bar(x, [100 * layer.statistics.activity for layer in layers], width=0.7, color=COLOURS[3])
    activity.set_title("(d) activity: levels above 0 (%)")
    for axes in (scale, entropy, effective, activity):
        layer_axis(axes, names)
    return figure


def scales(analysis: Analysis) -> Figure:
    """Distribution of the learned thresholds by layer, over that of an earlier state (PIT Fig. 7)."""
    names = [layer.name for layer in analysis.neurons]
    states = {"trained": {layer.name: layer.learned for layer in analysis.neurons}}
    if analysis.first is not None:
        states = {"(a) first": analysis.first, "(b) trained": states["trained"]}
    figure = Figure(figsize=(width_for(len(names)), 0.8 + 2.9 * len(states)))
    panels = figure.subplots(len(states), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, (title, state), colour in zip(panels, states.items(), COLOURS, strict=False):
        _violins(axes, [state[name] for name in names], colour)
        axes.set_title(title)
        axes.set_ylabel("membrane per level")
    layer_axis(panels[-1], names)
    return figure


def _violins(axes: Axes, layers: list[LearnedScales], colour: str) -> None:
    """A violin per layer, or none where all values are equal, with quartiles and median."""
    values = [layer.threshold.values.ravel() for layer in layers]
    varied = [k for k, v in enumerate(values) if np.ptp(v) > 0]
    if varied:
        parts = axes.violinplot([values[k] for k in varied], positions=varied, widths=0.8, showextrema=False)
        bodies: Any = parts["bodies"]  # a list of collections; the stubs have one collection
        for body in bodies:
            body.set(facecolor=colour, alpha=0.35)
    for k, v in enumerate(values):
        low, middle, high = np.quantile(v, (0.25, 0.5, 0.75))
        axes.vlines(k, low, high, color=colour, linewidth=3)
        axes.plot(k, middle, "o", color="white", markeredgecolor=colour)


def operations(analysis: Analysis) -> Figure:
    """Operations of one sample by layer with weights, a bar per way of counting, logarithmic."""
    layers = analysis.synapses
    names, x = [layer.name for layer in layers], np.arange(len(layers))
    figure = Figure(figsize=(max(7.5, width_for(1.4 * len(names))), 4.2))
    axes = figure.subplots()
    labels = {"events": "events", "binary": "binary digits", "naf": "signed digits", "unary": "unary spikes"}
    width = 0.8 / len(COUNTS)
    for k, name in enumerate(COUNTS):
        heights = [layer.additions[name] / analysis.samples for layer in layers]
        axes.bar(
            x + (k - (len(COUNTS) - 1) / 2) * width, heights, width, label=labels[name], color=COLOURS[k]
        )
    dense = [layer.macs * analysis.steps or np.nan for layer in layers]
    axes.plot(x, dense, "_", color=COLOURS[-1], markersize=14, markeredgewidth=1.6, label="MACs, dense")
    if any(layer.additions["events"] for layer in layers):
        axes.set_yscale("log")
    axes.set_ylabel("per sample, × fan-out")
    axes.legend(ncols=5, loc="lower left", bbox_to_anchor=(0, 1))
    layer_axis(axes, names)
    return figure

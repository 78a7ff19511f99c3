"""Surfaces: membranes over time, and the loss landscape."""

import numpy as np
from matplotlib.figure import Figure
from mpl_toolkits.mplot3d import Axes3D
from numpy.typing import NDArray

from spikefold.analysis.figures.style import COLOURS, MAP, whole_ticks
from spikefold.analysis.landscape import Landscape
from spikefold.analysis.results import Analysis

_SMOOTH = 1.5  # bins


def membrane(analysis: Analysis) -> Figure:
    """Density of the last layer's membrane before firing over several steps, smoothed (PIT Fig. 4)."""
    layer = analysis.neurons[-1]
    density, centres = smooth(layer.membranes.density), layer.membranes.centres
    figure = Figure(figsize=(6.4, 5.0))
    axes = figure.add_subplot(projection="3d")
    steps = np.arange(1, layer.steps + 1)
    x, y = np.meshgrid(centres, steps)
    axes.plot_surface(x, y, density, cmap=MAP, rcount=len(steps), ccount=len(centres), linewidth=0)
    axes.set(xlabel="membrane (levels)", ylabel="time step", zlabel="density")
    figure.suptitle(layer.name, fontsize=10)
    _look(axes)
    whole_ticks(axes.yaxis)
    return figure


def smooth(density: NDArray[np.float64]) -> NDArray[np.float64]:
    """Smooth each row [T, bins] by a Gaussian; what it loses at the borders is mirrored back."""
    reach = int(4 * _SMOOTH)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _SMOOTH) ** 2)
    padded = np.pad(density, ((0, 0), (reach, reach)), mode="symmetric")
    return np.array([np.convolve(row, kernel / kernel.sum(), mode="valid") for row in padded])


def contours(found: Landscape) -> Figure:
    """Contours of the loss, the trained network in the middle (PIT Fig. 5c, d)."""
    figure = Figure(figsize=(5.8, 4.9))
    axes = figure.subplots()
    filled = axes.contourf(found.axis, found.axis, found.loss, levels=20, cmap=MAP)
    axes.contour(found.axis, found.axis, found.loss, levels=20, colors="white", linewidths=0.4)
    axes.plot(0, 0, "+", color=COLOURS[1], markersize=12, markeredgewidth=2)
    figure.colorbar(filled, ax=axes, label="cross-entropy")
    axes.set(xlabel="first direction", ylabel="second direction", aspect="equal")
    axes.set_title(f"loss {found.centre:.3g} in the middle, {found.samples} samples")
    return figure


def loss(found: Landscape) -> Figure:
    """The same as a surface (PIT Fig. 5a, b)."""
    figure = Figure(figsize=(6.4, 5.0))
    axes = figure.add_subplot(projection="3d")
    x, y = np.meshgrid(found.axis, found.axis)
    axes.plot_surface(x, y, found.loss, cmap=MAP, rcount=len(x), ccount=len(x), linewidth=0)
    axes.set(xlabel="first direction", ylabel="second direction", zlabel="cross-entropy")
    _look(axes)
    return figure


def _look(axes: Axes3D) -> None:
    """Few ticks, as labels of slanted axes take room, and one point of view."""
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.get_major_locator().set_params(nbins=5)
        axis.labelpad = 6
    axes.view_init(elev=30, azim=-60)
    axes.set_box_aspect(None, zoom=0.88)

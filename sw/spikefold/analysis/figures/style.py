"""One look for all figures: colours that colour-blind readers can tell apart, no frames, the same sizes."""

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from spikefold.analysis.figures import FORMATS

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito's palette, most distinct first."""

MAP = "cividis"
DPI = 150
_MOST_LABELS = 40

_STYLE: Any = {  # matplotlib's stubs want every key's name as a literal type
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E3E7EC",
    "grid.linewidth": 0.7,
    "axes.edgecolor": "#5A6675",
    "axes.prop_cycle": cycler(color=COLOURS),
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "svg.hashsalt": "spikefold",
    "figure.constrained_layout.use": True,
}


def rendered(draw: Callable[[], Figure]) -> dict[str, bytes]:
    """Return what ``draw`` makes in every format; the same bytes for the same figure."""
    files = {}
    with mpl.rc_context(_STYLE):
        figure = draw()
        for kind in FORMATS:
            buffer = io.BytesIO()
            metadata = {"Date": None} if kind == "svg" else None
            figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata)
            files[kind] = buffer.getvalue()
    return files


def layer_axis(axes: Axes, names: Sequence[str]) -> None:
    """Label the x axis with layers, slanted; every n-th where there are many."""
    every = -(-len(names) // _MOST_LABELS)
    places = range(0, len(names), every)
    axes.set_xticks(list(places), [names[k] for k in places], rotation=40, ha="right", rotation_mode="anchor")
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.grid(visible=False, axis="x")


def whole_ticks(axis: Axis) -> None:
    """Label whole numbers only; the axis must be linear."""
    locator = axis.get_major_locator()
    assert isinstance(locator, MaxNLocator)
    locator.set_params(integer=True)


def grid_of(count: int) -> tuple[Figure, list[Axes]]:
    """Return a figure of ``count`` small panels, up to four in a row; margins are fixed, in inches."""
    columns = min(4, count)
    rows = -(-count // columns)
    width, height = max(4.5, 0.8 + 2.7 * columns), 0.9 + 2.1 * rows
    figure = Figure(figsize=(width, height), layout="none")  # type: ignore[arg-type]  # the stubs lack it
    panels: list[Axes] = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    figure.subplots_adjust(
        left=0.85 / width,
        right=1 - 0.15 / width,
        bottom=0.6 / height,
        top=1 - 0.5 / height,
        wspace=0.35,
        hspace=0.6,
    )
    for panel in panels[count:]:
        panel.remove()
    return figure, panels[:count]


def width_for(layers: float) -> float:
    """Width in inches of a figure with so many layers side by side."""
    return min(16.0, max(5.5, 2.0 + 0.42 * layers))

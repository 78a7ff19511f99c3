"""Pictures of an analysis with matplotlib, the extra ``spikefold[plots]``; nothing here is imported without
it.

Each figure is drawn by a function of its own from an `Analysis`; a figure that has nothing to show is left
out.
"""

import importlib.util
from functools import partial
from typing import TYPE_CHECKING

from spikefold.errors import MissingToolError

if TYPE_CHECKING:
    from spikefold.analysis.results import Analysis

FORMATS = ("png", "svg")
TITLES = {
    "firing": "Firing rate of every layer and time step: mean level over D, and share of neurons that fire.",
    "levels": "How often each level occurs, for every layer; dashed: probability 0.01.",
    "information": "Learned scale, entropy, effective levels and activity along the network.",
    "membranes": "Membrane before firing, in levels, for every layer and time step.",
    "membrane_surface": "Membrane of the last layer before firing, over time, smoothed.",
    "scales": "Learned membrane distance between two levels, by layer.",
    "operations": "Synaptic operations of one inference by layer.",
    "landscape": "Loss around the trained network: contours along two random, filter-normalised directions.",
    "landscape_surface": "The same loss as a surface.",
}
"""Names of the files without their ending, and captions."""


def check_matplotlib() -> None:
    """Raise MissingToolError unless matplotlib can be imported."""
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingToolError(
            "Figures need the package matplotlib; install it with: pip install 'spikefold[plots]', "
            "or ask for the numbers alone: --no-figures"
        )


def draw(analysis: "Analysis") -> dict[str, bytes]:
    """Return the figures' files by name, each as PNG and as SVG."""
    check_matplotlib()
    from spikefold.analysis.figures import along, histograms, surfaces
    from spikefold.analysis.figures.style import rendered

    drawers = {
        "firing": partial(along.firing, analysis),
        "levels": partial(histograms.levels, analysis),
        "information": partial(along.information, analysis),
        "membranes": partial(histograms.membranes, analysis),
        "scales": partial(along.scales, analysis),
        "operations": partial(along.operations, analysis),
    }
    if analysis.neurons[-1].steps > 1:  # with one step there is no time to show
        drawers["membrane_surface"] = partial(surfaces.membrane, analysis)
    if analysis.landscape is not None:
        drawers["landscape"] = partial(surfaces.contours, analysis.landscape)
        drawers["landscape_surface"] = partial(surfaces.loss, analysis.landscape)
    return {
        f"{name}.{kind}": data for name, drawer in drawers.items() for kind, data in rendered(drawer).items()
    }

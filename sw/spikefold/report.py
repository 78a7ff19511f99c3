"""`report.html` of a build: one file, no scripts, the same bytes for the same summary."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2
from markupsafe import Markup

from spikefold.numbers import number
from spikefold.picture import notes_of, pipeline_svg
from spikefold.shown import percent

Summary = Mapping[str, Any]

_TEMPLATE = "report.html.j2"


def report_html(summary: Summary) -> str:
    """Render a design's summary as a self-contained HTML page.

    Parameters
    ----------
    summary
        `spikefold.Design.summary`. Accuracies (percent), `calibration`, `quantization`, `verification` and
        `synthesis` may be None: the page then says that they were not measured.

    Returns
    -------
    str
        The page, with bars as inline SVG; it holds no dates and no paths.
    """
    calibration, quantization = summary["calibration"], summary["quantization"]
    pipeline = calibration["pipeline"] if calibration else None
    return _template().render(
        design=summary,
        layers=list(summary["widths"]),
        calibration=calibration,
        pipeline=pipeline,
        device=calibration["device"] if calibration else None,
        slowest=max(row["cycles"] for row in pipeline["stages"]) if pipeline else 0,
        histograms={name: _shares(counts) for name, counts in calibration["levels"].items()}
        if calibration
        else {},
        quantization=quantization["layers"] if quantization else [],
        picture=Markup(pipeline_svg(summary["graph"], notes_of(summary))),
        verification=summary["verification"],
        synthesis=summary["synthesis"] or {},
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("spikefold"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "percent": percent}
    return environment.get_template(_TEMPLATE)


def _shares(counts: list[int]) -> list[float]:
    """Share of each level among all neurons, samples and time steps; 0 to 1."""
    return [count / max(1, sum(counts)) for count in counts]

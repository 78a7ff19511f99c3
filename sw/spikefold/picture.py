"""A network as a picture: its stages from top to bottom and who reads whom, as inline SVG."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_WIDTH, _HEIGHT, _PITCH = 210, 36, 56  # of a box, and from one to the next
_MIDDLE = _WIDTH / 2
_BULGE = 22  # how far an edge past other stages goes out, at first
_STYLE = (
    ".spikefold text { font: 12px system-ui, sans-serif; fill: currentColor; }"
    " .spikefold .note { font-size: 10.5px; opacity: .75; }"
    " .spikefold .box { fill: none; stroke: currentColor; }"
    " .spikefold .edge { fill: none; stroke: currentColor; stroke-width: 1.2; opacity: .6; }"
    " .spikefold .tip { fill: currentColor; opacity: .6; }"
)


def pipeline_svg(graph: Sequence[Mapping[str, Any]], notes: Mapping[str, str]) -> str:
    """Draw a graph; colours are those of the text around it, so it suits light and dark pages.

    Parameters
    ----------
    graph
        The stages in topological order, the input first: name, kind, shape and sources of each.
    notes
        A few words for a stage, by name.
    """
    places = {stage["name"]: row for row, stage in enumerate(graph)}
    pairs = [(places[source], places[stage["name"]]) for stage in graph for source in stage["sources"]]
    out = _tracks([pair for pair in pairs if pair[1] - pair[0] > 1])
    width = _WIDTH + (max(out.values()) + 8 if out else 4)
    height = _PITCH * (len(graph) - 1) + _HEIGHT + 4
    body = [_edge(a, b, out.get((a, b), 0)) for a, b in pairs]
    body += [_box(row, stage, notes.get(stage["name"], "")) for row, stage in enumerate(graph)]
    return (
        f'<svg class="spikefold" viewBox="-2 -2 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="Stages of the network"><style>{_STYLE}</style>{"".join(body)}</svg>'
    )


def notes_of(summary: Mapping[str, Any]) -> dict[str, str]:
    """What a picture says of a design's stages: lanes and bits of weights; see `Design.summary`."""
    notes = {}
    for name, lanes in summary["lanes"].items():
        bits = sorted({row["weight_bits"] for row in summary["reads"][name]})
        notes[name] = f"{lanes} lane{'s' * (lanes > 1)}, {'/'.join(map(str, bits))}-bit weights"
    return notes


def _tracks(pairs: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """How far out each edge runs, so that none lies on another: the innermost free track."""
    taken: list[int] = []
    out = {}
    for start, end in sorted(set(pairs), key=lambda pair: (pair[1] - pair[0], pair)):
        track = next((k for k, rows in enumerate(taken) if not rows & _rows(start, end)), len(taken))
        if track == len(taken):
            taken.append(0)
        taken[track] |= _rows(start, end)
        out[start, end] = _BULGE + 14 * track
    return out


def _rows(start: int, end: int) -> int:
    """The gaps between rows that an edge passes, as bits."""
    return (1 << end) - (1 << start)


def _box(row: int, stage: Mapping[str, Any], note: str) -> str:
    y = row * _PITCH
    shape = "×".join(map(str, stage["shape"]))
    below = ", ".join(part for part in (shape, note or stage["kind"]) if part)
    return (
        f'<rect class="box" x="0" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="6"/>'
        f'<text x="{_MIDDLE:g}" y="{y + 15}" text-anchor="middle">{escape(stage["name"])}</text>'
        f'<text class="note" x="{_MIDDLE:g}" y="{y + 29}" text-anchor="middle">{escape(below)}</text>'
    )


def _edge(start: int, end: int, out: int) -> str:
    """An arrow to the next stage, or one around those between."""
    if not out:
        y0, y1 = start * _PITCH + _HEIGHT, end * _PITCH
        tip = f"{_MIDDLE - 4:g},{y1 - 7} {_MIDDLE + 4:g},{y1 - 7} {_MIDDLE:g},{y1}"
        return f'<path class="edge" d="M{_MIDDLE:g} {y0}V{y1 - 6}"/><polygon class="tip" points="{tip}"/>'
    y0, y1, x = start * _PITCH + _HEIGHT // 2 + 6, end * _PITCH + _HEIGHT // 2 - 6, _WIDTH + out
    tip = f"{_WIDTH + 7},{y1 - 4} {_WIDTH + 7},{y1 + 4} {_WIDTH},{y1}"
    away, back = f"M{_WIDTH} {y0}H{x - 8}Q{x} {y0} {x} {y0 + 8}", f"Q{x} {y1} {x - 8} {y1}H{_WIDTH + 6}"
    path = f"{away}V{y1 - 8}{back}"
    return f'<path class="edge" d="{path}"/><polygon class="tip" points="{tip}"/>'

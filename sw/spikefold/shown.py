"""How a design and its results show themselves: a line in a terminal, tables and a picture in a notebook."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from spikefold.numbers import number
from spikefold.picture import notes_of, pipeline_svg

Rows = Sequence[tuple[str, str]]


def design_line(name: str, summary: Mapping[str, Any]) -> str:
    """One line about a design."""
    lanes = sum(summary["lanes"].values())
    parts = [
        f"{len(summary['graph']) - 1} stages",
        f"{lanes} lanes",
        f"{number(summary['memory_bits'])} bits of memory",
    ]
    if summary["accuracy_integer"] is not None:
        parts.append(f"integer accuracy {summary['accuracy_integer']:.2f} %")
    return f"<Design {name!r}: {', '.join(parts)}>"


def design_html(summary: Mapping[str, Any]) -> str:
    """A design as a table beside its pipeline."""
    calibration = summary["calibration"]
    rows = [
        ("time steps", str(summary["steps"])),
        ("memory bits", number(summary["memory_bits"])),
        ("integer accuracy", percent(summary["accuracy_integer"])),
        ("float accuracy", percent(summary["accuracy_float"])),
    ]
    if calibration is not None:
        rows += [
            ("cycles a sample", number(calibration["cycles_interval"])),
            ("LUTs, estimated", number(calibration["pipeline"]["total"]["luts"])),
        ]
    picture = pipeline_svg(summary["graph"], notes_of(summary))
    return (
        '<div style="display: flex; flex-wrap: wrap; gap: 2rem">'
        f"<div>{table_html(summary['name'], rows)}</div><div>{picture}</div></div>"
    )


def table_html(title: str, rows: Rows) -> str:
    """Names and values as a small table."""
    body = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table><caption>{escape(title)}</caption>{body}</table>"


def percent(value: float | None) -> str:
    """An accuracy for people."""
    return "not measured" if value is None else f"{value:.2f} %"

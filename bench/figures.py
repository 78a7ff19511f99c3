"""How the benchmarks print their figures."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table


def show(title: str, figures: Mapping[str, Any], targets: Mapping[str, str], as_json: bool) -> None:
    """Print figures beside what they are to reach, or as one JSON object."""
    if as_json:
        print(json.dumps(figures))
        return
    table = Table("figure", "measured", "reach", title=title)
    for name, value in figures.items():
        table.add_row(name, _text(value), targets.get(name, ""))
    Console().print(table)


def _text(value: Any) -> str:
    if isinstance(value, bool | str) or value is None:
        return str(value)
    return f"{value:,.4g}" if isinstance(value, float) and value < 1000 else f"{value:,.0f}"

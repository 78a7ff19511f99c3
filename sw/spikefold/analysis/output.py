"""The directory of an analysis: numbers, figures and a page that shows them; whole or not there."""

import json
from functools import cache
from pathlib import Path

import jinja2

from spikefold.analysis.figures import FORMATS, TITLES, check_matplotlib, draw
from spikefold.analysis.results import Analysis
from spikefold.errors import InputError
from spikefold.files import write_atomic
from spikefold.flow.replace import replaced_folder
from spikefold.numbers import number

NUMBERS, PAGE = "analysis.json", "analysis.html"
_TEMPLATE = "analysis.html.j2"
_NAMES = {NUMBERS, PAGE, *(f"{figure}.{kind}" for figure in TITLES for kind in FORMATS)}


def check_target(path: Path, figures: bool = True) -> None:
    """Refuse to write an analysis over something else, or without what it takes to draw.

    Raises
    ------
    InputError
        If ``path`` is a file, or a directory that holds anything no analysis writes.
    MissingToolError
        If figures are wanted and matplotlib is not installed.
    """
    if path.exists() and not path.is_dir():
        raise InputError(f"Output must be a directory, but {str(path)!r} is a file; name another with -o")
    found = sorted(entry.name for entry in path.iterdir()) if path.exists() else []
    foreign = [name for name in found if name not in _NAMES]
    if foreign:
        raise InputError(
            f"Output directory must be new, empty or an earlier analysis, but {str(path)!r} holds "
            f"{foreign[0]!r}, which is not part of one; remove it or name another with -o"
        )
    if figures:
        check_matplotlib()


def write_analysis(path: Path, analysis: Analysis, name: str = "network", figures: bool = True) -> list[str]:
    """Write an analysis to the directory ``path``; an earlier one is replaced.

    Parameters
    ----------
    name
        Title of the page.
    figures
        Whether figures (PNG and SVG) and the page are drawn; the numbers are always written.

    Returns
    -------
    list of str
        Names of the files.

    Raises
    ------
    InputError, MissingToolError
        As `check_target`.
    """
    check_target(path, figures)
    files: dict[str, bytes] = {}
    if figures:
        files |= draw(analysis)
        files[PAGE] = _page(name, analysis, [f for f in TITLES if f"{f}.svg" in files]).encode()
    files[NUMBERS] = (json.dumps({"name": name, **analysis.to_json()}, indent=1) + "\n").encode()
    with replaced_folder(path) as folder:
        for file, data in files.items():
            write_atomic(folder / file, data)
    return sorted(files)


def _page(name: str, analysis: Analysis, figures: list[str]) -> str:
    titles = {figure: TITLES[figure] for figure in figures}
    return _template().render(name=name, analysis=analysis, numbers=analysis.to_json(), figures=titles)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("spikefold.analysis"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    return environment.get_template(_TEMPLATE)

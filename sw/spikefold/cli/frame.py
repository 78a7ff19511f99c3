"""What every command shares: `--json`, `-v`, `-q`, `--debug`, `--memory-limit`, logging and exit codes."""

import functools
import json
import logging
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from typing import Any

import click

from spikefold import limits
from spikefold.cli.screen import Screen


@dataclass(frozen=True)
class Sheet:
    """One table for people: a title, rows of text and, if there are any, column names."""

    title: str
    rows: Sequence[Sequence[str]]
    columns: Sequence[str] = ()


@dataclass(frozen=True)
class Outcome:
    """What a command found.

    Attributes
    ----------
    fields
        The JSON object.
    sheets
        The same for people.
    failure, exit_code
        Why the command did not end well, and its exit code; the result is printed all the same.
    """

    fields: dict[str, Any]
    sheets: list[Sheet] = field(default_factory=list)
    failure: str | None = None
    exit_code: int = 0


def framed(function: Callable[..., Outcome]) -> Callable[..., None]:
    """Wrap a command: `function(screen, **options)` returns its outcome; errors are left to the group."""

    @click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout, nothing else.")
    @click.option("-v", "--verbose", count=True, help="Log what is done on stderr; -vv for every detail.")
    @click.option("-q", "--quiet", is_flag=True, help="No progress and no warnings.")
    @click.option("--debug", is_flag=True, envvar="SPIKEFOLD_DEBUG", help="Show the traceback of an error.")
    @click.option(
        "--memory-limit",
        default=f"{limits.MEMORY >> 20}M",
        show_default=True,
        envvar="SPIKEFOLD_MEMORY_LIMIT",
        help="Memory that one file or model may ask for, as 900M or 4G.",
    )
    @functools.wraps(function)
    def command(
        *, as_json: bool, verbose: int, quiet: bool, debug: bool, memory_limit: str, **options: Any
    ) -> None:
        screen = Screen(quiet)
        try:
            allowed = limits.memory(limits.parse_size(memory_limit))
            with allowed, _logging(verbose, quiet), redirect_stdout(sys.stderr):  # no package may print there
                outcome = function(screen, **options)
        except Exception:
            if debug:
                traceback.print_exc()
            raise
        if as_json:
            click.echo(json.dumps(outcome.fields))
        else:
            _print(outcome.sheets)
        if outcome.failure is not None:
            click.echo(f"error: {outcome.failure}", err=True)
        sys.exit(outcome.exit_code)

    return command


def _print(sheets: list[Sheet]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    for sheet in sheets:
        header = bool(sheet.columns)
        table = Table(title=Text(sheet.title), title_justify="left", box=box.SIMPLE_HEAD, show_header=header)
        for number, column in enumerate(sheet.columns or sheet.rows[0]):
            table.add_column(column, justify="right" if number else "left", overflow="fold")
        for row in sheet.rows:
            table.add_row(*map(Text, row))
        console.print(table)


class _Formatter(logging.Formatter):
    """What is told to everyone is told without where it is from."""

    def format(self, record: logging.LogRecord) -> str:
        return record.getMessage() if hasattr(record, "told") else super().format(record)


@contextmanager
def _logging(verbose: int, quiet: bool) -> Iterator[None]:
    """Log to stderr while a command runs; the root logger is left as it was found."""
    level = logging.ERROR if quiet else (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter("%(levelname)s %(name)s: %(message)s"))
    handler.addFilter(lambda record: record.levelno >= level or (hasattr(record, "told") and not quiet))
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(min(level, logging.INFO))
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(before)

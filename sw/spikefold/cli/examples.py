"""`spikefold examples`."""

from pathlib import Path

import click

from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen

_HELP = """Copy the recipes and trained networks that come with spikefold to FOLDER.

Files that are there already stay, if they are the same; another file of one of the names is an error.

\b
Examples:
  spikefold examples
  spikefold examples my_recipes --json
"""


@click.command(help=_HELP)
@click.argument("folder", type=click.Path(path_type=Path), default="examples")
@framed
def examples(screen: Screen, folder: Path) -> Outcome:
    """Copy the examples."""
    from spikefold.shipped import write_examples

    files = write_examples(folder)
    return Outcome({"path": str(folder), "files": files}, [Sheet(str(folder), [(name,) for name in files])])

"""`spikefold cache`."""

import click

from spikefold.cli.frame import Outcome, Sheet, framed
from spikefold.cli.screen import Screen

_HELP = """Show what is kept to be found again, or remove it.

Compiled simulators, synthesis results and prepared data are kept by content, with the digests of your own
builds. Nothing is lost with them but time. Beyond 4 GB, or SPIKEFOLD_CACHE_GB in the environment, what was
not used for longest goes by itself.

\b
Examples:
  spikefold cache
  spikefold cache clear
"""


@click.command(help=_HELP)
@click.argument("action", type=click.Choice(["show", "clear"]), default="show")
@framed
def cache(screen: Screen, action: str) -> Outcome:
    """Show or clear the cache."""
    from spikefold.flow import upkeep

    root = upkeep.cache_root()
    if action == "clear":
        upkeep.clear(root)
    kinds = {}
    for kind in upkeep.KINDS:
        found = upkeep.entries(root, kind)
        kinds[kind] = {"entries": len(found), "bytes": sum(entry.size for entry in found)}
    total = sum(kind["bytes"] for kind in kinds.values())
    fields = {"path": str(root), "limit": upkeep.limit(), "bytes": total, "kinds": kinds}
    rows = [(name, str(kind["entries"]), _megabytes(kind["bytes"])) for name, kind in kinds.items()]
    rows.append(("total", str(sum(kind["entries"] for kind in kinds.values())), _megabytes(total)))
    sheets = [
        Sheet(str(root), rows, ("kind", "entries", "MB")),
        Sheet("", [(f"The limit is {_megabytes(upkeep.limit())} MB.",)]),
    ]
    return Outcome(fields, sheets)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f}".replace(",", " ")

"""The command line: `spikefold train|import|compile|verify|simulate|synth|analyze|demo|examples|..`.

Results go to stdout, everything else to stderr. Nothing heavy is imported before a command runs.
"""

from spikefold.cli.group import main

__all__ = ["main"]

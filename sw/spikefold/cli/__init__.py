"""The command line: `spikefold train|compile|verify|simulate|synth|analyze|demo|examples|cache`.

Results go to stdout, everything else to stderr. Nothing heavy is imported before a command runs.
"""

from spikefold.cli.group import main

__all__ = ["main"]

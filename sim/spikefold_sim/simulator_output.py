"""What a simulator says only in passing: that it did not find a memory image, and computed with zeros."""

import re

from spikefold.errors import ToolError

_MISSING = re.compile(r"%Warning: (.+?):\d+: \$readmem file not found|Unable to open (\S+) for reading")


def check_output(output: str) -> None:
    """Look through what Verilator or Icarus Verilog printed.

    Raises
    ------
    ToolError
        A memory image was missing.
    """
    match = _MISSING.search(output)
    if match:
        raise ToolError(
            f"Memory image must be in the folder of images, not be missing: {match[1] or match[2]!r}"
        )

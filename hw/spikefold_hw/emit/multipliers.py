"""A search of Verilog for multipliers."""

import re
from collections.abc import Mapping

_NO_OPERATORS = re.compile(r'"[^"\n]*"|//[^\n]*|/\*.*?\*/|\(\*.*?\*\)|@\s*\*|\\\S+', re.DOTALL)
_MULTIPLIERS = re.compile(r"\*\*|[*/%]")


def count_multipliers(files: Mapping[str, str]) -> int:
    """How many multiplications, divisions, remainders and powers the Verilog files hold."""
    return sum(len(_MULTIPLIERS.findall(_NO_OPERATORS.sub(" ", text))) for text in files.values())

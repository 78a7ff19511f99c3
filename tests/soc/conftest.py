"""Lets tests import the helpers of this folder and of the others."""

import sys
from pathlib import Path

for _folder in ("sw", "hw", "sim", "soc"):
    sys.path.insert(0, str(Path(__file__).parents[1] / _folder))

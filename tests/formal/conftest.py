"""Lets the proofs import the helpers of this folder and of `tests/hw`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "sw"))
sys.path.insert(0, str(Path(__file__).parents[1] / "hw"))
sys.path.insert(0, str(Path(__file__).parent))

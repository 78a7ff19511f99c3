"""Lanes, drains and codings from calibration data, and the table that explains them."""

from spikefold.balance.calibrate import AUTO, Levels, calibrate, choose_coding
from spikefold.balance.choose import choose, with_stages
from spikefold.balance.goal import Chosen, Goal, number
from spikefold.balance.memory_fit import memory_fit
from spikefold.balance.options import Counts, parse_counts
from spikefold.balance.pipeline import as_built, pipeline
from spikefold.balance.summary import summary
from spikefold.balance.timing import timing

__all__ = [
    "AUTO",
    "Chosen",
    "Counts",
    "Goal",
    "Levels",
    "as_built",
    "calibrate",
    "choose",
    "choose_coding",
    "memory_fit",
    "number",
    "parse_counts",
    "pipeline",
    "summary",
    "timing",
    "with_stages",
]

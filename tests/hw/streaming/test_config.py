"""Config: what a user may choose, and what is refused."""

import pytest

from spikefold.errors import InputError
from spikefold_hw.streaming.config import Config

BAD_GOALS = {
    "fps zero": ({"fps": 0}, r"^Frames per second must be a positive number, not 0$"),
    "fps nan": ({"fps": float("nan")}, r"^Frames per second must be a positive number, not nan$"),
    "fps text": ({"fps": "10"}, r"^Frames per second must be a positive number, not '10'$"),
    "fps true": ({"fps": True}, r"^Frames per second must be a positive number, not True$"),
    "clock": ({"clock_mhz": -1}, r"^Clock in MHz must be a positive number, not -1$"),
    "clock none": ({"clock_mhz": None}, r"^Clock in MHz must be a positive number, not None$"),
    "luts": ({"lut_budget": 0}, r"^LUT budget must be a positive integer, not 0$"),
    "luts float": ({"lut_budget": 10.0}, r"^LUT budget must be a positive integer, not 10\.0$"),
    "memory": ({"memory_budget": -5}, r"^Memory budget in bits must be a positive integer, not -5$"),
}


@pytest.mark.parametrize("case", BAD_GOALS)
def test_bad_goal(case):
    options, pattern = BAD_GOALS[case]
    with pytest.raises(InputError, match=pattern):
        Config(**options)

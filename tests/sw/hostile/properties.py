"""Properties: quick ones see the same examples every time, long ones new examples in every run."""

from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from spikefold.errors import SpikefoldError

EXAMPLES = [pytest.param(40, id="quick"), pytest.param(2000, id="long", marks=pytest.mark.slow)]
"""For `pytest.mark.parametrize("examples", EXAMPLES)`."""

NUMBERS = st.one_of(
    st.integers(-2, 9),
    st.sampled_from([2**16, 2**31 - 1, 2**31, 10**9, 2**63, 10**18, 10**400, -(2**63)]),
    st.just(5000).map(lambda digits: 16**digits),  # not as itself: its decimal form would be an error
    st.floats(),
)
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=8), st.just("a" * 300))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def holds(examples: int, strategy: st.SearchStrategy[Any], check: Callable[[Any], None]) -> None:
    """Check so many examples of a strategy."""
    settings = hypothesis.settings(
        max_examples=examples,
        derandomize=examples <= 100,
        deadline=None,
        database=None,
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    settings(hypothesis.given(strategy)(check))()


def documented(call: Callable[[], object]) -> bool:
    """Whether a call succeeds or says what is wrong; exceptions but those of `spikefold.errors` come out."""
    try:
        call()
    except SpikefoldError as error:
        return bool(str(error).strip())
    return True

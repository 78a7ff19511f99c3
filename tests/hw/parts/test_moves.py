"""Moves against a pipeline that is held cycle by cycle."""

import numpy as np
import pytest

from spikefold_hw.parts.moves import NEVER, Moves


class Schedule:
    """The cycle of every move from 0 on, found by walking over them."""

    def __init__(self):
        self._earliest = {}

    def hold(self, move, cycle):
        self._earliest[move] = max(cycle, self._earliest.get(move, 0))

    def cycles(self, moves):
        """The first so many: a move comes a cycle after the one before, or when it may."""
        cycle, found = -1, []
        for move in range(moves):
            cycle = max(cycle + 1, self._earliest.get(move, 0))
            found.append(cycle)
        return found


@pytest.mark.parametrize("seed", range(20))
def test_held_moves(seed):
    rng = np.random.default_rng(seed)
    moves, schedule, move = Moves(), Schedule(), 0
    for _ in range(40):
        move += int(rng.integers(0, 6))
        # Held for a while, for one cycle, not at all, or until long ago.
        cycle = moves.at(move) + int(rng.choice([7, 1, 0, -3]))
        moves.hold(move, cycle)
        schedule.hold(move, cycle)
    cycles = schedule.cycles(move + 10)
    assert [moves.at(k) for k in range(len(cycles))] == cycles
    for cycle in range(cycles[-1] + 1):
        first = next(k for k, at in enumerate(cycles) if at >= cycle)
        assert moves.first(cycle) == first


@pytest.mark.parametrize("seed", range(5))
def test_forgetting_changes_nothing_that_is_still_asked_for(seed):
    rng = np.random.default_rng(seed)
    kept, forgetful, move = Moves(), Moves(), 0
    for _ in range(60):
        move += int(rng.integers(1, 5))
        cycle = kept.at(move) + int(rng.integers(0, 4))
        for moves in (kept, forgetful):
            moves.hold(move, cycle)
        forgetful.forget(move - 3)
        for later in range(move - 3, move + 20):
            assert forgetful.at(later) == kept.at(later)
            assert forgetful.first(kept.at(later)) == later


def test_nothing_is_held_at_first():
    moves = Moves()
    assert (moves.at(5), moves.first(5), moves.first(NEVER)) == (5, 5, NEVER)
    moves.hold(3, 10)
    # What was under way before does not wait.
    assert [moves.at(k) for k in (2, 3, 4)] == [2, 10, 11]
    assert [moves.first(cycle) for cycle in (2, 3, 10, 11)] == [2, 3, 3, 4]

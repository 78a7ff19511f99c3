"""The cycles in which a rigid pipeline moves."""

from collections import deque

NEVER = -(1 << 60)
"""Before every cycle, and before every move."""

_ALWAYS = 1 << 60


class Moves:
    """The cycles in which a rigid pipeline moves: all of them, but for those in which it is held.

    Moves are counted; what enters with move `k` leaves the `n`-th stage with move `k + n`.
    """

    def __init__(self) -> None:
        self._holds: deque[tuple[int, int]] = deque([(NEVER, 0)])  # a move, and cycle - move from there on

    def at(self, move: int) -> int:
        """The cycle of a move."""
        for start, offset in reversed(self._holds):
            if move >= start:
                return move + offset
        return move + self._holds[0][1]

    def first(self, cycle: int) -> int:
        """The first move in `cycle` or later."""
        following = _ALWAYS
        for start, offset in reversed(self._holds):
            if start + offset <= cycle:
                return min(cycle - offset, following)
            following = start
        return following

    def hold(self, move: int, cycle: int) -> None:
        """This move comes in `cycle` at the earliest; not before any move that was held already."""
        if cycle - move > self._holds[-1][1]:
            self._holds.append((move, cycle - move))

    def forget(self, move: int) -> None:
        """Nobody will ask for moves before this one."""
        while len(self._holds) > 1 and self._holds[1][0] <= move:
            self._holds.popleft()

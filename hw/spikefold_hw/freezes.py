"""Cycles in which a rigid pipeline stands still."""

_KEPT = 8


class Freezes:
    """Intervals [start, end) without a move, in order; only the last few can still matter."""

    def __init__(self) -> None:
        self._intervals: list[tuple[int, int]] = []

    def add(self, start: int, end: int) -> None:
        """The pipeline stands still from `start` to before `end`; later than all before it."""
        self._intervals = [*self._intervals[1 - _KEPT :], (start, end)]

    def next(self, cycle: int) -> int:
        """The first cycle from `cycle` on in which the pipeline moves."""
        for start, end in self._intervals:
            if start <= cycle < end:
                cycle = end
        return cycle

    def after(self, cycle: int, moves: int) -> int:
        """The cycle of the `moves`-th move after the one at `cycle`."""
        goal = cycle + moves
        for start, end in self._intervals:
            if cycle < start <= goal:
                goal += end - start
        return goal

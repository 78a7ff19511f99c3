"""Samples on their way to a device and back: which result is whose, and what must be sent again."""

from collections import Counter, deque
from collections.abc import Callable

from spikefold.attached.tally import Tally
from spikefold.errors import LinkError
from spikefold_hw.host.uart.protocol import Answer, Flag, Kind

_MOST_UNDER_WAY = 64
"""Samples without a result: far fewer than numbers of results."""

_MOST_ERRORS = 3


class Batch:
    """Numbers samples as the device numbers its results: in the order in which they are sent.

    A result that was lost is never sent again; its sample is.

    Parameters
    ----------
    count
        Samples, 0..count-1.
    pack
        Gives the bytes of a sample.
    first
        Number of the first result.
    tally
        Where it is counted what was sent again.

    Attributes
    ----------
    next
        Number of the result of the sample that is sent next.
    """

    def __init__(self, count: int, pack: Callable[[int], bytes], first: int, tally: Tally) -> None:
        self._pack, self.next, self._tally = pack, first, tally
        self._todo = deque(range(count))
        self._under_way: deque[int] = deque()
        self._errors: Counter[int] = Counter()

    @property
    def over(self) -> bool:
        """Whether all samples have their results."""
        return not self._todo and not self._under_way

    def more(self) -> bytes:
        """The bytes of the next sample; none where there is none, or enough are under way."""
        if not self._todo or len(self._under_way) >= _MOST_UNDER_WAY:
            return b""
        sample = self._todo.popleft()
        self._under_way.append(sample)
        self.next = (self.next + 1) % 256
        return self._pack(sample)

    def hear(self, answer: Answer) -> int | None:
        """The sample whose result an answer is; None if it is none.

        Raises
        ------
        LinkError
            If the device finds the same sample wrong again and again.
        """
        oldest = self.next - len(self._under_way)
        lost = (answer.number - oldest) % 256
        known = len(self._under_way) - (answer.kind == Kind.RESULT)
        if answer.kind not in (Kind.RESULT, Kind.STATUS) or lost > known:
            return None
        for _ in range(lost):
            self._again(self._under_way.popleft())
        if answer.kind == Kind.STATUS:
            return None
        sample = self._under_way.popleft()
        if not answer.has(Flag.ERROR):
            return sample
        self._errors[sample] += 1
        if self._errors[sample] == _MOST_ERRORS:
            raise LinkError(
                f"Device must take sample {sample}, but has found it wrong {_MOST_ERRORS} times; its "
                "counters violations_.. tell why"
            )
        self._again(sample)
        return None

    def restart(self, first: int) -> None:
        """The device has forgotten what was under way; its next result has this number."""
        while self._under_way:
            self._again(self._under_way.pop())
        self.next = first

    def _again(self, sample: int) -> None:
        self._tally.repeated += 1
        self._todo.appendleft(sample)

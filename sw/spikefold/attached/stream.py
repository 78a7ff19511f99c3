"""Bytes to a device, each once and in order, over a wire that loses and damages some."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from spikefold.attached.tally import Tally
from spikefold_hw.host.uart.protocol import CHECK_BYTES, Answer, Command, Flag, command

_CHUNK, _WINDOW = (16, 64), (48, 1 << 16)
"""Bytes of a frame, and bytes under way: the least where the wire is bad, the most where it is good."""

_MOST_FRAMES = 100


class Mark(NamedTuple):
    """A place in what is sent: a round, and the number of the frame after it."""

    round: int
    number: int


class Stream:
    """Cuts bytes into numbered frames, and keeps each until the device has taken it.

    The device takes a frame only in its turn, and tells with every answer which one that is and how much of
    its buffer is free. Where it has refused one, all that it has not taken are sent again, as another round,
    by which the answer to an old frame is known.

    Parameters
    ----------
    send
        Sends the bytes of a frame.
    hello
        The answer that began the session.
    buffer_bits
        Logarithm of the bytes of the device's buffer.
    tally
        Where it is counted what was sent again.
    """

    def __init__(self, send: Callable[[bytes], None], hello: Answer, buffer_bits: int, tally: Tally) -> None:
        self._send, self._tally = send, tally
        self._size = 1 << buffer_bits
        self._unit = self._size >> 8
        self._frames: deque[bytes] = deque()  # those that the device has not taken, the oldest first
        self._first = hello.expected  # number of the oldest
        self._sent = 0  # how many of them were sent in this round
        self._round = hello.round
        self._taken = 0  # bytes that the device has taken into its buffer
        self._waiting = 0  # of these, those that are there still, or a few more
        self._rest = b""
        self._chunk, self._window = _CHUNK[1], _WINDOW[1]

    @property
    def empty(self) -> bool:
        """Whether the device has taken all there is."""
        return not self._frames and not self._rest

    @property
    def drained(self) -> bool:
        """Whether its buffer is empty, too, but for what a unit cannot tell."""
        return self.empty and self._waiting < self._unit

    def hear(self, answer: Answer) -> None:
        """Take in what an answer tells."""
        count = (answer.expected - self._first) % 256
        if count > len(self._frames):
            return
        self._taken += sum(len(self._frames.popleft()) for _ in range(count))
        self._first = answer.expected
        self._sent = max(0, self._sent - count)
        self._waiting = (self._taken - answer.consumed * self._unit) % self._size
        self._window = min(_WINDOW[1], self._window + 16 * count)
        self._chunk = min(_CHUNK[1], self._chunk + count)
        if answer.has(Flag.REFUSED) and answer.round == self._round and self._sent:
            self._repeat()

    def mark(self) -> Mark:
        """What has been sent until now; for `seen`."""
        return Mark(self._round, (self._first + self._sent) % 256)

    def seen(self, mark: Mark) -> None:
        """The device has seen all that was sent before a mark: what of it it has not taken is lost."""
        count = (mark.number - self._first) % 256
        if mark.round == self._round and 0 < count <= self._sent:
            self._repeat()

    def _repeat(self) -> None:
        """Send all that the device has not taken again, and be more careful from now on."""
        self._tally.resent += self._sent
        self._sent = 0
        self._round = (self._round + 1) % 256
        self._window = max(_WINDOW[0], self._window // 2)
        self._chunk = max(_CHUNK[0], self._chunk // 2)

    def push(self, more: Callable[[], bytes]) -> None:
        """Send as many frames as the device has room for; `more` gives bytes for them, some or none."""
        while self._fits(self._next(more)):
            number = (self._first + self._sent) % 256
            self._send(command(Command.DATA, number, self._round, self._frames[self._sent]))
            self._sent += 1

    def _next(self, more: Callable[[], bytes]) -> bytes:
        """The next frame to be sent; none where there is nothing to send."""
        if self._sent == len(self._frames) < _MOST_FRAMES:
            while len(self._rest) < self._chunk and (found := more()):
                self._rest += found
            if self._rest:
                self._frames.append(self._rest[: self._chunk])
                self._rest = self._rest[self._chunk :]
        return self._frames[self._sent] if self._sent < len(self._frames) else b""

    def _fits(self, frame: bytes) -> bool:
        """Whether the device has room for a frame behind those that are on their way."""
        under_way = sum(len(each) for each, _ in zip(self._frames, range(self._sent), strict=False))
        room = self._size - self._unit - 1 - CHECK_BYTES - self._waiting - under_way
        return 0 < len(frame) <= room and (not under_way or under_way + len(frame) <= self._window)

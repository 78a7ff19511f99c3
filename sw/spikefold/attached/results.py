"""Results out of answers."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spikefold.attached.tally import Tally
from spikefold_hw.host.uart.answers import class_bytes
from spikefold_hw.host.uart.hello import Hello
from spikefold_hw.host.uart.protocol import Answer, Kind

if TYPE_CHECKING:
    from spikefold.golden import Run


@dataclass(frozen=True)
class Inference:
    """What a device answered.

    Attributes
    ----------
    classes
        Shape (samples,), int64.
    logits
        Shape (samples, classes), int64; None if they were not asked for, or the device does not send them.
    seconds
        From the first byte of the first sample to the last result.
    mended
        What went wrong on the wire meanwhile.
    """

    classes: NDArray[np.int64]
    logits: NDArray[np.int64] | None
    seconds: float
    mended: Tally

    def differ_from(self, golden: "Run") -> int:
        """Number of samples with another class, or another logit if there are any, than the golden model."""
        wrong = self.classes != golden.classes
        return int((wrong if self.logits is None else wrong | (self.logits != golden.logits).any(1)).sum())


@dataclass(frozen=True)
class Comparison:
    """Whether a device answers as the golden model does.

    Attributes
    ----------
    samples, wrong
        Samples, and those with another logit or, where the device sends no logits, another class.
    seconds
        As `Inference`.
    """

    samples: int
    wrong: int
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether none is wrong."""
        return not self.wrong


class Results:
    """Takes the results of samples, in any order.

    Parameters
    ----------
    count
        Samples.
    hello
        What the device says of itself.
    with_logits
        Whether they were asked for.
    """

    def __init__(self, count: int, hello: Hello, with_logits: bool) -> None:
        self._classes = hello.register("classes")
        self._class_bytes = class_bytes(self._classes)
        self._each = -(-hello.logit_bits // 8) if with_logits else 0
        self.classes = np.full(count, -1, np.int64)
        self.logits = np.zeros((count, self._classes), np.int64) if self._each else None

    def fits(self, answer: Answer) -> bool:
        """Whether an answer is no result, or one that can be read."""
        if answer.kind != Kind.RESULT:
            return True
        length = self._each * self._classes + self._class_bytes
        return len(answer.body) == length and self._winner(answer) < self._classes

    def take(self, sample: int, answer: Answer) -> None:
        """Keep the result of a sample."""
        self.classes[sample] = self._winner(answer)
        if self.logits is not None:
            values = np.frombuffer(answer.body[: -self._class_bytes], np.uint8).reshape(-1, self._each)
            number = (values.astype(np.int64) << 8 * np.arange(self._each)).sum(1)
            sign = 1 << (8 * self._each - 1)
            self.logits[sample] = (number ^ sign) - sign

    def _winner(self, answer: Answer) -> int:
        return int.from_bytes(answer.body[-self._class_bytes :], "little")

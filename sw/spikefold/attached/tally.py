"""What went wrong on a wire, and was mended."""

from dataclasses import astuple, dataclass


@dataclass
class Tally:
    """Counts since a device was attached.

    Attributes
    ----------
    resent
        Frames that were sent again.
    repeated
        Samples that were sent again, as their results were lost.
    damaged
        Answers that came damaged.
    restarts
        How often the device was reset by somebody else.
    """

    resent: int = 0
    repeated: int = 0
    damaged: int = 0
    restarts: int = 0

    def copy(self) -> "Tally":
        """The counts as they are now."""
        return Tally(*astuple(self))

    def since(self, before: "Tally") -> "Tally":
        """What was counted since a copy was made."""
        return Tally(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))

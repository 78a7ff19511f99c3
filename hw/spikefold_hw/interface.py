"""A design from outside: what its streams carry, and what a host can read."""

from dataclasses import dataclass

from spikefold_hw.parts.counters import Counter
from spikefold_hw.streams import EventStream


@dataclass(frozen=True)
class Interface:
    """The outside of a design.

    Attributes
    ----------
    name
        Of the design; the Verilog top is `<name>_top`.
    input
        The input stream.
    probed
        Inner event streams by name, in order; `probe_<name>` in the core shows each.
    classes, logit_bits
        Beats of a result, and bits of a logit.
    counters
        In the order of `counter_select`.
    loaded
        Whether a host loads the memories through a stream of bytes.
    longest_silence
        Upper bound of the cycles between two beats anywhere.
    trailing_silence
        Upper bound of the cycles between two beats after the last result; 0 if nothing comes then.
    checks
        Whether the input is checked, and results have `error`.
    tag_bits
        Width of the tag that goes with a sample.
    """

    name: str
    input: EventStream
    probed: dict[str, EventStream]
    classes: int
    logit_bits: int
    counters: tuple[Counter, ...]
    loaded: bool
    longest_silence: int
    trailing_silence: int
    checks: bool = False
    tag_bits: int = 0

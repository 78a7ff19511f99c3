"""A design from outside: what its streams carry, and what a host can read."""

from dataclasses import dataclass

from spikefold.ir.maps import Map
from spikefold_hw.order import Time


@dataclass(frozen=True)
class EventStream:
    """What an event stream carries: a map, its largest level, the time steps of a sample and their order."""

    map: Map
    levels: int
    time: Time


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
        Names of the counters, in the order of `counter_select`.
    loaded
        Whether a host loads the memories through a stream of bytes.
    longest_silence
        Upper bound of the cycles between two beats anywhere.
    trailing_silence
        Upper bound of the cycles between two beats after the last result; 0 if nothing comes then.
    """

    name: str
    input: EventStream
    probed: dict[str, EventStream]
    classes: int
    logit_bits: int
    counters: tuple[str, ...]
    loaded: bool
    longest_silence: int
    trailing_silence: int

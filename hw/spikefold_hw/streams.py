"""The streams that join the blocks, and a connect that checks shapes."""

from dataclasses import dataclass

from amaranth.hdl import Module, ShapeLike, signed, unsigned
from amaranth.lib import data, wiring

from spikefold.errors import InputError
from spikefold.ir.maps import Map
from spikefold_hw.order import Time
from spikefold_hw.typed import Stream


def index_bits(count: int) -> int:
    """Bits of an index below `count`; at least one, since zero-width ports break Verilog tools."""
    return max(1, (count - 1).bit_length())


@dataclass(frozen=True)
class EventStream:
    """What an event stream carries for each sample.

    Attributes
    ----------
    map
        Channels, and the positions they come at.
    levels
        Largest level.
    time
        Time steps that are presented (of a static input 1, else T), and the order of the cells.
    """

    map: Map
    levels: int
    time: Time


class Event(data.StructLayout):
    """`(index, level)` of a neuron that fired, with the flags that end a position, step and sample.

    Every position ends with a mark: the flag `end_position` on its last event, or on a bare mark
    (level 0) where nothing fires after it. `end_step` and `end_sample` come with a mark only. With
    `tag_bits` a beat has a `tag` too, which goes with its sample.
    """

    def __init__(self, neurons: int, levels: int, tag_bits: int = 0):
        super().__init__(
            ({"tag": unsigned(tag_bits)} if tag_bits else {})
            | {
                "index": unsigned(index_bits(neurons)),
                "level": unsigned(levels.bit_length()),
                "end_position": unsigned(1),
                "end_step": unsigned(1),
                "end_sample": unsigned(1),
            }
        )


class Digit(data.StructLayout):
    """One digit of a replayed event: add or subtract weight row `row` of a window, shifted left by `shift`.

    With `flush` set nothing is added: the block's sums are complete and go to the drain.
    """

    def __init__(self, rows: int, shifts: int, windows: int = 1):
        super().__init__(
            {
                "row": unsigned(index_bits(rows)),
                "shift": unsigned(index_bits(shifts)),
                "window": unsigned(index_bits(windows)),
                "negative": unsigned(1),
                "flush": unsigned(1),
            }
        )


class Logit(data.StructLayout):
    """One class's logit; `winner` is the class of the largest so far, so the last beat has the argmax.

    `ticket` adds fields that go with the sample.
    """

    def __init__(self, classes: int, bits: int, ticket: data.StructLayout | None = None):
        super().__init__(
            ({} if ticket is None else dict(ticket.members))
            | {
                "logit": signed(bits),
                "index": unsigned(index_bits(classes)),
                "winner": unsigned(index_bits(classes)),
                "last": unsigned(1),
            }
        )


def connect(m: Module, source: Stream, sink: Stream) -> None:
    """Connect two streams whose payloads have the same shape, signedness and fields included.

    Raises
    ------
    InputError
        If the shapes differ (`wiring.connect` compares widths only).
    """
    ours, theirs = _shape(source), _shape(sink)
    if ours != theirs:
        raise InputError(f"Stream payloads must have one shape to be connected, not {ours!r} and {theirs!r}")
    wiring.connect(m, source, sink)


def _shape(interface: Stream) -> ShapeLike:
    shape: ShapeLike = interface.signature.members["payload"].shape
    return shape

"""Stream shapes, the shape-checked connect, and the bench the other tests lean on."""

import pytest
from amaranth.hdl import Module, Shape, signed
from amaranth.lib import stream, wiring
from amaranth.lib.fifo import SyncFIFOBuffered
from amaranth.lib.wiring import In, Out
from stream_bench import STALLS, pack, stream_run, unpack

from spikefold.errors import InputError
from spikefold_hw.streams import Digit, Event, Logit, connect, index_bits


class Fifo(wiring.Component):
    """A known good stream component, and with a defect a known bad one."""

    i: In(stream.Signature(8))
    o: Out(stream.Signature(8))

    def __init__(self, defect=None):
        self._defect = defect
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.submodules.fifo = fifo = SyncFIFOBuffered(width=8, depth=4)
        m.d.comb += [
            fifo.w_data.eq(self.i.payload),
            fifo.w_en.eq(self.i.valid),
            self.i.ready.eq(fifo.w_rdy),
            self.o.payload.eq(fifo.r_data),
            self.o.valid.eq(fifo.r_rdy),
            fifo.r_en.eq(self.o.ready),
        ]
        if self._defect == "changes":
            m.d.comb += self.o.payload.eq(fifo.r_data ^ fifo.w_level)
        if self._defect == "takes back":
            m.d.comb += self.o.valid.eq(fifo.r_rdy & self.i.valid)
        if self._defect == "loses":
            m.d.comb += fifo.w_en.eq(self.i.valid & (self.i.payload != 7))
        if self._defect == "repeats":
            m.d.comb += fifo.r_en.eq(self.o.ready & (fifo.r_data != 7))
        if self._defect == "waits for ready":
            m.d.comb += self.o.valid.eq(fifo.r_rdy & self.o.ready)
        return m


@pytest.mark.parametrize("stalls", STALLS)
def test_bench_passes_a_fifo(stalls):
    record = stream_run(Fifo(), range(100), 100, stalls=stalls)
    assert record.beats == list(range(100))
    if stalls == (0, 0):
        assert record.taken == list(range(100))


@pytest.mark.parametrize(
    ("defect", "eager", "message"),
    [
        ("changes", True, "a waiting beat changed"),
        ("takes back", True, "a beat was taken back"),
        ("loses", True, "stuck after 99 of 100 beats"),
        ("repeats", True, "more than 100 beats"),
        ("waits for ready", False, "stuck after 0 of 100 beats"),
    ],
)
def test_bench_catches_a_defect(defect, eager, message):
    with pytest.raises(AssertionError, match=message):
        stream_run(Fifo(defect), range(100), 100, stalls=(0.5, 0.5), eager=eager)


def test_bench_passes_a_fifo_to_a_sink_that_waits():
    assert stream_run(Fifo(), range(20), 20, eager=False).beats == list(range(20))


@pytest.mark.parametrize(("count", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (784, 10), (1024, 10)])
def test_index_bits_are_at_least_one(count, bits):
    assert index_bits(count) == bits


@pytest.mark.parametrize(
    ("shape", "widths"),
    [
        (Event(784, 16), {"index": 10, "level": 5, "end_position": 1, "end_step": 1, "end_sample": 1}),
        (Event(1, 1), {"index": 1, "level": 1, "end_position": 1, "end_step": 1, "end_sample": 1}),
        (Digit(3136, 5, 3), {"row": 12, "shift": 3, "window": 2, "negative": 1, "flush": 1}),
        (Digit(1, 1), {"row": 1, "shift": 1, "window": 1, "negative": 1, "flush": 1}),
        (Logit(10, 14), {"logit": 14, "index": 4, "winner": 4, "last": 1}),
    ],
)
def test_fields_of_payloads(shape, widths):
    assert {name: Shape.cast(field.shape).width for name, field in shape} == widths


def test_logits_are_signed():
    assert unpack(pack({"logit": -3, "winner": 2}, Logit(3, 5)), Logit(3, 5)) == {
        "logit": -3,
        "index": 0,
        "winner": 2,
        "last": 0,
    }


def streams_of(source, sink):
    return stream.Signature(source).create(), stream.Signature(sink).flip().create()


@pytest.mark.usefixtures("not_elaborated")
@pytest.mark.parametrize(
    ("source", "sink"),
    [
        (8, signed(8)),
        (8, 9),
        (Event(4, 4), Event(5, 4)),
        (Event(4, 4), Event(4, 3)),
        (Digit(16, 2), 8),
        (Logit(8, 8), Logit(8, 9)),
    ],
)
def test_connect_refuses_different_shapes(source, sink):
    with pytest.raises(
        InputError, match=r"^Stream payloads must have one shape to be connected, not .+ and .+$"
    ):
        connect(Module(), *streams_of(source, sink))


@pytest.mark.usefixtures("not_elaborated")
@pytest.mark.parametrize("shape", [8, signed(8), Event(4, 4), Logit(3, 9)])
def test_connect_joins_equal_shapes(shape):
    connect(Module(), *streams_of(shape, shape))

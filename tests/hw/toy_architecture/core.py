"""The gateware of the toy."""

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold_hw.parts.memory import Rom
from spikefold_hw.streams import Event, Logit


class ToyCore(wiring.Component):
    """One event at a time; its row of weights is added once for every unit of its level."""

    def __init__(self, plan, contents=None):
        self._plan, self._contents = plan, contents
        event, logit = Event(plan.inputs, plan.levels), Logit(plan.classes, plan.sum_bits)
        super().__init__({"i": In(stream.Signature(event)), "o": Out(stream.Signature(logit))})

    def elaborate(self, platform):
        plan, m = self._plan, Module()
        name, rows = f"{plan.name}_rows", plan.inputs + 1
        m.submodules.rows = memory = Rom(name, plan.classes * plan.weight_bits, rows, self._contents)
        read, event = memory.read_port(), self.i.payload
        sums = Array(Signal(signed(plan.sum_bits), name=f"sum{k}") for k in range(plan.classes))
        left, ends = Signal.like(event.level), Signal()
        m.d.comb += read.en.eq(0)  # a port reads unless it is told not to

        def add():
            for k, total in enumerate(sums):
                weight = read.data.word_select(k, plan.weight_bits).as_signed()
                m.d.sync += total.eq(total + weight)

        with m.FSM():
            with m.State("TAKE"):
                m.d.comb += [self.i.ready.eq(1), read.addr.eq(event.index), read.en.eq(1)]
                with m.If(self.i.valid):
                    m.d.sync += [left.eq(event.level), ends.eq(event.end_sample)]
                    with m.If(event.level != 0):
                        m.next = "ADD"
                    with m.Elif(event.end_sample):
                        m.next = "FETCH"
            with m.State("ADD"):
                add()
                m.d.sync += left.eq(left - 1)
                with m.If(left == 1):
                    with m.If(ends):
                        m.next = "FETCH"
                    with m.Else():
                        m.next = "TAKE"
            with m.State("FETCH"):
                m.d.comb += [read.addr.eq(plan.inputs), read.en.eq(1)]
                m.next = "BIAS"
            with m.State("BIAS"):
                add()
                m.next = "SEND"
            with m.State("SEND"):
                self._send(m, sums)
        return m

    def _send(self, m, sums):
        logit = self.o.payload
        place, best = Signal.like(logit.index), Signal.like(logit.logit)
        winner = Signal.like(logit.winner)
        larger = (place == 0) | (sums[place] > best)
        m.d.comb += [
            self.o.valid.eq(1),
            logit.logit.eq(sums[place]),
            logit.index.eq(place),
            logit.winner.eq(Mux(larger, place, winner)),
            logit.last.eq(place == self._plan.classes - 1),
        ]
        with m.If(self.o.ready):
            m.d.sync += [place.eq(place + 1), winner.eq(logit.winner)]
            m.d.sync += best.eq(Mux(larger, sums[place], best))
            with m.If(logit.last):
                m.d.sync += place.eq(0)
                m.d.sync += [total.eq(0) for total in sums]
                m.next = "TAKE"

"""A toy network: a layer that passes events on through a register, and a readout that sums them.

Events of neuron `FAULTY` make the layer misbehave, their level says how; so one build serves every fault.
"""

import numpy as np
from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold_sim.ports import EventFormat, Ports, Probe, ResultFormat

NEURONS, FAULTY, CLASSES = 15, 0, 3
DROP, DUPLICATE, UNSTABLE, HANG, WRONG, FLAGS, RANGE = range(1, 8)

EVENT = data.StructLayout({"index": 4, "level": 3, "end_position": 1, "end_step": 1, "end_sample": 1})
RESULT = data.StructLayout({"logit": signed(12), "index": 2, "winner": 2, "last": 1})

FORMAT = EventFormat(index_bits=4, level_bits=3)
PORTS = Ports(
    top="toy_top",
    stimulus=FORMAT,
    result=ResultFormat(logit_bits=12, class_bits=2, classes=CLASSES),
    probes=(Probe("hidden", "core.probe_hidden", FORMAT),),
    counters=("cycles", "events"),
)

TOP_VERILOG = """
module toy_top(
  input clk, input rst, input counter_select, output [31:0] counter_value,
  input i__valid, output i__ready, input [3:0] i__payload__index, input [2:0] i__payload__level,
  input i__payload__end_position, input i__payload__end_step, input i__payload__end_sample,
  output o__valid, input o__ready, output signed [11:0] o__payload__logit, output [1:0] o__payload__index,
  output [1:0] o__payload__winner, output o__payload__last
);
  toy_core core(
    .clk(clk), .rst(rst), .counter_select(counter_select), .counter_value(counter_value),
    .i__valid(i__valid), .i__ready(i__ready), .o__valid(o__valid), .o__ready(o__ready),
    .i__payload({i__payload__end_sample, i__payload__end_step, i__payload__end_position,
                 i__payload__level, i__payload__index}),
    .o__payload({o__payload__last, o__payload__winner, o__payload__index, o__payload__logit})
  );
endmodule
"""


def golden(levels):
    """Levels [samples, steps, neurons] -> what the layer passes on, logits [samples, classes]."""
    sums = levels.sum(axis=1)
    neuron, label = np.meshgrid(np.arange(NEURONS), np.arange(CLASSES), indexing="ij")
    return levels, sums @ np.where((neuron + label) % 2, -1, 1)


def random_levels(samples, steps=2, seed=0):
    """Sparse levels without faults; some steps are silent."""
    generator = np.random.default_rng(seed)
    levels = generator.integers(0, 8, (samples, steps, NEURONS)) * (
        generator.random((samples, steps, NEURONS)) < 0.3
    )
    levels[:, :, FAULTY] = 0
    levels[generator.random((samples, steps)) < 0.2] = 0
    return levels


class ToyLayer(wiring.Component):
    i: In(stream.Signature(EVENT))
    o: Out(stream.Signature(EVENT))

    def elaborate(self, platform):
        m = Module()
        full, again, shaky, dead = Signal(), Signal(), Signal(), Signal()
        p, q = self.i.payload, self.o.payload
        fault = Mux(p.index == FAULTY, p.level, 0)
        m.d.comb += [
            self.o.valid.eq(full & ~dead),
            self.i.ready.eq((~full | (self.o.ready & ~again)) & ~dead),
        ]
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += [full.eq(again), again.eq(0), shaky.eq(0)]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                full.eq(fault != DROP),
                again.eq(fault == DUPLICATE),
                shaky.eq(fault == UNSTABLE),
                dead.eq(fault == HANG),
                q.eq(p),
            ]
            with m.Switch(fault):
                with m.Case(WRONG):
                    m.d.sync += q.level.eq(p.level ^ 1)
                with m.Case(FLAGS):
                    m.d.sync += q.end_step.eq(~p.end_step)
                with m.Case(RANGE):
                    m.d.sync += q.index.eq(15)
        with m.If(shaky & self.o.valid & ~self.o.ready):
            m.d.sync += q.level.eq(q.level ^ 1)
        return m


class ToyTop(wiring.Component):
    i: In(stream.Signature(EVENT))
    o: Out(stream.Signature(RESULT))
    counter_select: In(unsigned(1))
    counter_value: Out(unsigned(32))

    def __init__(self):
        super().__init__()
        self.layer0 = ToyLayer()

    def elaborate(self, platform):
        m = Module()
        m.submodules.layer0 = layer = self.layer0
        wiring.connect(m, wiring.flipped(self.i), layer.i)
        logits = Array(Signal(signed(12), name=f"logit_{k}") for k in range(CLASSES))
        best, winner, index, full = Signal(signed(12)), Signal(2), Signal(2), Signal()
        event, result = layer.o.payload, self.o.payload
        value = Cat(layer.o.payload, layer.o.valid, layer.o.ready)
        probe = Signal(len(value), name="probe_hidden")
        m.d.comb += probe.eq(value)
        better = (index == 0) | (logits[index] > best)
        m.d.comb += [
            layer.o.ready.eq(~full),
            self.o.valid.eq(full),
            result.logit.eq(logits[index]),
            result.index.eq(index),
            result.winner.eq(Mux(better, index, winner)),
            result.last.eq(index == CLASSES - 1),
        ]
        with m.If(layer.o.valid & layer.o.ready):
            for label, logit in enumerate(logits):
                odd = event.index[0] ^ (label & 1)
                m.d.sync += logit.eq(logit + Mux(odd, -event.level, event.level))
            m.d.sync += full.eq(event.end_sample)
        with m.If(self.o.valid & self.o.ready):
            m.d.sync += index.eq(index + 1)
            with m.If(better):
                m.d.sync += [best.eq(result.logit), winner.eq(index)]
            with m.If(result.last):
                m.d.sync += [index.eq(0), full.eq(0), *(logit.eq(0) for logit in logits)]
        cycles, events = Signal(32), Signal(32)
        m.d.sync += cycles.eq(cycles + 1)
        m.d.sync += events.eq(events + (layer.o.valid & layer.o.ready & event.level.any()))
        m.d.comb += self.counter_value.eq(Mux(self.counter_select, events, cycles))
        return m

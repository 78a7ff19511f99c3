"""A toy network: a layer that passes events on through a register, and a readout that sums them.

Its streams are those of a map of 2x3 positions and two steps; nothing in it counts positions or steps, so
streams of other shapes pass as well. Events of channel `FAULTY` make the layer misbehave, their level says
how; so one build serves every fault. `LOADABLE` is the same with one byte per class to load, a bias; made
`early`, it takes samples before.
"""

import dataclasses

import numpy as np
from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.flow.ports import EventFormat, Ports, Probe, ResultFormat
from spikefold.ir.maps import Map
from spikefold_hw.emit.core import core_verilog
from spikefold_hw.emit.memories import VerilogPlatform
from spikefold_hw.order import Time
from spikefold_sim.beats import StreamShape

CHANNELS, FAULTY, CLASSES, STEPS = 15, 0, 3, 2
SHAPE = StreamShape(Map(CHANNELS, 2, 3), Time(STEPS, "position_major"))
DROP, DUPLICATE, UNSTABLE, HANG, WRONG, FLAGS, RANGE, MARK, SAMPLE = range(1, 10)

EVENT = data.StructLayout({"index": 4, "level": 4, "end_position": 1, "end_step": 1, "end_sample": 1})
RESULT = data.StructLayout({"logit": signed(12), "index": 2, "winner": 2, "last": 1})

FORMAT = EventFormat(index_bits=4, level_bits=4)
PORTS = Ports(
    stimulus=FORMAT,
    result=ResultFormat(logit_bits=12, class_bits=2, classes=CLASSES),
    probes=(Probe("hidden", "core.probe_hidden", FORMAT),),
    counters=("cycles", "events"),
)
LOADABLE = dataclasses.replace(PORTS, load=True)

TOP_VERILOG = """
module {name}_top(
  {pins}input clk, input rst, input counter_select, output [31:0] counter_value,
  input i__valid, output i__ready, input [3:0] i__payload__index, input [3:0] i__payload__level,
  input i__payload__end_position, input i__payload__end_step, input i__payload__end_sample,
  output o__valid, input o__ready, output signed [11:0] o__payload__logit, output [1:0] o__payload__index,
  output [1:0] o__payload__winner, output o__payload__last
);
  {name}_core core(
    {joins}.clk(clk), .rst(rst), .counter_select(counter_select), .counter_value(counter_value),
    .i__valid(i__valid), .i__ready(i__ready), .o__valid(o__valid), .o__ready(o__ready),
    .i__payload({{i__payload__end_sample, i__payload__end_step, i__payload__end_position,
                 i__payload__level, i__payload__index}}),
    .o__payload({{o__payload__last, o__payload__winner, o__payload__index, o__payload__logit}})
  );
endmodule
"""
LOAD_PINS = "input load__valid, output load__ready, input [7:0] load__payload, output loaded,\n  "
LOAD_JOINS = "".join(f".{pin}({pin}), " for pin in ("load__valid", "load__ready", "load__payload", "loaded"))


def toy_verilog(load=False, early=False):
    """Verilog of the toy, top module and core."""
    name = "loadable" if load else "toy"
    pins, joins = (LOAD_PINS, LOAD_JOINS) if load else ("", "")
    top = TOP_VERILOG.format(name=name, pins=pins, joins=joins)
    return top + core_verilog(ToyTop(load, early), VerilogPlatform(), f"{name}_core")


def golden(levels, biases=(0,) * CLASSES):
    """Levels (samples, steps, channels, ..) -> what the layer passes on, logits (samples, classes)."""
    sums = np.moveaxis(levels, 2, -1).reshape(len(levels), -1, CHANNELS).sum(axis=1)
    channel, label = np.meshgrid(np.arange(CHANNELS), np.arange(CLASSES), indexing="ij")
    return levels, sums @ np.where((channel + label) % 2, -1, 1) + biases


def random_levels(samples, shape=SHAPE, seed=0):
    """Sparse levels without faults; some cells, and one sample, are silent."""
    generator = np.random.default_rng(seed)
    size = (samples, *shape.levels_shape)
    levels = generator.integers(0, 16, size) * (generator.random(size) < 0.2)
    levels[:, :, FAULTY] = 0
    levels *= generator.random((samples, shape.steps, 1, *shape.map[1:])) > 0.2
    levels[samples // 2] = 0
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
                with m.Case(MARK):
                    m.d.sync += q.end_position.eq(~p.end_position)
                with m.Case(SAMPLE):
                    m.d.sync += q.end_sample.eq(~p.end_sample)
                with m.Case(RANGE):
                    m.d.sync += q.index.eq(15)
        with m.If(shaky & self.o.valid & ~self.o.ready):
            m.d.sync += q.level.eq(q.level ^ 1)
        return m


class ToyTop(wiring.Component):
    def __init__(self, load=False, early=False):
        members = {"load": In(stream.Signature(8)), "loaded": Out(1)} if load else {}
        super().__init__(
            {
                "i": In(stream.Signature(EVENT)),
                "o": Out(stream.Signature(RESULT)),
                "counter_select": In(1),
                "counter_value": Out(32),
                **members,
            }
        )
        self.layer0 = ToyLayer()
        self.loads, self.early = load, early

    def elaborate(self, platform):
        m = Module()
        m.submodules.layer0 = layer = self.layer0
        biases = self._load(m) if self.loads else [0] * CLASSES
        ready = 1 if self.early or not self.loads else self.loaded
        m.d.comb += [
            layer.i.payload.eq(self.i.payload),
            layer.i.valid.eq(self.i.valid & ready),
            self.i.ready.eq(layer.i.ready & ready),
        ]
        logits = Array(Signal(signed(12), name=f"logit_{k}") for k in range(CLASSES))
        best, winner, index, full = Signal(signed(12)), Signal(2), Signal(2), Signal()
        event, result = layer.o.payload, self.o.payload
        value = Cat(layer.o.payload, layer.o.valid, layer.o.ready)
        probe = Signal(len(value), name="probe_hidden", attrs={"keep": 1})
        m.d.comb += probe.eq(value)
        better = (index == 0) | (result.logit > best)
        m.d.comb += [
            layer.o.ready.eq(~full),
            self.o.valid.eq(full),
            result.logit.eq(logits[index] + Array(biases)[index]),
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

    def _load(self, m):
        """One signed byte per class."""
        biases = Array(Signal(signed(8), name=f"bias_{k}") for k in range(CLASSES))
        count = Signal(range(CLASSES + 1))
        m.d.comb += [self.loaded.eq(count == CLASSES), self.load.ready.eq(~self.loaded)]
        with m.If(self.load.valid & self.load.ready):
            m.d.sync += [biases[count].eq(self.load.payload), count.eq(count + 1)]
        return biases


def contents(observation):
    """Everything but wall time and the simulator's name, as plain values."""
    log = observation.events["hidden"]
    return {
        "results": observation.results.tolist(),
        "result cycles": observation.result_beat_cycles.tolist(),
        "beats": log.beats.tolist(),
        "beat cycles": log.cycles.tolist(),
        "starts": observation.start_cycles.tolist(),
        "cycles": observation.cycles,
        "counters": dict(observation.counters),
    }

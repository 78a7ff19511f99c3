"""Runs on Amaranth's own simulator: no Verilog, no tools, slow; the same test bench.

The harness of `wrapper.py` is built here once more, in Amaranth.
"""

import time
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np
from amaranth.hdl import Cat, ClockDomain, Const, Elaboratable, Module, Signal, Value
from amaranth.lib import stream
from amaranth.sim import Simulator
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold.flow.ports import EventFormat, Ports, Probe, ResultFormat
from spikefold_sim.cocotb_engine import Progress
from spikefold_sim.observation import TAIL, WATCHDOG, Observation, make_plan, observe
from spikefold_sim.runlog import RunLog
from spikefold_sim.stalls import Stalls
from spikefold_sim.traffic import run_traffic


class AmaranthEngine:
    """An Amaranth component in Amaranth's simulator.

    Parameters
    ----------
    component
        The design; `i` and `o` are its streams, counters are read at `counter_select` and
        `counter_value`, memories are loaded through `load` until `loaded`. A run elaborates it, so it
        serves one run.
    streams
        The stream of each probe, by the probe's name.
    ports
        Its interface.
    progress
        Told how far a run is.

    Raises
    ------
    InputError
        A probe's stream is missing, or a payload is packed otherwise than `ports` says.
    """

    def __init__(
        self, component: Any, streams: Mapping[str, Any], ports: Ports, progress: Progress | None = None
    ) -> None:
        self._harness = _Harness(component, streams, ports)
        self._ports = ports
        self._progress = progress

    @property
    def simulator(self) -> str:
        """Name and version of the simulator."""
        return f"amaranth {metadata.version('amaranth')}"

    def run(
        self,
        beats: NDArray[np.void],
        stalls: Stalls | None = None,
        watchdog: int = WATCHDOG,
        tail: int = TAIL,
        load: bytes = b"",
    ) -> Observation:
        """Stream beats (array of `ports.BEAT`) through the design; parameters as for `CocotbEngine.run`.

        Raises
        ------
        InputError
            As for `CocotbEngine.run`.
        HangError, ProtocolError
            See `observation`.
        """
        ports = self._ports
        plan = make_plan(ports, beats, stalls or Stalls(), watchdog, tail, load)
        logs: list[RunLog] = []

        async def bench(context: Any) -> None:
            bus = _AmaranthBus(context, self._harness, plan.samples, self._progress)
            logs.append(await run_traffic(bus, plan, ports.stimulus.bits, ports.result.bits))

        simulator: Any = Simulator(self._harness)  # some of its methods have no types
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        start = time.perf_counter()
        simulator.run()
        return observe(ports, plan, logs[0], time.perf_counter() - start, self.simulator)


class _Harness(Elaboratable):
    def __init__(self, component: Any, streams: Mapping[str, Any], ports: Ports) -> None:
        self.component = component
        self.ports = ports
        self.domain: Any = ClockDomain("sync")  # its signals have no types
        self.beat = Signal(ports.stimulus.bits + 1)
        self.byte = Signal(9)
        self.ready = Signal()
        self.select = Signal(16)
        self.broken = Signal(len(ports.streams))
        self.load = component.load if ports.load else stream.Signature(8).create()
        self.loaded = component.loaded if ports.load else Const(1)
        probes = [_stream(streams, probe) for probe in ports.probes]
        self.events = [_payload(s, p.format) for s, p in zip(probes, ports.probes, strict=True)]
        self.word = _payload(component.o, ports.result)
        self.watched = [component.o, *probes]
        pairs = [Cat(each.valid, each.ready) for each in (component.i, self.load, *self.watched)]
        self.handshakes = Cat(pairs)
        fired = Cat(pair.all() for pair in pairs[3:])
        self.status = Cat(component.i.ready, component.o.valid, self.broken.any(), self.load.ready, fired)
        self.counter = component.counter_value if ports.counters else Value.cast(0)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = self.domain
        m.submodules.dut = self.component
        payload = Value.cast(self.component.i.payload)
        m.d.comb += Cat(payload, self.component.i.valid).eq(self.beat)
        m.d.comb += Cat(self.load.payload, self.load.valid).eq(self.byte)
        m.d.comb += self.component.o.ready.eq(self.ready)
        if self.ports.counters:
            m.d.comb += self.component.counter_select.eq(self.select)
        with m.If(self.component.i.ready & ~self.loaded):
            m.d.sync += self.broken[0].eq(1)
        for bit, (each, word) in enumerate(zip(self.watched, [self.word, *self.events], strict=True), 2):
            waits, kept = Signal(name=f"waits_{bit}"), Signal(len(word), name=f"kept_{bit}")
            m.d.sync += [waits.eq(each.valid & ~each.ready), kept.eq(word)]
            with m.If(waits & (~each.valid | (kept != word))):
                m.d.sync += self.broken[bit].eq(1)
        return m


class _AmaranthBus:
    """`traffic.Bus` on a testbench context."""

    def __init__(self, context: Any, harness: _Harness, samples: int, progress: Progress | None) -> None:
        self._context, self._harness = context, harness
        self._samples, self._progress = samples, progress
        values = (harness.status, harness.word, harness.handshakes, harness.broken, harness.counter)
        self._trigger = context.tick().sample(*values, *harness.events)
        self._sampled: list[int] = []

    async def tick(self) -> int:
        _, _, *self._sampled = await self._trigger
        return self._sampled[0]

    def reset(self, value: int) -> None:
        self._context.set(self._harness.domain.rst, value)

    def offer(self, beat: int) -> None:
        self._context.set(self._harness.beat, beat)

    def load(self, byte: int) -> None:
        self._context.set(self._harness.byte, byte)

    def accept(self, ready: int) -> None:
        self._context.set(self._harness.ready, ready)

    def result(self) -> int:
        return self._sampled[1]

    def event(self, probe: int) -> int:
        return self._sampled[5 + probe]

    def streams(self) -> int:
        return self._sampled[2]

    def broken(self) -> int:
        return self._sampled[3]

    def select(self, counter: int) -> None:
        self._context.set(self._harness.select, counter)

    def counter(self) -> int:
        return self._sampled[4]

    def report(self, done: int) -> None:
        if self._progress:
            self._progress(done, self._samples)


def _stream(streams: Mapping[str, Any], probe: Probe) -> Any:
    if probe.name not in streams:
        raise InputError(f"Probed stream must be one of {sorted(streams)!r}, not {probe.name!r}")
    return streams[probe.name]


def _payload(source: Any, format: EventFormat | ResultFormat) -> Value:  # noqa: A002
    """The payload as one word."""
    widths = {name: Value.cast(getattr(source.payload, name)).shape().width for name, _ in format.fields}
    if tuple(widths.items()) != format.fields:
        raise InputError(f"Payload must be packed as {format.fields!r}, not {tuple(widths.items())!r}")
    return Value.cast(source.payload)

"""Runs on Amaranth's own simulator: no Verilog, no tools, slow; the same test bench.

The harness of `wrapper.py` is built here once more, in Amaranth.
"""

import time
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np
from amaranth.hdl import Cat, ClockDomain, Elaboratable, Module, Signal, Value
from amaranth.sim import Simulator
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold_sim.cocotb_engine import Progress
from spikefold_sim.observation import DRAIN, WATCHDOG, Observation, make_plan, observe
from spikefold_sim.ports import EventFormat, Ports, Probe, ResultFormat
from spikefold_sim.runlog import RunLog
from spikefold_sim.stalls import Stalls
from spikefold_sim.traffic import run_traffic


class AmaranthEngine:
    """An Amaranth component in Amaranth's simulator.

    Parameters
    ----------
    component
        The design; `i` and `o` are its streams, counters are read at `counter_select` and
        `counter_value`. A run elaborates it, so it serves one run.
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
        drain: int = DRAIN,
    ) -> Observation:
        """Stream beats (array of `ports.BEAT`) through the design; parameters as for `CocotbEngine.run`.

        Raises
        ------
        InputError
            The beats do not fit the input stream.
        HangError, ProtocolError
            See `observation`.
        """
        ports = self._ports
        plan = make_plan(ports, beats, stalls or Stalls(), watchdog, drain)
        logs: list[RunLog] = []

        async def bench(context: Any) -> None:
            bus = _AmaranthBus(context, self._harness, plan.samples, self._progress)
            logs.append(await run_traffic(bus, plan, ports.stimulus.bits, ports.result.bits))

        simulator = Simulator(self._harness)
        simulator.add_clock(1e-6)
        simulator.add_testbench(bench)
        start = time.perf_counter()
        simulator.run()
        return observe(ports, plan, logs[0], time.perf_counter() - start, self.simulator)


class _Harness(Elaboratable):
    def __init__(self, component: Any, streams: Mapping[str, Any], ports: Ports) -> None:
        self.component = component
        self.ports = ports
        self.domain = ClockDomain("sync")
        self.beat = Signal(ports.stimulus.bits + 1)
        self.ready = Signal()
        self.select = Signal(8)
        self.broken = Signal(len(ports.probes) + 1)
        self.streams = [_stream(streams, probe) for probe in ports.probes]
        self.events = [_payload(s, p.format) for s, p in zip(self.streams, ports.probes, strict=True)]
        self.word = _payload(component.o, ports.result)
        self.handshakes = Cat(Cat(stream.valid, stream.ready) for stream in self.streams)
        fired = Cat(stream.valid & stream.ready for stream in self.streams)
        self.status = Cat(component.i.ready, component.o.valid, self.broken.any(), fired)
        self.counter = component.counter_value if ports.counters else Value.cast(0)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.domains.sync = self.domain
        m.submodules.dut = self.component
        payload = Value.cast(self.component.i.payload)
        m.d.comb += Cat(payload, self.component.i.valid).eq(self.beat)
        m.d.comb += self.component.o.ready.eq(self.ready)
        if self.ports.counters:
            m.d.comb += self.component.counter_select.eq(self.select)
        pairs = zip([self.component.o, *self.streams], [self.word, *self.events], strict=True)
        for bit, (stream, word) in enumerate(pairs):
            waits, kept = Signal(name=f"waits_{bit}"), Signal(len(word), name=f"kept_{bit}")
            m.d.sync += [waits.eq(stream.valid & ~stream.ready), kept.eq(word)]
            with m.If(waits & (~stream.valid | (kept != word))):
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


def _payload(stream: Any, format: EventFormat | ResultFormat) -> Value:  # noqa: A002
    """The payload as one word."""
    widths = {name: Value.cast(getattr(stream.payload, name)).shape().width for name, _ in format.fields}
    if tuple(widths.items()) != format.fields:
        raise InputError(f"Payload must be packed as {format.fields!r}, not {tuple(widths.items())!r}")
    return Value.cast(stream.payload)

"""A bench for components with one input stream `i` and one output stream `o`.

It plays the source, which holds a beat until it is taken, and the sink, and holds the component to the
contract: an offered beat stays as it is until it is taken.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from amaranth.hdl import Shape, Value
from amaranth.lib import data, wiring
from amaranth.sim import Simulator

STALLS = ((0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.7, 0.7))
"""Probabilities that source and sink pause, as every stream component is tested."""

PATIENCE = 2000
"""Cycles without a transfer after which a run counts as stuck."""

Beat = Mapping[str, int] | int


@dataclass
class Record:
    """What a run saw: beats taken from `o`, the cycles of all transfers, and the strobes' counts."""

    beats: list = field(default_factory=list)
    taken: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    strobes: dict[str, int] = field(default_factory=dict)


def fields_of(layout: data.Layout) -> list[tuple[str, int, int, bool]]:
    """`(name, offset, width, signed)` of every field, nested ones by their own names."""
    found = []
    for name, member in layout:
        if isinstance(member.shape, data.Layout):
            nested = fields_of(member.shape)
            found += [(n, offset + member.offset, width, sign) for n, offset, width, sign in nested]
        else:
            shape = Shape.cast(member.shape)
            found.append((name, member.offset, shape.width, shape.signed))
    return found


def pack(beat: Beat, shape: object) -> int:
    """A beat as the bits of a payload; fields that are not named are 0."""
    if isinstance(beat, int):
        return beat & ((1 << Shape.cast(shape).width) - 1)
    word, fields = 0, {name: rest for name, *rest in fields_of(shape)}
    for name, value in beat.items():
        offset, width, sign = fields[name]
        low, high = (-(1 << (width - 1)), 1 << (width - 1)) if sign else (0, 1 << width)
        assert low <= value < high, f"{name} must be {low}..{high - 1}, not {value}"
        word |= (value & ((1 << width) - 1)) << offset
    return word


def unpack(word: int, shape: object) -> Beat:
    """The inverse of `pack`."""
    if not isinstance(shape, data.Layout):
        shape = Shape.cast(shape)
        return _number(word, 0, shape.width, shape.signed)
    return {name: _number(word, *rest) for name, *rest in fields_of(shape)}


def _number(word: int, offset: int, width: int, sign: bool) -> int:
    value = word >> offset & ((1 << width) - 1)
    return value - (1 << width) if sign and value >> (width - 1) else value


class Source:
    """Offers beats; between two it pauses, in every cycle with the given probability."""

    def __init__(self, beats: Iterable[int], pause: float, rng: np.random.Generator):
        self._beats = list(beats)
        self._pause = pause
        self._rng = rng
        self._next = 0
        self.offered: int | None = None

    def choose(self) -> int | None:
        """The beat on offer in the next cycle, or None."""
        if self.offered is None and not self.empty and self._rng.random() >= self._pause:
            self.offered = self._beats[self._next]
        return self.offered

    def taken(self) -> None:
        self.offered = None
        self._next += 1

    @property
    def empty(self) -> bool:
        return self._next == len(self._beats)


class Sink:
    """Is ready at random; an `eager=False` sink only in the cycle after it saw a beat."""

    def __init__(self, pause: float, eager: bool, rng: np.random.Generator):
        self._pause = pause
        self._eager = eager
        self._rng = rng
        self._seen = False

    def choose(self) -> bool:
        """Whether it is ready in the next cycle."""
        return self._rng.random() >= self._pause and (self._eager or self._seen)

    def saw(self, valid: bool, ready: bool) -> None:
        self._seen = valid and not ready


def stream_run(
    dut: wiring.Component,
    beats: Sequence[Beat],
    expected: int,
    *,
    stalls: tuple[float, float] = (0.0, 0.0),
    seed: int = 0,
    eager: bool = True,
    strobes: Sequence[str] = (),
    tail: int = 30,
) -> Record:
    """Run until all beats are taken and `expected` have left, then for `tail` cycles more."""
    rng = np.random.default_rng(seed)
    shapes = [interface.signature.members["payload"].shape for interface in (dut.i, dut.o)]
    source = Source([pack(beat, shapes[0]) for beat in beats], stalls[0], rng)
    sink = Sink(stalls[1], eager, rng)
    record = Record(strobes=dict.fromkeys(strobes, 0))
    watched = [dut.i.ready, dut.o.valid, Value.cast(dut.o.payload), *(getattr(dut, s) for s in strobes)]

    async def bench(ctx):
        cycle, last, held = 0, 0, None
        while cycle - last <= tail or not source.empty or len(record.left) < expected:
            assert cycle - last <= PATIENCE, f"stuck after {len(record.left)} of {expected} beats"
            offered, ready = source.choose(), sink.choose()
            ctx.set(dut.i.valid, offered is not None)
            if offered is not None:
                ctx.set(Value.cast(dut.i.payload), offered)
            ctx.set(dut.o.ready, ready)
            _, _, accepts, valid, payload, *strobed = await ctx.tick().sample(*watched)
            if held is not None:
                assert valid, f"cycle {cycle}: a beat was taken back"
                assert payload == held, f"cycle {cycle}: a waiting beat changed"
            held = payload if valid and not ready else None
            sink.saw(bool(valid), ready)
            if offered is not None and accepts:
                source.taken()
                record.taken.append(cycle)
                last = cycle
            if valid and ready:
                record.beats.append(unpack(payload, shapes[1]))
                record.left.append(cycle)
                last = cycle
                assert len(record.left) <= expected, f"more than {expected} beats"
            for name, value in zip(strobes, strobed, strict=True):
                record.strobes[name] += value
            cycle += 1

    simulate(dut, bench)
    return record


def simulate(dut: wiring.Component, *benches: Callable) -> None:
    """Run benches to their end in Amaranth's simulator."""
    simulator = Simulator(dut)
    simulator.add_clock(1e-6)
    for bench in benches:
        simulator.add_testbench(bench)
    simulator.run()


def event_beats(positions: np.ndarray, *, style: str = "riding", steps: int = 1) -> list[dict[str, int]]:
    """Events of positions, (positions, neurons); `steps` positions make a sample.

    The mark rides on the last event ("riding"), or comes by itself after it ("bare"); a position
    without events always sends it bare.
    """
    beats: list[dict[str, int]] = []
    for k, levels in enumerate(positions):
        events = [{"index": int(i), "level": int(levels[i])} for i in levels.nonzero()[0]]
        if style == "bare" or not events:
            events.append({"index": 0, "level": 0})
        events[-1] |= {"end_position": 1, "end_step": 1, "end_sample": int(k % steps == steps - 1)}
        beats += events
    return beats

"""EventBuffer: every window is replayed whole, as often as it must, under any stalls."""

import pytest
from amaranth.hdl import Cat, Mux, Signal
from beats import accept, moves_on, offer
from faults import FAULTS, Faulty, fault_cases
from memories import AnyMemories
from proof import Proof
from prover import prove, refute

from spikefold_hw.parts.shapes import WeightsShape
from spikefold_hw.streaming.window.event_buffer import EventBuffer


def buffer_proof(inputs, levels, replays, fault=None):
    """The prover picks a window and a place in it: every replay must bring its event, and end in time."""
    weights = WeightsShape(4, 1, inputs, levels, "binary")
    proof, dut = Proof(), Faulty(EventBuffer(weights, replays), fault)
    proof.m.submodules.dut = dut
    i, o = offer(proof, dut.i, "i"), accept(proof, dut.o, "o")
    window = _Window(proof, i, inputs)
    replay = _Replay(proof, o, inputs, replays)
    whole, picked, ahead = Signal(range(5)), Signal(), Signal(range(5), reset_less=True)
    turn = Signal()
    proof.m.d.comb += turn.eq(picked & (ahead == 0))
    proof.m.d.sync += whole.eq(whole + window.ends - replay.ends)
    with proof.m.If(window.picks):
        proof.m.d.sync += [picked.eq(1), ahead.eq(whole - replay.ends)]
    with proof.m.Elif(replay.ends & picked):
        proof.m.d.sync += [ahead.eq(ahead - 1), picked.eq(ahead != 0)]
    for name, value in (("whole", whole), ("turn", turn), ("place", window.place), ("count", window.count)):
        proof.show(name, value)
    slot, its = o.payload, o.moves & turn
    seen = Cat(slot.event.index, slot.event.digits.pending)
    proof.check("two windows at most are kept, and one flush that leaves", whole <= 3)
    proof.check("only what is whole ends", ~(o.moves & slot.flush) | (whole != 0))
    proof.check("a window is whole at its end", ~(its & slot.flush) | window.known)
    event = its & ~slot.flush
    proof.check(
        "an event comes as it was", ~(event & (replay.place == window.place)) | (seen == window.event)
    )
    proof.check("no event comes that was not", ~event | (replay.place < window.count))
    proof.check("no event is missing", ~(its & slot.flush) | (replay.place == window.count))
    moves_on(proof, whole != 0, o.ready, o.moves, 4, "o")
    moves_on(proof, i.valid, o.ready, i.moves, (inputs + 1) * replays + 5, "i")
    return proof


class _Window:
    """The window that is picked: its events so far, whether these are all, and the one at a place."""

    def __init__(self, proof, i, inputs):
        m, beat, pick = proof.m, i.payload, proof.free(1, "pick")
        self.place = proof.constant(range(inputs), "place")
        self.event = Signal(len(beat.index) + len(beat.level), reset_less=True)
        self.count, self.known, self.picks = Signal(range(inputs + 2)), Signal(), Signal()
        self.ends = i.moves & beat.end_position
        stored, inside, done, mine = (i.moves & (beat.level != 0)), Signal(), Signal(), Signal()
        count, total, current = (Signal.like(self.count) for _ in range(3))
        m.d.comb += [
            self.picks.eq(i.moves & ~inside & pick & ~done),
            total.eq(count + stored),
            current.eq(self.picks | mine),
        ]
        proof.assume(total <= inputs)
        with m.If(i.moves):
            m.d.sync += [inside.eq(~beat.end_position), count.eq(Mux(beat.end_position, 0, total))]
            m.d.sync += [done.eq(done | self.picks), mine.eq(current & ~beat.end_position)]
        with m.If(current & stored & (count == self.place)):
            m.d.sync += self.event.eq(Cat(beat.index, beat.level))
        with m.If(current & i.moves):
            m.d.sync += [self.count.eq(total), self.known.eq(beat.end_position)]


class _Replay:
    """Where in a window the slots that leave are."""

    def __init__(self, proof, o, inputs, replays):
        m, flushes = proof.m, Signal(range(replays))
        self.place, self.ends = Signal(range(inputs + 2)), Signal()
        flushed = o.moves & o.payload.flush
        m.d.comb += self.ends.eq(flushed & (flushes == replays - 1))
        with m.If(flushed):
            m.d.sync += [self.place.eq(0), flushes.eq(Mux(self.ends, 0, flushes + 1))]
        with m.Elif(o.moves & (self.place <= inputs)):
            m.d.sync += self.place.eq(self.place + 1)
        proof.show("replay", flushes)
        proof.show("replay_place", self.place)


@pytest.mark.parametrize(
    ("inputs", "levels", "replays"),
    [
        (1, 1, 1),
        (2, 1, 2),
        pytest.param(3, 2, 1, marks=pytest.mark.slow),
        pytest.param(3, 3, 3, marks=pytest.mark.slow),
        pytest.param(4, 3, 2, marks=pytest.mark.slow),
    ],
)
def test_event_buffer(inputs, levels, replays):
    prove(buffer_proof(inputs, levels, replays), platform=AnyMemories())


@pytest.mark.parametrize("fault", fault_cases())
def test_a_fault_is_found(fault):
    refute(buffer_proof(2, 1, 1, fault), FAULTS[fault][2], platform=AnyMemories())

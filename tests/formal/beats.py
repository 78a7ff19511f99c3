"""What a stream component owes its neighbours, as checks: no beat lost, repeated, changed or taken back."""

from dataclasses import dataclass

from amaranth.hdl import Mux, Signal, Value
from amaranth.lib.stream import Interface
from proof import Proof


@dataclass(frozen=True)
class Beats:
    """One side of a component in a proof.

    Attributes
    ----------
    moves
        Strobe: a beat is handed over.
    payload
        It, as the stream has it.
    """

    moves: Value
    payload: Value
    valid: Value
    ready: Value

    @property
    def bits(self) -> Value:
        """The payload as a plain number."""
        return Value.cast(self.payload)


def offer(proof: Proof, stream: Interface, name: str) -> Beats:
    """Let any beats come at any time; one that is offered stays as it is until it is taken."""
    valid = proof.free(1, f"{name}_offered")
    payload = proof.free(len(Value.cast(stream.payload)), f"{name}_beat")
    proof.m.d.comb += [stream.valid.eq(valid), Value.cast(stream.payload).eq(payload)]
    proof.assume(_kept(proof, stream))
    return _side(proof, stream, name)


def accept(proof: Proof, stream: Interface, name: str, withdraws: bool = False) -> Beats:
    """Be ready at any time; check that a beat on offer stays as it is until it is taken.

    With `withdraws` it need not stay on offer, but it must be the same when it comes again.
    """
    proof.m.d.comb += stream.ready.eq(proof.free(1, f"{name}_accepted"))
    proof.check(f"{name} keeps its beat while stalled", _kept(proof, stream, withdraws))
    return _side(proof, stream, name)


def _side(proof: Proof, stream: Interface, name: str) -> Beats:
    for part, value in (("valid", stream.valid), ("ready", stream.ready), ("payload", stream.payload)):
        proof.show(f"{name}_{part}", value)
    return Beats(stream.valid & stream.ready, stream.payload, stream.valid, stream.ready)


def _kept(proof: Proof, stream: Interface, withdraws: bool = False) -> Value:
    """Whether a beat that waited in the cycle before is still on offer, unchanged."""
    payload = Value.cast(stream.payload)
    waits, before = Signal(), Signal(len(payload), reset_less=True)
    waited = waits & ~stream.valid if withdraws else 0
    proof.m.d.sync += [waits.eq((stream.valid & ~stream.ready) | waited), before.eq(payload)]
    if withdraws:
        with proof.m.If(waited):
            proof.m.d.sync += before.eq(before)
        return ~waits | ~stream.valid | (payload == before)
    return ~waits | (stream.valid & (payload == before))


def in_order(
    proof: Proof,
    taken: Value,
    expected: Value,
    left: Value,
    seen: Value,
    most: int,
    count: Value | int = 1,
    name: str = "beats",
) -> Signal:
    """Check that what leaves is what was taken, in its order: nothing lost, repeated or changed.

    The prover picks any one of the beats that are taken. When all before it have left, what leaves next
    must be what is expected of it.

    Parameters
    ----------
    taken
        Strobe: a beat comes.
    expected
        What must leave for it; with a `count`, the values that leave one after another, the first lowest.
    left, seen
        Strobe: a beat leaves; what it is.
    most
        Beats that are under way at most, counted as they leave.
    count
        How many leave for the one that is taken.

    Returns
    -------
    How many are under way.
    """
    m, count = proof.m, Value.cast(count)
    under_way = Signal(range(2 * most + 2), name=f"{name}_under_way")
    coming = Signal(len(under_way) + len(count), name=f"{name}_coming")
    m.d.comb += coming.eq(under_way + Mux(taken, count, 0))
    m.d.sync += under_way.eq(coming - left)
    proof.show(under_way.name, under_way)
    proof.check(f"{name}: nothing leaves that did not come", ~left | (coming != 0))
    proof.check(f"{name}: no more than {most} are under way", under_way <= most)
    pick = proof.free(1, f"{name}_pick")
    picked, picks = Signal(name=f"{name}_picked"), Signal(name=f"{name}_picks")
    kept, now = Signal(len(expected), reset_less=True), Signal(len(expected))
    ahead, before = Signal.like(under_way, reset_less=True), Signal.like(under_way)
    rest, following = Signal.like(count, reset_less=True), Signal.like(count)
    turn, value = Signal(), Signal(len(seen))
    m.d.comb += [
        picks.eq(taken & pick & ~picked & (count != 0)),
        now.eq(Mux(picks, expected, kept)),
        before.eq(Mux(picks, under_way, ahead)),
        following.eq(Mux(picks, count, rest)),
        turn.eq((picks | picked) & (before == 0) & (following != 0) & left),
        value.eq(now),
    ]
    m.d.sync += [
        picked.eq(picked | picks),
        kept.eq(Mux(turn, now >> len(seen), now)),
        ahead.eq(before - (left & (before != 0))),
        rest.eq(following - turn),
    ]
    proof.show(f"{name}_picked", picked | picks)
    proof.show(f"{name}_expected", value)
    proof.check(f"{name}: what leaves is what came", ~turn | (seen == value))
    return under_way


def moves_on(proof: Proof, waits: Value, able: Value, moves: Value, most: int, name: str) -> None:
    """Check that nothing hangs: what `waits` also `moves`, within `most` cycles in which it is `able`."""
    idle = Signal(range(most + 1), name=f"{name}_idle")
    with proof.m.If(moves | ~waits):
        proof.m.d.sync += idle.eq(0)
    with proof.m.Elif(able & (idle != most)):
        proof.m.d.sync += idle.eq(idle + 1)
    proof.check(f"{name}: moves within {most} cycles", idle != most)

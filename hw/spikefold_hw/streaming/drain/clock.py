"""When sums leave the lanes and events leave a layer: a max-plus recursion, exact to the cycle.

It covers all from a flush on the lanes' input to the handshakes of the events: holding registers,
repeater, neuron unit or readout. Times are cycles of handshakes, as in `spikefold_hw.streaming.cycles`.
"""

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spikefold.ir.neuron import Integers
from spikefold_hw.parts.lanes import DRAIN_STAGES, RELEASE_LATENCY, accumulate_latency
from spikefold_hw.parts.level_buffer import LevelBuffer
from spikefold_hw.parts.moves import NEVER, Moves
from spikefold_hw.parts.neuron import ladder_latency, neuron_latency
from spikefold_hw.parts.readout import logit_latency, readout_latency
from spikefold_hw.parts.shapes import DrainShape, LanesShape
from spikefold_hw.streaming.drain.repeater import BANKS, CurrentRepeater


def unit_latency(shape: DrainShape) -> int:
    """Cycles from a word's handshake to its first event (or logit) on a layer's output."""
    return (readout_latency if shape.neuron is None else neuron_latency)(shape)


def state_latency(shape: DrainShape) -> int:
    """Moves from a word's entry into the unit to the first with which it can enter again, a time step later.

    Its state is written then, and can be read.
    """
    return logit_latency(shape) + 1 if shape.neuron is None else ladder_latency(shape) + 2


class DrainClock:
    """Times of a layer's drain, cell by cell.

    For each cell call `begin`, then `flush` for every block, then `end`; where a current is repeated,
    `begin` and `end` alone for each of its further time steps.

    Parameters
    ----------
    shape, lanes
        The population's drain, and its lanes.
    repeats
        Time steps that one current serves.
    """

    def __init__(self, shape: DrainShape, lanes: LanesShape, repeats: int = 1):
        reads_out, blocks = shape.neuron is None, shape.blocks
        self._repeats, self._units, self._words = repeats, blocks.units, blocks.words
        self._steps = shape.time.steps
        self._blocks = [len(blocks.channels_of(b)) // blocks.units for b in range(blocks.count)]
        self._fill = accumulate_latency(lanes)
        self._latency = unit_latency(shape)
        self._stages = (logit_latency if reads_out else ladder_latency)(shape)
        self._after = 2 if reads_out else 1  # stages after the serializer's choice
        self._moves, self._sends = Moves(), Moves()
        self._entered = self._before = NEVER  # moves with which the unit took its last two words
        self._sent = NEVER  # the serializer's last move with a beat
        self._left = self._left_before = NEVER  # the last two words left the lanes
        self._drained = NEVER  # the holding registers are free from here on
        self._room = deque([NEVER] * BANKS)  # the repeater has room for the next positions
        self._again = state_latency(shape)
        waits = self._steps > 1 and shape.state_rows < self._again
        used = shape.state_rows // blocks.words * blocks.count if waits else 0
        self._used = deque([NEVER] * used)  # first moves of the last blocks, back to the use before
        self._cell = 0

    def begin(
        self, free: int, counts: Sequence[int] | NDArray[np.integer] | None, skips: Sequence[int] = ()
    ) -> None:
        """Start a cell: one time step of one position.

        Parameters
        ----------
        free
            First cycle in which its first beat is accepted; all others are at once. A readout's sink
            never waits.
        counts
            Events of every word, None for a readout.
        skips
            Cycle of the mark of the same cell of each identity projection's source.
        """
        self._moves.forget(self._before)
        self._sends.forget(self._sent)
        self._free, self._block, self._offset = free, 0, 0
        self._silent = True  # nothing of it has been sent
        self._first = NEVER
        self._fires = np.zeros(0, np.int64) if counts is None else np.asarray(counts)
        self._counts = self._beats(counts)
        self._blocks_entered: list[int] = []  # first moves of this cell's blocks
        self._words_sent: list[int] = []  # the serializer's first move of every word
        self._ripe = max(skips) + LevelBuffer.fill_latency if len(skips) else NEVER

    def _beats(self, counts: Sequence[int] | NDArray[np.integer] | None) -> list[int]:
        """Beats of every word; with Q = 1 only the word with the first beat, if there is one."""
        if counts is None:
            results = self._cell % self._steps == self._steps - 1
            if self._units == 1:
                return [0] if results else []
            return [self._units if results else 0] * self._words
        counts = np.asarray(counts)
        if self._units == 1:
            first = int(counts.argmax())
            return [first if counts[first] else self._words - 1]
        beats: list[int] = counts.tolist()
        beats[-1] = max(beats[-1], 1)
        return beats

    def flush(self, earliest: int) -> int:
        """The next block's flush is offered from `earliest` on; returns the cycle in which it is taken."""
        count = self._blocks[self._block]
        taken = max(earliest, self._drained)
        chosen = taken + self._fill - DRAIN_STAGES  # the first word, into the first stage of the drain
        moved = max(chosen + 1, self._left)  # .. and to the lanes' output
        if self._repeats == 1:
            first = self._enter(moved + 1)
            left = [self._left_before, self._left, *map(self._moves.at, range(first, first + count)[-3:])]
        else:
            room = self._room.popleft() if self._block == 0 else NEVER
            kept = max(moved + 1, room)
            left = [self._left_before, self._left, *range(kept, kept + count)[-3:]]
            self._enter(kept + CurrentRepeater.latency)
        # A word follows into the first stage when the one before it leaves that, as the second stage is free.
        self._drained = RELEASE_LATENCY + max(chosen + count - 1, left[-DRAIN_STAGES - 1])
        self._left_before, self._left = left[-2:]
        return taken

    def end(self) -> int:
        """The cycle of the handshake of the cell's last beat: its mark, or the last result.

        Of a readout's earlier time steps, the cycle in which its last sum leaves the pipeline.
        """
        if self._block == 0:
            for _ in self._blocks:
                self._enter(NEVER)
        self._cell += 1
        if self._repeats > 1 and self._cell % self._repeats == 0:
            # The last word was fetched when the one before it left.
            self._room.append(self._moves.at(self._before) + 1)
        if self._units == 1:
            return max(self._moves.at(self._entered + self._latency), self._first)
        if self._silent:
            return self._moves.at(self._entered + self._stages + 1)
        return max(self._sends.at(self._sent + self._after), self._first)

    def events(self) -> Integers:
        """Cycles of the handshakes of the ended cell's events."""
        if not self._fires.any():
            return np.zeros(0, np.int64)
        if self._units == 1:
            moves = _runs(self._blocks_entered, self._blocks)[self._fires > 0]
        else:
            moves = _runs(self._words_sent, self._fires)
        # Behind the first event nothing waits any more.
        cycles: Integers = moves - moves[0] + self._first
        return cycles

    def skip_freed(self, k: int) -> int:
        """First cycle in which the `k`-th skip's buffer takes the cell in the ended one's place."""
        return self._moves.at(self._entered) + 1

    def _enter(self, ready: int) -> int:
        """The next block's words enter the unit, which can take the first from `ready` on.

        Returns the move of the first; the others follow with one move each.
        """
        count, offset = self._blocks[self._block], self._offset
        if offset == 0:
            ready = max(ready, self._ripe)
        first = max(self._entered + 1, self._moves.first(ready))
        if self._used:
            first = max(first, self._used.popleft() + self._again)
            self._used.append(first)
        self._before = first + count - 2 if count > 1 else self._entered
        self._entered = first + count - 1
        if self._units > 1:
            for k, beats in enumerate(self._counts[offset : offset + count]):
                if beats:
                    self._send(first + k, beats)
                self._words_sent.append(self._sent - beats + 1)
        elif self._counts and offset <= self._counts[0] < offset + count:
            self._begin_cell(self._moves, first + self._counts[0] - offset + self._latency)
        self._blocks_entered.append(first)
        self._block += 1
        self._offset += count
        return first

    def _begin_cell(self, moves: Moves, move: int) -> None:
        """The cell's first beat comes with this move; it is kept until it is taken, and all stands still."""
        moves.hold(move + 1, self._free + 1)
        self._first = max(moves.at(move), self._free)
        self._silent = False

    def _send(self, entered: int, beats: int) -> None:
        """The serializer sends a word's beats; the pipeline is held until it has chosen the last one."""
        arrived = self._moves.at(entered + self._stages) + 1
        first = self._sends.first(arrived)
        if self._silent:
            self._begin_cell(self._sends, first + self._after)
        self._sent = first + beats - 1
        self._moves.hold(entered + self._stages + 1, self._sends.at(self._sent))


def _runs(firsts: Sequence[int], counts: Sequence[int] | Integers) -> Integers:
    """Numbers that follow each other, so many from each first one on."""
    runs = [np.arange(first, first + count) for first, count in zip(firsts, counts, strict=True)]
    return np.concatenate(runs)

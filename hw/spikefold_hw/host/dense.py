"""From dense levels, as a picture has them, to the events that the block takes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Module, Mux, ResetInserter, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from spikefold.errors import InputError
from spikefold_hw.parts.cell_counter import CellCounter
from spikefold_hw.parts.input_rules import Beat
from spikefold_hw.parts.memory import ring_next
from spikefold_hw.parts.serializer import Serializer
from spikefold_hw.streams import Event, EventStream
from spikefold_hw.typed import Component

FLAGS = ("end_position", "end_step", "end_sample")
_NONE = (False, False, False)


@dataclass(frozen=True)
class Word:
    """A word of dense levels.

    Attributes
    ----------
    levels
        Of N channels that follow each other; of a broken word they mean nothing.
    last
        It ends its frame, and so its sample.
    broken
        The sample that it belongs to must have a result with `error`.
    tag
        Of the sample; that of the last word counts.
    """

    levels: tuple[int, ...]
    last: bool = False
    broken: bool = False
    tag: int = 0


def levels_per_sample(events: EventStream) -> int:
    """Levels of one sample: those of all channels, positions and presented time steps."""
    return events.map.channels * events.map.positions * events.time.steps


def dense_levels(events: EventStream, levels: NDArray[np.integer]) -> NDArray[np.integer]:
    """Levels in the order of a frame: cell by cell, in each all channels.

    Parameters
    ----------
    levels
        Shape (samples, steps, *shape of the map); with one step they are presented in every step.

    Returns
    -------
    Shape (samples, `levels_per_sample`).
    """
    presented = np.broadcast_to(levels, (len(levels), events.time.steps, *levels.shape[2:]))
    return events.time.in_cells(presented, events.map).reshape(len(levels), -1)


class DenseWord(data.StructLayout):
    """The fields of `Word`: `levels`, `last`, `broken`, and `tag` if there are tags.

    Raises
    ------
    InputError
        If the lanes do not divide the channels: no word may reach from one position into the next.
    """

    def __init__(self, events: EventStream, lanes: int = 1, tag_bits: int = 0):
        channels = events.map.channels
        if lanes < 1 or channels % lanes:
            raise InputError(f"Lanes of dense levels must divide the {channels} channels, not {lanes!r}")
        levels = data.ArrayLayout(events.levels.bit_length(), lanes)
        super().__init__({"levels": levels, "last": 1, "broken": 1} | ({"tag": tag_bits} if tag_bits else {}))


class DenseEvents(Component):
    """Turns frames of dense levels into events with all their marks; zeros are not sent.

    Every word with `last` gives exactly one `end_sample`. A frame that has another length than a sample, or a
    broken word, ends with a mark that breaks the rule `marks` and no other: its result then has `error`. What
    follows a fault in a frame is discarded up to its last word. The next word begins the next sample.

    Parameters
    ----------
    events
        What a sample is.
    lanes
        Levels of a word, N.
    tag_bits
        Width of a sample's tag.

    Members
    -------
    i : In(stream(DenseWord))
        Frames.
    o : Out(stream(Event))
        One event per cycle. A word takes as many cycles as it has levels that are not 0, and one at least.
    open : Out(1)
        Words of a frame have been taken, and not its last.
    short, long : Out(1)
        Strobes: a frame that was good so far ended too early, or did not end with its sample.

    Raises
    ------
    InputError
        As `DenseWord`.
    """

    latency = 2
    """Cycles from a word's handshake to its first event."""

    i: stream.Interface
    o: stream.Interface
    open: Signal
    short: Signal
    long: Signal

    def __init__(self, events: EventStream, lanes: int = 1, tag_bits: int = 0):
        self._events, self._lanes, self._tag_bits = events, lanes, tag_bits
        super().__init__(
            {
                "i": In(stream.Signature(DenseWord(events, lanes, tag_bits))),
                "o": Out(stream.Signature(Event(events.map.channels, events.levels, tag_bits))),
                "open": Out(1),
                "short": Out(1),
                "long": Out(1),
            }
        )

    def model(self, words: Iterable[Word]) -> Iterator[Beat]:
        """The events of words; the index of a bare mark is that of its word's last channel."""
        events, channels = self._events, self._events.map.channels
        _, places = events.time.places(events.map.positions)
        ends = [(True, bool(place == events.map.positions - 1), False) for place in places]
        ends[-1] = (True, True, True)
        done, spoilt = 0, False
        for word in words:
            cell, base = divmod(done, channels)
            done += self._lanes
            spoilt |= word.broken or word.last != (done == channels * len(ends))
            flags = ends[min(cell, len(ends) - 1)] if done % channels == 0 else _NONE
            if not spoilt:
                yield from _beats(word, base, flags)
            elif word.last:
                yield Beat(base + self._lanes - 1, 0, True, False, True, word.tag)
            if word.last:
                done, spoilt = 0, False

    def elaborate(self, platform: object) -> Module:
        m = Module()
        channels, lanes = self._events.map.channels, self._lanes
        words, level_bits = channels // lanes, self._events.levels.bit_length()
        fields = dict.fromkeys(FLAGS, 1) | ({"tag": self._tag_bits} if self._tag_bits else {})
        flags = data.StructLayout(fields)
        m.submodules.serializer = serializer = Serializer(words, lanes, level_bits, flags)
        cells = CellCounter(self._events.map.positions, self._events.time)
        spoilt, bad, taken, sound, restart = Signal(), Signal(), Signal(), Signal(), Signal()
        last_word, whole = Signal(), Signal()
        word = Signal(range(words))
        m.submodules.cells = ResetInserter(restart)(cells)
        given, out = self.i.payload, serializer.i.payload
        m.d.comb += [
            last_word.eq(word == words - 1),
            whole.eq(last_word & cells.last_position & cells.last_step),
            bad.eq(spoilt | given.broken | (given.last != whole)),
            taken.eq(self.i.valid & self.i.ready),
            sound.eq(taken & ~spoilt & ~given.broken),
            restart.eq(taken & given.last),
            cells.next.eq(taken & ~bad & last_word),
            self.short.eq(sound & given.last & ~whole),
            self.long.eq(sound & ~given.last & whole),
            serializer.i.valid.eq(self.i.valid),
            self.i.ready.eq(serializer.i.ready),
            out.word.eq(word),
            out.bare.eq(Mux(bad, given.last, last_word)),
            out.flags.end_position.eq(bad | last_word),
            out.flags.end_step.eq(~bad & last_word & cells.last_position),
            out.flags.end_sample.eq(given.last),
        ]
        if self._tag_bits:
            m.d.comb += out.flags.tag.eq(given.tag)
        for k in range(lanes):
            level = given.levels[k]
            m.d.comb += [out.send[k].eq(~bad & level.any()), out.values[k].eq(Mux(bad, 0, level))]
        with m.If(taken):
            m.d.sync += [self.open.eq(~given.last), spoilt.eq(bad & ~given.last)]
            m.d.sync += word.eq(Mux(given.last, 0, ring_next(word, words)))
        self._send(m, serializer)
        return m

    def _send(self, m: Module, serializer: Serializer) -> None:
        """A word's flags go with its last event."""
        beat, event = serializer.o.payload, self.o.payload
        m.d.comb += [
            self.o.valid.eq(serializer.o.valid),
            serializer.o.ready.eq(self.o.ready),
            event.index.eq(beat.index),
            event.level.eq(beat.value),
            Cat(event[name] for name in FLAGS).eq(Mux(beat.last, Cat(beat.flags[name] for name in FLAGS), 0)),
        ]
        if self._tag_bits:
            m.d.comb += event.tag.eq(beat.flags.tag)


def _beats(word: Word, base: int, flags: tuple[bool, bool, bool]) -> Iterator[Beat]:
    """The events of a good word whose first channel is `base`."""
    fires = [k for k, level in enumerate(word.levels) if level]
    if not fires and flags[0]:
        fires = [len(word.levels) - 1]
    for k in fires:
        ends = flags if k == fires[-1] else _NONE
        yield Beat(base + k, word.levels[k], *ends, tag=word.tag)

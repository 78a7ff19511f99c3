"""The ports of a design and how a beat on each stream packs into one word.

Every engine carries beats as unsigned words of at most 64 bits, least significant field first: an event
is {end_sample, end_step, end_position, level, index, tag}, a result {last, winner, index, logit, error, tag};
fields of no width are left out. That is also
how Amaranth packs a stream's struct payload into one Verilog port.
"""

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError

BEAT = np.dtype(
    [
        ("index", np.uint32),
        ("level", np.uint32),
        ("end_position", np.bool_),
        ("end_step", np.bool_),
        ("end_sample", np.bool_),
        ("tag", np.uint32),
    ],
    align=True,
)
"""One beat of an event stream: level 0 is a bare mark."""

RESULT = np.dtype(
    [
        ("logit", np.int64),
        ("index", np.uint32),
        ("winner", np.uint32),
        ("last", np.bool_),
        ("error", np.bool_),
        ("tag", np.uint32),
    ],
)
"""One beat of the result stream."""

WORD_BITS = 64
MAX_PROBES, MAX_COUNTERS = 1024, 1024
IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
"""A name that Verilog takes as it stands."""


@dataclass(frozen=True)
class EventFormat:
    """Widths of an event stream's payload.

    Parameters
    ----------
    index_bits
        Width of `index`, a channel; 0 where the stream has a single channel.
    level_bits
        Width of `level`, unsigned.
    tag_bits
        Width of `tag`.
    """

    index_bits: int
    level_bits: int
    tag_bits: int = 0

    def __post_init__(self) -> None:
        _check_bits("Tag width", self.tag_bits, 0, 32)
        _check_bits("Index width", self.index_bits, 0, 32)
        _check_bits("Level width", self.level_bits, 1, 29)

    @property
    def fields(self) -> tuple[tuple[str, int], ...]:
        """Names and widths, least significant first, without those of no width."""
        flags = (("end_position", 1), ("end_step", 1), ("end_sample", 1))
        numbers = (("tag", self.tag_bits), ("index", self.index_bits), ("level", self.level_bits))
        return _present((*numbers, *flags))

    @property
    def bits(self) -> int:
        """Width of the packed word."""
        return sum(width for _, width in self.fields)

    def pack(self, beats: NDArray[np.void]) -> NDArray[np.uint64]:
        """Words of an array of `BEAT`.

        Raises
        ------
        InputError
            A tag, an index or a level does not fit its field.
        """
        words = np.zeros(len(beats), np.uint64)
        offset = 0
        for name, width in (("tag", self.tag_bits), ("index", self.index_bits), ("level", self.level_bits)):
            largest = int(beats[name].max(initial=0))
            if largest >> width:
                raise InputError(f"Stimulus {name} must fit in {width} bits, not {largest!r}")
        for name, width in self.fields:
            words |= beats[name].astype(np.uint64) << np.uint64(offset)
            offset += width
        return words

    def unpack(self, words: NDArray[np.uint64]) -> NDArray[np.void]:
        """Array of `BEAT` from words."""
        return _unpack(words, self.fields, BEAT)


@dataclass(frozen=True)
class ResultFormat:
    """Widths of the result stream's payload.

    Parameters
    ----------
    logit_bits
        Width of `logit`, signed.
    class_bits
        Width of `index` and `winner`; 0 where there is a single class.
    classes
        Beats per sample.
    checks
        Whether there is an `error`.
    tag_bits
        Width of `tag`.
    """

    logit_bits: int
    class_bits: int
    classes: int
    checks: bool = False
    tag_bits: int = 0

    def __post_init__(self) -> None:
        _check_bits("Logit width", self.logit_bits, 1, 62)
        _check_bits("Class width", self.class_bits, 0, 16)
        if self.classes < 1 or self.classes > 1 << self.class_bits:
            raise InputError(
                f"Class count must be 1 to {1 << self.class_bits} at class width {self.class_bits}, "
                f"not {self.classes!r}"
            )
        if self.bits > WORD_BITS:
            raise InputError(f"Result payload must fit in {WORD_BITS} bits, not {self.bits!r}")

    @property
    def fields(self) -> tuple[tuple[str, int], ...]:
        """Names and widths, least significant first, without those of no width."""
        classes = (("index", self.class_bits), ("winner", self.class_bits))
        ticket = (("tag", self.tag_bits), ("error", int(self.checks)))
        return _present((*ticket, ("logit", self.logit_bits), *classes, ("last", 1)))

    @property
    def bits(self) -> int:
        """Width of the packed word."""
        return sum(width for _, width in self.fields)

    def unpack(self, words: NDArray[np.uint64]) -> NDArray[np.void]:
        """Array of `RESULT` from words; the logit is sign-extended."""
        results = _unpack(words, self.fields, RESULT)
        sign = np.int64(1) << np.int64(self.logit_bits - 1)
        results["logit"] = (results["logit"] ^ sign) - sign
        return results


@dataclass(frozen=True)
class Probe:
    """An inner event stream to watch.

    Parameters
    ----------
    name
        The layer's name in observations and comparisons.
    path
        The signal `{ready, valid, payload}`, seen from the top module, e.g. "core.probe_hidden".
        Amaranth renames the ports of submodules where names meet, so it must be a signal of its own.
    format
        Widths of its payload.
    """

    name: str
    path: str
    format: EventFormat

    def __post_init__(self) -> None:
        if not all(IDENTIFIER.match(part) for part in self.path.split(".")):
            raise InputError(f"Probe path must be identifiers joined by dots, not {self.path!r}")


@dataclass(frozen=True)
class Ports:
    """The streams of a design, its counters and its probes.

    Parameters
    ----------
    stimulus
        Format of the input stream `i`.
    result
        Format of the result stream `o`.
    probes
        Inner streams, in network order; names are unique.
    counters
        Names of the counters that `counter_select` chooses, from 0; empty where the design
        has no counter port.
    load
        Whether its memories are filled through a byte stream `load` before the first sample; an output
        `loaded` then says when that is done.
    """

    stimulus: EventFormat
    result: ResultFormat
    probes: tuple[Probe, ...] = ()
    counters: tuple[str, ...] = ()
    load: bool = False

    def __post_init__(self) -> None:
        names = [probe.name for probe in self.probes]
        for name, count in Counter(names).items():
            if count > 1:
                raise InputError(f"Probe names must be unique, not {name!r} twice")
        _check_bits("Probe count", len(names), 0, MAX_PROBES)
        _check_bits("Counter count", len(self.counters), 0, MAX_COUNTERS)

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of all streams, in the order of the harness: input, load, result, probes."""
        return ("input", "load", "result", *(probe.name for probe in self.probes))


def _check_bits(subject: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InputError(f"{subject} must be {low} to {high}, not {value!r}")


def _present(fields: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    return tuple((name, width) for name, width in fields if width)


def _unpack(
    words: NDArray[np.uint64], fields: tuple[tuple[str, int], ...], dtype: np.dtype[np.void]
) -> NDArray[np.void]:
    unpacked = np.zeros(len(words), dtype)
    offset = 0
    for name, width in fields:
        unpacked[name] = (words >> np.uint64(offset)) & np.uint64((1 << width) - 1)
        offset += width
    return unpacked

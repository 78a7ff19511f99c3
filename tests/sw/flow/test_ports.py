"""Beats as words, and ports that cannot be."""

import numpy as np
import pytest

from spikefold.errors import InputError
from spikefold.flow.ports import BEAT, EventFormat, Ports, Probe, ResultFormat

FORMAT = EventFormat(index_bits=4, level_bits=4)
RESULTS = ResultFormat(logit_bits=12, class_bits=2, classes=3)
PROBE = Probe("hidden", "core.probe_hidden", FORMAT)


def test_event_words():
    stream = np.array([(5, 3, True, False, True, 0), (15, 7, False, True, False, 0)], BEAT)
    words = FORMAT.pack(stream)
    assert words.tolist() == [5 | 3 << 4 | 1 << 8 | 1 << 10, 15 | 7 << 4 | 1 << 9]
    assert FORMAT.unpack(words).tolist() == stream.tolist()


@pytest.mark.parametrize("logit", [-(1 << 11), -1, 0, (1 << 11) - 1])
def test_result_words_are_sign_extended(logit):
    word = (logit & 0xFFF) | 2 << 12 | 1 << 14 | 1 << 16
    results = RESULTS.unpack(np.array([word], np.uint64))
    assert results.tolist() == [(logit, 2, 1, True, False, 0)]


def test_a_single_class_has_no_index_bits():
    narrow = ResultFormat(logit_bits=8, class_bits=0, classes=1)
    assert narrow.unpack(np.array([0x1FF], np.uint64)).tolist() == [(-1, 0, 0, True, False, 0)]


def test_values_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"^Stimulus level must fit in 4 bits, not 16$"):
        FORMAT.pack(np.array([(0, 16, True, True, True, 0)], BEAT))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: EventFormat(4, 0), r"^Level width must be 1 to 29, not 0$"),
        (lambda: ResultFormat(62, 4, 3), r"^Result payload must fit in 64 bits, not 71$"),
        (lambda: ResultFormat(8, 1, 3), r"^Class count must be 1 to 2 at class width 1, not 3$"),
        (lambda: Probe("a", "b c", FORMAT), r"^Probe path must be identifiers joined by dots, not 'b c'$"),
        (
            lambda: Ports(FORMAT, RESULTS, (PROBE,) * 2),
            r"^Probe names must be unique, not 'hidden' twice$",
        ),
        (
            lambda: Ports(FORMAT, RESULTS, tuple(Probe(f"p{k}", "p", FORMAT) for k in range(1025))),
            r"^Probe count must be 0 to 1024, not 1025$",
        ),
    ],
)
def test_impossible_ports_are_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()


def test_tags_and_errors_are_the_lowest_fields():
    events, results = EventFormat(4, 3, 9), ResultFormat(12, 2, 3, True, 9)
    assert (events.bits, results.bits) == (FORMAT.bits + 9 - 1, 12 + 2 + 2 + 1 + 1 + 9)
    stream = np.array([(5, 3, True, False, True, 0x155)], BEAT)
    assert events.unpack(events.pack(stream)).tolist() == stream.tolist()
    assert int(events.pack(stream)[0]) & 0x1FF == 0x155
    word = 0x0AA | 1 << 9 | (0xFFF << 10) | 2 << 22 | 1 << 24 | 1 << 26
    assert results.unpack(np.array([word], np.uint64)).tolist() == [(-1, 2, 1, True, True, 0x0AA)]
    with pytest.raises(InputError, match=r"^Stimulus tag must fit in 9 bits, not 512$"):
        events.pack(np.array([(0, 1, True, True, True, 512)], BEAT))

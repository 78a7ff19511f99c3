import numpy as np
import pytest
from sim_toy import FORMAT, PORTS

from spikefold.errors import InputError
from spikefold_sim.ports import BEAT, EventFormat, Ports, Probe, ResultFormat
from spikefold_sim.wrapper import wrapper_header, wrapper_verilog


def test_event_words():
    stream = np.array([(5, 3, True, False, True), (15, 7, False, True, False)], BEAT)
    words = FORMAT.pack(stream)
    assert words.tolist() == [5 | 3 << 4 | 1 << 7 | 1 << 9, 15 | 7 << 4 | 1 << 8]
    assert FORMAT.unpack(words).tolist() == stream.tolist()


@pytest.mark.parametrize("logit", [-(1 << 11), -1, 0, (1 << 11) - 1])
def test_result_words_are_sign_extended(logit):
    word = (logit & 0xFFF) | 2 << 12 | 1 << 14 | 1 << 16
    results = PORTS.result.unpack(np.array([word], np.uint64))
    assert results.tolist() == [(logit, 2, 1, True)]


def test_a_single_class_has_no_index_bits():
    narrow = ResultFormat(logit_bits=8, class_bits=0, classes=1)
    assert narrow.unpack(np.array([0x1FF], np.uint64)).tolist() == [(-1, 0, 0, True)]


def test_values_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"^Stimulus level must fit in 3 bits, not 8$"):
        FORMAT.pack(np.array([(0, 8, True, True, True)], BEAT))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: EventFormat(4, 0), r"^Level width must be 1 to 29, not 0$"),
        (lambda: ResultFormat(62, 4, 3), r"^Result payload must fit in 64 bits, not 71$"),
        (lambda: ResultFormat(8, 1, 3), r"^Class count must be 1 to 2 at class width 1, not 3$"),
        (lambda: Probe("a", "b c", FORMAT), r"^Probe path must be identifiers joined by dots, not 'b c'$"),
        (lambda: Ports("2x", FORMAT, PORTS.result), r"^Top module must be a Verilog identifier, not '2x'$"),
        (
            lambda: Ports("x", FORMAT, PORTS.result, PORTS.probes * 2),
            r"^Probe names must be unique, not 'hidden' twice$",
        ),
    ],
)
def test_impossible_ports_are_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()


def test_the_harness_is_the_same_text_every_time():
    assert wrapper_verilog(PORTS) == wrapper_verilog(PORTS)
    assert "= dut.core.probe_hidden;" in wrapper_verilog(PORTS)
    assert ".i__payload__level(i_beat[6:4])" in wrapper_verilog(PORTS)
    assert "constexpr int PROBES = 1;" in wrapper_header(PORTS)

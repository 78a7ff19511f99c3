"""The parts of the AXI host against their models, with random stalls on both sides."""

import numpy as np
import pytest
from stream_bench import STALLS, simulate, stream_run

from spikefold.errors import InputError
from spikefold.ir.maps import Map
from spikefold_hw.host.axi.config import AxiConfig, AxiFormat
from spikefold_hw.host.axi.events import PackedEvents, event_word
from spikefold_hw.host.axi.levels import AxisTransfer, PackedLevels
from spikefold_hw.host.axi.load import LoadWords
from spikefold_hw.host.axi.results import ResultPackets
from spikefold_hw.host.axi.stream_buffer import StreamBuffer
from spikefold_hw.host.dense import FLAGS
from spikefold_hw.interface import Interface
from spikefold_hw.order import Time
from spikefold_hw.parts.counters import Counter
from spikefold_hw.parts.input_rules import Beat, admit
from spikefold_hw.streams import EventStream


def interface(channels=12, levels=5, tag_bits=0, **options):
    """A block with one position."""
    events = EventStream(Map(channels), levels, Time(1, "position_major"))
    given = {"classes": 3, "logit_bits": 11, "counters": (Counter("cycles", "all"),), "loaded": False}
    given |= {"longest_silence": 9, "trailing_silence": 0, "checks": True} | options
    return Interface("toy", events, {}, tag_bits=tag_bits, **given)


def word_of(beat, data_bits, user_bits):
    """A transfer as the bits of an `AxisBeat`."""
    keep = sum(kept << k for k, kept in enumerate(beat.keep))
    word = int.from_bytes(beat.data, "little") | keep << data_bits | beat.last << data_bits * 9 // 8
    return word | (beat.user << data_bits * 9 // 8 + 1 if user_bits else 0)


def transfers(rng, size, count, values, wrong):
    """Packets of random bytes; so many of them, in parts of 1, have a wrong beat."""
    found = []
    for _ in range(count):
        length = int(rng.integers(1, 5))
        for k in range(length):
            last = k == length - 1
            kept = int(rng.integers(1, size + 1)) if last else size
            keep = [place < kept for place in range(size)]
            if rng.random() < wrong:
                keep = rng.integers(0, 2, size).astype(bool).tolist()
            data = bytes(rng.integers(0, values, size).tolist())
            found.append(AxisTransfer(data, tuple(keep), last, int(rng.integers(8))))
    return found


@pytest.mark.parametrize("stalls", STALLS)
def test_a_buffer_passes_every_beat_once_a_cycle(stalls):
    words = np.random.default_rng(1).integers(1 << 9, size=200).tolist()
    run = stream_run(StreamBuffer(9), words, len(words), stalls=stalls)
    assert run.beats == words
    if not any(stalls):
        assert run.left == [cycle + StreamBuffer.latency for cycle in run.taken] == list(range(1, 201))


@pytest.mark.parametrize("stalls", STALLS[::3])
@pytest.mark.parametrize(
    ("channels", "levels", "size"),
    [(12, 5, 4), (12, 5, 1), (6, 255, 16), (1, 3, 8), (10, 7, 8)],
)
def test_levels_are_taken_out_of_their_beats(channels, levels, size, stalls):
    outside = interface(channels, levels, tag_bits=3)
    form = AxiFormat.of(outside, AxiConfig(bytes=size))
    dut = PackedLevels(outside.input, form)
    rng = np.random.default_rng(size)
    sent = transfers(rng, size, 30, 256, 0) + transfers(rng, size, 30, 3, 0.3)
    expected = list(dut.model(sent))
    strobes = ["keep_wrong", "level_high"]
    words = [word_of(beat, 8 * size, 3) for beat in sent]
    run = stream_run(dut, words, len(expected), stalls=stalls, strobes=strobes)
    for got, word in zip(run.beats, expected, strict=True):
        assert (got["last"], got["broken"], got["tag"]) == (word.last, word.broken, word.tag)
        assert word.broken or tuple(got[lane] for lane in range(form.lanes)) == word.levels
    assert sum(run.strobes.values()) == sum(word.broken for word in expected) > 0


@pytest.mark.parametrize("stalls", STALLS)
def test_events_are_taken_out_of_their_beats(stalls):
    outside = interface(tag_bits=3)
    dut = PackedEvents(outside.input, outside.tag_bits)
    rng = np.random.default_rng(4)
    sent, packets = [], 60
    for _ in range(packets):
        length = int(rng.integers(1, 6))
        for k in range(length):
            ends = k == length - 1
            beat = Beat(int(rng.integers(16)), int(rng.integers(8)), *(rng.random(2) < 0.3).tolist(), ends)
            word, keep, last = event_word(beat), (True,) * 4, ends
            fault = rng.choice(["none", "none", "none", "none", "keep", "high", "last"])
            if fault == "keep":
                keep = (True, True, False, True)
            elif fault == "high":
                word |= 1 << int(rng.choice([4, 15, 19, 28]))
            elif fault == "last" and not ends:
                word |= 1 << 31
            sent.append(AxisTransfer(word.to_bytes(4, "little"), keep, last, int(rng.integers(8))))
    expected = list(dut.model(sent))
    strobes = ["keep_wrong", "bits_high", "end_wrong"]
    run = stream_run(dut, [word_of(b, 32, 3) for b in sent], len(expected), stalls=stalls, strobes=strobes)
    names = ("index", "level", *FLAGS)
    ours = [tuple(beat[name] for name in names) for beat in run.beats]
    assert ours == [tuple(int(getattr(beat, name)) for name in names) for beat in expected]
    assert min(run.strobes.values()) > 3
    assert len(list(admit(outside.input, expected))) == packets
    pairs = zip(run.beats, expected, strict=True)
    assert all(one["tag"] == other.tag for one, other in pairs if other.end_sample)


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("tag_bits", [0, 7])
@pytest.mark.parametrize("result", ["class", "logits"])
def test_results_become_packets(result, tag_bits, stalls):
    outside = interface(tag_bits=tag_bits)
    form = AxiFormat.of(outside, AxiConfig(result=result))
    dut = ResultPackets(outside.classes, outside.logit_bits, form)
    rng = np.random.default_rng(8)
    beats = []
    for _ in range(20):
        ticket = {"error": int(rng.integers(2))} | ({"tag": int(rng.integers(128))} if tag_bits else {})
        beats += [
            ticket
            | {"logit": int(rng.integers(-1024, 1024)), "index": k, "winner": int(rng.integers(3))}
            | {"last": int(k == 2)}
            for k in range(3)
        ]
    expected = list(dut.model(beats))
    run = stream_run(dut, beats, len(expected), stalls=stalls)
    assert [(beat["data"], bool(beat["last"])) for beat in run.beats] == expected
    assert {beat["keep"] for beat in run.beats} == {15}
    assert len(expected) == 20 * form.result_words


def test_bytes_that_are_written_are_sent_in_order_and_others_counted():
    dut = LoadWords()
    rng = np.random.default_rng(3)
    sent, expected, dropped = [], [], 0

    async def bench(ctx):
        nonlocal dropped
        for _ in range(600):
            ready, write = rng.random() < 0.5, rng.random() < 0.2
            word, strobes = int(rng.integers(1 << 32)), int(rng.integers(16))
            for port, value in (
                (dut.o.ready, ready),
                (dut.write, write),
                (dut.word, word),
                (dut.strobes, strobes),
            ):
                ctx.set(port, value)
            free = ctx.get(dut.free)
            assert ctx.get(dut.dropped) == (write and not free)
            dropped += write and not free
            if write and free:
                expected.extend(word >> 8 * k & 255 for k in range(4) if strobes >> k & 1)
            if ctx.get(dut.o.valid) and ready:
                sent.append(ctx.get(dut.o.payload))
            await ctx.tick()

    simulate(dut, bench)
    assert dropped > 10
    assert len(expected) > 50
    assert expected[: len(sent)] == sent
    assert len(expected) - len(sent) <= 4


def test_formats_follow_from_the_block():
    form = AxiFormat.of(interface(channels=10, tag_bits=4), AxiConfig(bytes=16, result="logits"))
    assert (form.lanes, form.data_bits, form.result_words) == (2, 128, 3 + 1 + 1)


@pytest.mark.parametrize(
    ("outside", "config", "message"),
    [
        ({}, {"input": "pixels"}, "Input of an AXI host must be dense or events, not 'pixels'"),
        ({}, {"result": "best"}, "Result of an AXI host must be class or logits, not 'best'"),
        ({}, {"bytes": 3}, "Bytes of a beat must be one of 1, 2, 4, 8, 16, not 3"),
        ({}, {"input": "events", "bytes": 8}, "Bytes of a beat must be 4 with events as input, not 8"),
        ({"levels": 300}, {}, "Levels of an AXI host must be at most 255, not 300"),
        (
            {"logit_bits": 33},
            {"result": "logits"},
            "Logits of an AXI host must have at most 32 bits, not 33; choose",
        ),
        ({"classes": 70000}, {}, "Classes of an AXI host must be at most 65536, not 70000"),
        (
            {"channels": 70000},
            {"input": "events"},
            "Channels of events must be at most 65536, not 70000; choose",
        ),
    ],
)
def test_choices_that_do_not_fit_are_refused(outside, config, message):
    with pytest.raises(InputError, match=f"^{message}"):
        AxiFormat.of(interface(**outside), AxiConfig(**config))

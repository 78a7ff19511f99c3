"""InputCheck against its model: good samples pass untouched, broken ones spoil nothing else."""

import numpy as np
import pytest
from stream_bench import STALLS, Sink, Source, pack, simulate, unpack

from spikefold.ir.maps import Map
from spikefold_hw.order import ORDERS, Time
from spikefold_hw.parts.input_check import InputCheck
from spikefold_hw.parts.input_rules import CAUSES, Beat, admit
from spikefold_hw.streams import EventStream, index_bits

DENSE = EventStream(Map(5), 4, Time(1, "position_major"))
SHAPES = [
    (DENSE, 0),
    (EventStream(Map(8), 1, Time(3, "step_major")), 7),
    (EventStream(Map(1), 7, Time(2, "position_major")), 1),
    *((EventStream(Map(3, 2, 3), 5, Time(2, order)), 3) for order in ORDERS),
]
FLAGS = ("end_position", "end_step", "end_sample")
LARGEST = 40
"""Beats of a garbage sample at most."""


def good_sample(rng, events, tag_bits):
    """A whole sample: the mark of a cell rides on its last event or comes bare."""
    map_, levels, time = events.map, events.levels, events.time
    _, position = time.places(map_.positions)
    tag = int(rng.integers(1 << tag_bits))
    beats = []
    for k, place in enumerate(position):
        fires = rng.random(map_.channels) < rng.choice([0, 0.5, 1])
        values = rng.integers(1, levels + 1, map_.channels) * fires
        cell = [[int(index), int(values[index]), False, False, False, tag] for index in values.nonzero()[0]]
        if not cell or rng.random() < 0.3:
            cell.append([0, 0, False, False, False, tag])
        cell[-1][2:5] = True, bool(place == map_.positions - 1), k == len(position) - 1
        beats += [Beat(*beat) for beat in cell]
    return beats


def broken(rng, beats, index_bits, level_bits):
    """A sample with one fault of a random kind; it still ends once, with its last beat."""
    beats = [vars(beat).copy() for beat in beats]
    k = int(rng.integers(len(beats)))
    kind = rng.choice(["drop", "repeat", "flag", "index", "level", "swap", "cut", "garbage"])
    if kind == "drop":
        del beats[k]
    elif kind == "repeat":
        beats.insert(k, beats[k].copy())
    elif kind == "flag":
        name = str(rng.choice(FLAGS))
        beats[k][name] = not beats[k][name]
    elif kind in ("index", "level"):
        beats[k][kind] = int(rng.integers(1 << (index_bits if kind == "index" else level_bits)))
    elif kind == "swap":
        other = int(rng.integers(len(beats)))
        beats[k], beats[other] = beats[other], beats[k]
    elif kind == "cut":
        beats = beats[:k]
    else:
        beats = [
            {
                "index": int(rng.integers(1 << index_bits)),
                "level": int(rng.integers(1 << level_bits)),
                **dict(zip(FLAGS, map(bool, rng.integers(0, 2, 3)), strict=True)),
                "tag": 0,
            }
            for _ in range(rng.integers(1, LARGEST))
        ]
    return [Beat(**beat) for beat in beats]


def traffic(rng, shape, samples, faults):
    """Beats of samples, some of them broken, ended by a good one."""
    beats = []
    bits = index_bits(shape[0].map.channels), shape[0].levels.bit_length()
    for _ in range(samples):
        sample = good_sample(rng, *shape)
        if rng.random() < faults:
            sample = broken(rng, sample, *bits)
        beats += sample
    return [*beats, Beat(0, 0, True, True, True), *good_sample(rng, *shape)]


def run(dut, beats, stalls=(0.0, 0.0), seed=0, hold=0.0):
    """Beats that leave, tickets, counts of violations and the cycles of both ends."""
    rng = np.random.default_rng(seed)
    tags = dut.tag_bits
    names = [*dut.i.payload.shape().members]
    words = [pack({n: int(getattr(b, n)) for n in names}, dut.i.payload.shape()) for b in beats]
    source, sink = Source(words, stalls[0], rng), Sink(stalls[1], True, rng)
    out, tickets, counts, times = [], [], np.zeros(len(CAUSES), int), ([], [])
    watched = [dut.i.ready, dut.o.valid, dut.o.payload.as_value(), dut.ended, dut.ticket.as_value()]

    async def bench(ctx):
        cycle, last, kept, inside, under_way = 0, 0, None, False, 0
        while cycle - last < 150:
            offered, ready, holds = source.choose(), sink.choose(), rng.random() < hold
            ctx.set(dut.i.valid, offered is not None)
            ctx.set(dut.i.payload.as_value(), offered or 0)
            ctx.set(dut.o.ready, ready)
            ctx.set(dut.hold, holds)
            assert ctx.get(dut.open) == (under_way > 0)
            strobes = ctx.get(dut.violations)
            counts[:] += [strobes >> bit & 1 for bit in range(len(CAUSES))]
            _, _, accepts, valid, word, ended, ticket = await ctx.tick().sample(*watched)
            if offered is not None and accepts:
                assert inside or not holds
                under_way += not inside
                inside = not unpack(offered, dut.i.payload.shape())["end_sample"]
                source.taken()
                times[0].append(cycle)
                last = cycle
            if ended:
                under_way -= 1
                tickets.append((ticket >> tags & 1, ticket & ((1 << tags) - 1)))
            assert kept is None or (valid, word) == (1, kept)
            kept = word if valid and not ready else None
            if valid and ready:
                out.append(unpack(word, dut.o.payload.shape()))
                times[1].append(cycle)
                last = cycle
            cycle += 1
        assert source.empty, "stuck"

    simulate(dut, bench)
    return out, tickets, counts, times


def without_tag(beat):
    """What matters of a beat behind the check: the index of a bare mark does not."""
    return beat["index"] if beat["level"] else 0, beat["level"], *(int(beat[name]) for name in FLAGS)


def check(shape, beats, **options):
    """Hold a run against the model; returns what became of the samples."""
    dut = InputCheck(*shape)
    admitted = list(admit(shape[0], beats))
    out, tickets, counts, _ = run(dut, beats, **options)
    expected = [without_tag(vars(beat)) for sample in admitted for beat in sample.beats]
    assert [without_tag(beat) for beat in out] == expected
    assert tickets == [(bool(sample.causes), sample.tag) for sample in admitted]
    assert counts.tolist() == [sum(cause in sample.causes for sample in admitted) for cause in CAUSES]
    return admitted


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_broken_samples_spoil_only_themselves(shape, stalls):
    rng = np.random.default_rng(len(str(shape)))
    beats = traffic(rng, shape, 60, 0.5)
    admitted = check(shape, beats, stalls=stalls, hold=0.3 if stalls[0] else 0.0)
    assert len(admitted) == sum(beat.end_sample for beat in beats)
    assert 10 < sum(bool(sample.causes) for sample in admitted) < len(admitted) - 5


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_good_samples_pass_without_a_pause(shape):
    rng = np.random.default_rng(1)
    beats = [beat for _ in range(10) for beat in good_sample(rng, *shape)]
    assert not any(sample.causes for sample in check(shape, beats))
    into, out = run(InputCheck(*shape), beats)[3]
    assert into == list(range(len(beats)))
    assert out == [cycle + InputCheck.latency for cycle in into]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_model_lets_whole_samples_out_only(shape):
    """Whatever comes in: each sample that leaves has all its marks, ascending indices, possible levels."""
    map_, levels, time = shape[0].map, shape[0].levels, shape[0].time
    rng = np.random.default_rng(2)
    _, position = time.places(map_.positions)
    for sample in admit(shape[0], traffic(rng, shape, 200, 0.9)):
        marks = [beat for beat in sample.beats if beat.end_position]
        assert [beat.end_step for beat in marks] == (position == map_.positions - 1).tolist()
        assert [beat.end_sample for beat in marks] == [False] * (len(position) - 1) + [True]
        below = -1
        for beat in sample.beats:
            assert 0 <= beat.level <= levels
            assert beat.level or beat.end_position
            assert not beat.level or below < beat.index < map_.channels
            below = -1 if beat.end_position else beat.index


def test_every_cause_is_named_alone():
    shape = (DENSE, 0)
    end = (True, True, True)
    cases = {
        "index": [Beat(5, 1, *end)],
        "order": [Beat(3, 1), Beat(3, 1, *end)],
        "level": [Beat(0, 5, *end)],
        "marks": [Beat(0, 1, True), Beat(1, 1, *end)],
    }
    for cause, beats in cases.items():
        assert [sample.causes for sample in check(shape, beats)] == [(cause,)]
    assert set(cases) == set(CAUSES)


def test_a_result_waits_for_the_end_of_its_sample():
    """A sample with too many positions is not answered before its `end_sample`."""
    shape = (EventStream(Map(2), 1, Time(1, "position_major")), 0)
    out, tickets, _, _ = run(InputCheck(*shape), [Beat(0, 1, True, True, False)] * 5)
    assert (out, tickets) == ([], [])
    beats = [Beat(0, 1, True, True, False)] * 5 + [Beat(0, 0, True, True, True)]
    _, tickets, _, _ = run(InputCheck(*shape), beats)
    assert tickets == [(1, 0)]

"""Levels as bits: packed and unpacked, in software and in gateware, and what an abort does."""

import numpy as np
import pytest
from amaranth.hdl import Value
from stream_bench import STALLS, Sink, Source, simulate, stream_run

from spikefold.ir.maps import Map
from spikefold_hw.host.uart.levels import LevelDecoder, pack_levels, unpack_levels
from spikefold_hw.order import Time
from spikefold_hw.streams import EventStream

LARGEST = (1, 3, 10, 16)


def samples_of(rng, levels, size, count):
    x = rng.integers(1, levels + 1, (count, size)) * (rng.random((count, size)) < rng.random((count, 1)))
    x[0] = 0
    return x


def words(samples):
    """What the decoder offers for whole samples."""
    return [
        {"levels": int(level), "last": int(k == len(sample) - 1), "broken": 0}
        for sample in samples
        for k, level in enumerate(sample)
    ]


def seen(beats):
    return [{**beat, "levels": next(iter(beat.values()))} for beat in beats]


@pytest.mark.parametrize("levels", LARGEST)
def test_samples_come_back(levels):
    x = samples_of(np.random.default_rng(levels), levels, 23, 9)
    data = b"".join(pack_levels(sample, levels) for sample in x)
    assert unpack_levels(data, levels, 23) == x.tolist()


def test_known_bits():
    assert pack_levels(np.array([[0, 3], [1, 0]]), 4) == bytes([0b0_001_101_0])


def test_a_picture_takes_fewer_bytes_than_dense_levels_or_events():
    x = np.where(np.arange(64) % 2, 7, 0)  # as many zeros as digits have
    assert len(pack_levels(x, 16)) == 24
    assert min(64 * 5 // 8, 32 * (6 + 5) // 8) > 24


def decoder(levels, size):
    return LevelDecoder(EventStream(Map(size), levels, Time(1, "step_major")))


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("levels", LARGEST)
def test_the_decoder_is_its_model(levels, stalls):
    x = samples_of(np.random.default_rng(levels + 1), levels, 11, 6)
    dut = decoder(levels, 11)
    data = b"".join(pack_levels(sample, levels) for sample in x)
    record = stream_run(dut, list(data), x.size, stalls=stalls, seed=levels, strobes=["begins"])
    assert [
        next(v for k, v in b.items() if k not in ("last", "broken")) for b in record.beats
    ] == x.ravel().tolist()
    assert [b["last"] for b in record.beats] == ([0] * 10 + [1]) * 6
    assert not any(b["broken"] for b in record.beats)
    assert record.strobes["begins"] == len(x)
    assert dut.model(data) == x.tolist()


@pytest.mark.parametrize("levels", [1, 5])
def test_an_abort_ends_a_sample_as_a_broken_one_and_the_next_is_whole(levels):
    """At a random moment, with random stalls; every sample that has begun has one end."""
    for seed in range(12):
        rng = np.random.default_rng(seed)
        x = samples_of(rng, levels, 7, 4)[1:]
        data = list(b"".join(pack_levels(sample, levels) for sample in x))
        when, found = int(rng.integers(3, 60)), []
        dut = decoder(levels, 7)
        begun = 0

        async def bench(ctx, dut=dut, rng=rng, data=data, when=when, found=found):
            nonlocal begun
            source, sink = Source(data, 0.3, rng), Sink(0.5, True, rng)
            whole = Source(data[: len(data)], 0.3, rng)
            offered = None
            for cycle in range(300):
                abort = cycle == when
                if cycle == when + 1:
                    source = whole
                offered = None if abort else source.choose()
                ready = sink.choose()
                ctx.set(dut.i.valid, offered is not None)
                ctx.set(dut.i.payload, offered or 0)
                ctx.set(dut.abort, abort)
                ctx.set(dut.o.ready, ready)
                _, _, taken, valid, word, begins = await ctx.tick().sample(
                    dut.i.ready, dut.o.valid, Value.cast(dut.o.payload), dut.begins
                )
                begun += begins
                if offered is not None and taken:
                    source.taken()
                if valid and ready:
                    found.append(
                        (
                            word >> (len(Value.cast(dut.o.payload)) - 2) & 1,
                            word >> (len(Value.cast(dut.o.payload)) - 1),
                        )
                    )

        simulate(dut, bench)
        ends = [broken for last, broken in found if last]
        assert len(ends) == begun
        assert sum(ends) <= 1
        assert all(last for last, broken in found if broken)
        assert ends[-3:] == [0, 0, 0]  # those after the abort
        assert [last for last, _ in found][-21:] == ([0] * 6 + [1]) * 3

"""Traces of simulations hold every scope and change nothing."""

import pytest
from sim_toy import SHAPE, contents, random_levels

from spikefold.errors import InputError
from spikefold_sim.beats import encode_beats
from spikefold_sim.native_engine import NativeEngine

LEVELS = random_levels(30)


def lz4(block):
    """What an LZ4 block holds."""
    data, at = bytearray(), 0

    def extended(value, at):
        while value >= 15 and block[at] == 255:
            value, at = value + 255, at + 1
        return (value + block[at], at + 1) if value >= 15 else (value, at)

    while True:
        token = block[at]
        count, at = extended(token >> 4, at + 1)
        data += block[at : at + count]
        at += count
        if at == len(block):
            return bytes(data)
        offset = block[at] | block[at + 1] << 8
        count, at = extended(token & 15, at + 2)
        for _ in range(count + 4):
            data.append(data[-offset])


def fst_hierarchy(path):
    """Names of scopes and signals in an FST file, as the raw bytes of its hierarchy."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        kind, length = data[at], int.from_bytes(data[at + 1 : at + 9])
        if kind == 6:
            block = data[at + 17 : at + 1 + length]
            assert len(lz4(block)) == int.from_bytes(data[at + 9 : at + 17])
            return lz4(block)
        at += 1 + length
    raise AssertionError("no hierarchy in the file")


@pytest.mark.parametrize("suffix", ["fst", pytest.param("vcd", marks=pytest.mark.slow)])
def test_traces(toy, cache, tmp_path, suffix):
    trace = tmp_path / f"out.{suffix}"
    engine = NativeEngine(toy, cache)
    plain, traced = (
        engine.run(encode_beats(LEVELS, SHAPE)),
        engine.run(encode_beats(LEVELS, SHAPE), trace=trace),
    )
    assert contents(plain) == contents(traced)
    assert [path.name for path in tmp_path.iterdir()] == [trace.name]
    names = fst_hierarchy(trace) if suffix == "fst" else trace.read_bytes()
    assert trace.stat().st_size > 1000
    assert b"layer0" in names
    assert b"probe_hidden" in names


def test_an_unknown_kind_of_trace_is_refused(toy, cache, tmp_path):
    engine = NativeEngine(toy, cache)
    with pytest.raises(InputError, match=r"^Trace file must end in \.fst, \.vcd or \.saif, not 'out\.txt'$"):
        engine.run(encode_beats(LEVELS, SHAPE), trace=tmp_path / "out.txt")
    with pytest.raises(InputError, match=r"^Trace file's folder must exist, not be missing: "):
        engine.run(encode_beats(LEVELS, SHAPE), trace=tmp_path / "no" / "out.vcd")

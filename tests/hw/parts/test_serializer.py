"""Serializer against its model, and its documented cycles."""

from itertools import product

import numpy as np
import pytest
from amaranth.hdl import signed, unsigned
from pairwise import pairwise
from stream_bench import STALLS, pack, simulate, stream_run

from spikefold_hw.parts.serializer import Serializer

OPTIONS = {
    "units": (1, 2, 3, 4, 5, 8),
    "words": (1, 2, 7),
    "shape": (unsigned(1), unsigned(6), signed(20)),
    "flags": (1, 3),
    "bare": (0.0, 0.3, 1.0),
    "stalls": STALLS,
}


def random_words(rng, count, *, units, words, shape, flags, bare):
    """Arguments of `Serializer.model` for each word: values over their full range, from silent to full."""
    low = -(1 << (shape.width - 1)) if shape.signed else 0
    high = low + (1 << shape.width) - 1
    found = []
    for k in range(count):
        values = rng.integers(low, high + 1, units)
        values[rng.integers(units)] = rng.choice([low, high])
        found.append(
            {
                "word": k % words,
                "values": [int(value) for value in values],
                "send": [bool(sends) for sends in rng.random(units) < rng.choice([0, 0.1, 0.5, 1])],
                "bare": bool(rng.random() < bare),
                "flags": int(rng.integers(1 << flags)),
            }
        )
    return found


def word_beat(word, values, send, bare, flags):
    """What a word is on the input."""
    mask = sum(sends << k for k, sends in enumerate(send))
    return {"word": word, "send": mask, "bare": int(bare), "flags": flags} | dict(enumerate(values))


def check_words(serializer, words, **options):
    """Returns the record, and the beats of every word."""
    expected = [serializer.model(**word) for word in words]
    beats = [beat for word in expected for beat in word]
    record = stream_run(serializer, [word_beat(**word) for word in words], len(beats), **options)
    names = ("index", "value", "last", "flags")
    assert record.beats == [dict(zip(names, map(int, beat), strict=True)) for beat in beats]
    return record, [len(word) for word in expected]


@pytest.mark.parametrize("options", pairwise(OPTIONS), ids=lambda o: "-".join(map(str, o.values())))
def test_words_with_any_two_options(options):
    options = dict(options)
    stalls, rng = options.pop("stalls"), np.random.default_rng(len(str(options)))
    words = random_words(rng, 60, **options)
    sizes = {name: options[name] for name in ("words", "units", "shape", "flags")}
    check_words(Serializer(**sizes), words, stalls=stalls)


@pytest.mark.parametrize("units", [1, 2, 3])
def test_every_choice_of_values(units):
    """Each mask comes after each other one, with and without a bare beat for the empty one."""
    masks = list(product(product((False, True), repeat=units), (False, True)))
    pairs = [word for pair in product(masks, repeat=2) for word in pair]
    words = [
        {
            "word": k % 3,
            "values": [(k + place) % 16 for place in range(units)],
            "send": list(send),
            "bare": bare,
            "flags": k % 2,
        }
        for k, (send, bare) in enumerate(pairs)
    ]
    check_words(Serializer(3, units, unsigned(4), 1), words)


@pytest.mark.parametrize("units", [1, 2, 5, 8])
def test_latency_and_pace(units):
    """A word of k beats takes max(1, k) cycles, and its first beat leaves two cycles after it was taken."""
    rng = np.random.default_rng(units)
    words = random_words(rng, 80, units=units, words=4, shape=unsigned(5), flags=1, bare=0.3)
    record, counts = check_words(Serializer(4, units, unsigned(5), 1), words)
    paces = np.maximum(counts, 1)
    assert record.taken == [0, *np.cumsum(paces)[:-1]]
    assert record.left == [
        taken + Serializer.latency + k
        for taken, count in zip(record.taken, counts, strict=True)
        for k in range(count)
    ]


def test_words_without_a_beat_pass_while_one_waits():
    serializer = Serializer(4, 2, unsigned(3), 1)
    shape, ready = serializer.i.payload.shape(), []

    async def bench(ctx):
        ctx.set(serializer.i.valid, 1)
        for cycle, mask in enumerate((1, 0, 0, 0, 1, 0)):
            ctx.set(serializer.o.ready, cycle == 1)
            word = {"send": mask, 0: 5}
            ctx.set(serializer.i.payload.as_value(), pack(word, shape))
            _, _, accepts = await ctx.tick().sample(serializer.i.ready)
            ready.append(accepts)

    simulate(serializer, bench)
    # The first word's beat waits on the output, the fifth word's behind it.
    assert ready == [1, 1, 1, 1, 1, 0]

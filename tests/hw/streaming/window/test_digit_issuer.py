"""DigitIssuer: every digit of a slot in a cycle, with its row of weights."""

import pytest
from projection_bench import issued_by
from shape_samples import ONE_STEP, projection_shape
from stream_bench import STALLS, stream_run

from spikefold.ir.coding import CODINGS, digits_of
from spikefold_hw.streaming.window.digit_issuer import DigitIssuer


@pytest.mark.parametrize("stalls", STALLS)
@pytest.mark.parametrize("coding", CODINGS)
def test_issuer_takes_slots_apart(coding, stalls):
    projection = projection_shape(inputs=3, levels=15, coding=coding)
    slots, expected = [], []
    for level in range(1, 16):
        digits = digits_of(level, coding)
        mask = level if coding != "naf" else sum(1 << shift for shift, _ in digits)
        slot = {"index": level % 3, "pending": mask, "single": int(len(digits) == 1)}
        if coding == "naf":
            slot["negative"] = sum(1 << shift for shift, sign in digits if sign < 0)
        slots += [slot, {"flush": 1}]
        base = 3 * ((level - 1) % 2)
        expected += [(base + level % 3, *digit, False) for digit in digits]
        expected.append((0, 0, 0, True))
    dut = DigitIssuer(projection.weights, blocks=2, positions=1, time=ONE_STEP)
    record = stream_run(dut, slots, len(expected), stalls=stalls)
    assert issued_by(record) == expected
    if stalls == (0, 0):
        assert record.left == list(range(DigitIssuer.latency, DigitIssuer.latency + len(expected)))

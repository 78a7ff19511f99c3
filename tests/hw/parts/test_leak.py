"""Leaks of channels: what is stored of them, and which other leaks the hardware can do."""

import json

import numpy as np
import pytest
from random_networks import chain_network

from spikefold.errors import InputError, ModelError
from spikefold.ir import ShiftSum, ShiftSums
from spikefold_hw.parts.leak import (
    LeakTerm,
    code_fields,
    code_rows,
    covers,
    leak_adders,
    leak_shape,
    leak_stages,
    precision_of,
)
from spikefold_hw.streaming.plan import Plan
from spikefold_hw.streaming.planning import plan_of

SUMS = tuple(
    map(
        ShiftSum,
        (
            ((1, 0), (-1, 4), (1, 7)),
            ((1, 0), (1, 5)),
            ((-1, 4), (1, 1)),
            (),
            ((1, 0), (-1, 4)),
        ),
    )
)
EACH = ShiftSums(SUMS)
SHAPE = (
    LeakTerm((0, 1), (1,), True),
    LeakTerm((4, 5), (1, -1), True),
    LeakTerm((7,), (1,), True),
)


def test_terms_are_those_that_occur():
    assert leak_shape(EACH) == SHAPE
    assert leak_shape(SUMS[0]) == SUMS[0]
    assert (precision_of(SHAPE), precision_of(SUMS[1])) == (7, 5)
    assert (leak_stages(SHAPE), leak_stages(SUMS[1])) == (4, 2)
    assert (leak_adders(SHAPE), leak_adders(SUMS[1])) == (4 + 1 + 1 + 1, 2)


def decoded(code, term):
    """What a code says, read bit by bit: `(sign, shift)` or None."""
    place, sign = code & ((1 << term.place_bits) - 1), code >> term.place_bits
    if place >= len(term.shifts):
        return None
    return (-1 if len(term.signs) > 1 and sign else term.signs[0], term.shifts[place])


@pytest.mark.parametrize("leak", [EACH, SUMS[1], ShiftSum(())])
def test_codes_say_every_term(leak):
    rows = code_rows(leak, SHAPE, len(SUMS))
    assert {name: 1 << bits for name, bits in code_fields(SHAPE).items()} == {
        "leak0": 4,
        "leak1": 8,
        "leak2": 2,
    }
    assert list(rows) == list(code_fields(SHAPE))
    for channel, each in enumerate(getattr(leak, "channels", (leak,) * len(SUMS))):
        terms = [decoded(int(rows[f"leak{k}"][channel]), term) for k, term in enumerate(SHAPE)]
        assert ShiftSum(tuple(term for term in terms if term is not None)).value == each.value


def test_what_is_alike_in_all_channels_is_not_stored():
    each = ShiftSums((ShiftSum(((1, 0), (-1, 3))), ShiftSum(((1, 0), (-1, 4)))))
    shape = leak_shape(each)
    assert code_fields(shape) == {"leak1": 1}
    np.testing.assert_array_equal(code_rows(each, shape, 2)["leak1"], [0, 1])
    assert code_fields(SUMS[0]) == code_rows(SUMS[0], SUMS[0], 2) == {}


@pytest.mark.parametrize(
    ("own", "fits"),
    [
        (EACH, True),
        (SUMS[0], True),
        (ShiftSum(()), True),
        (ShiftSum(((1, 1), (1, 4), (1, 7))), True),
        (ShiftSums((SUMS[1], SUMS[2])), True),
        (ShiftSum(((1, 2),)), False),
        (ShiftSum(((-1, 0),)), False),
        (ShiftSum(((1, 0), (1, 6))), False),
        (ShiftSum(((1, 0), (1, 4), (1, 7), (1, 7))), False),
        (ShiftSums((SUMS[1], ShiftSum(((1, 2),)))), False),
    ],
)
def test_hardware_does_leaks_of_its_terms(own, fits):
    assert covers(SHAPE, leak_shape(own)) == fits


def test_a_term_that_all_channels_have_must_be_there():
    built = leak_shape(ShiftSums((ShiftSum(((1, 0), (-1, 3))), ShiftSum(((1, 0), (-1, 4))))))
    assert covers(built, ShiftSum(((1, 0), (-1, 4))))
    assert not covers(built, ShiftSum(((1, 0),)))
    assert not covers(built, leak_shape(ShiftSums((ShiftSum(((1, 0), (-1, 4))), ShiftSum(((1, 0),))))))


def test_hardware_of_one_leak_does_that_alone():
    assert covers(SUMS[0], SUMS[0])
    assert not covers(SUMS[0], SUMS[1])
    assert not covers(SUMS[0], SHAPE)


@pytest.mark.parametrize("shifts", [(), (1, 0), (0, 0), (-1,), (16,)])
def test_shifts_of_a_broken_plan_are_refused(shifts):
    with pytest.raises(
        ModelError, match=r"^Shifts of a leak's term must be some of 0\.\.15, ascending, not "
    ):
        LeakTerm(shifts, (1,), False)


@pytest.mark.parametrize("signs", [(), (-1, 1), (0,), (2,)])
def test_signs_of_a_broken_plan_are_refused(signs):
    with pytest.raises(ModelError, match=r"^Signs of a leak's term must be 1, -1 or both, 1 first, not "):
        LeakTerm((0,), signs, False)


def test_a_plan_with_leaks_of_channels_comes_back():
    """In the manifest of a build a leak of all channels stays a table, those of channels are a list."""
    network = chain_network(np.random.default_rng(3), steps=2, leak="each")
    plan = plan_of(network, {"layer0": 2, "readout": 1})
    data = json.loads(json.dumps(plan.to_json()))
    assert isinstance(data["stages"][0]["neuron"]["leak"], list)
    assert Plan.from_json(data) == plan
    data["stages"][0]["neuron"]["leak"][0]["shifts"] = []
    with pytest.raises(InputError, match=r"^Shifts of a leak's term must be "):
        Plan.from_json(data)

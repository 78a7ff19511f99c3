"""Goals out of reach: what is needed, what binds, and what can be reached."""

import re

import numpy as np
import pytest
from plans import chosen

from spikefold.errors import InputError
from spikefold.numbers import number
from spikefold_hw.streaming.architecture import ARCHITECTURE
from spikefold_hw.streaming.choose.goal import cost_of, slowest
from spikefold_hw.streaming.choose.search import cheapest


def test_rate_out_of_reach_names_stage_and_factor(case, options):
    network, levels = case
    fastest = cheapest(options, 0)
    name = slowest(fastest)
    cycles = fastest[name].pace.cycles
    with pytest.raises(InputError) as error:
        chosen(network, levels, fps=3e8 / cycles)
    text = str(error.value)
    assert re.match(r"Frames per second must be at most [\d.e+]+ at 100 MHz, not ", text)
    assert repr(name) in text or name == "input"
    assert "3 times the" in text
    reached = float(re.search(r"at most ([\d.]+)", text)[1])
    assert 0.99 * 1e8 / cycles <= reached <= 1e8 / cycles


def test_rate_with_given_lanes(case):
    network, levels = case
    with pytest.raises(InputError, match=r"the digits of 'layer1' take, on the 1 lanes it was given"):
        chosen(network, levels, lanes={"layer1": 1}, fps=20000)


def test_lut_budget_too_small(case, options):
    network, levels = case
    smallest = cheapest(options, np.inf)
    luts = cost_of(smallest)[0]
    largest = max(smallest, key=lambda name: smallest[name].luts)
    with pytest.raises(InputError) as error:
        chosen(network, levels, lut_budget=luts - 7)
    text = str(error.value)
    assert text.startswith(f"LUT budget must be at least {number(luts)}, not ")
    assert f"needs 7 more by estimate; the largest stage is {largest!r}" in text


def test_lut_budget_too_small_for_a_rate(case):
    network, levels = case
    with pytest.raises(InputError, match=r"^LUT budget must be at least .*: 2000 frames per second need "):
        chosen(network, levels, fps=2000, lut_budget=100)


def test_memory_budget(case, options):
    network, levels = case
    smallest = cheapest(options, np.inf)
    bits = cost_of(smallest)[1]
    _, plan = chosen(network, levels, memory_budget=bits)
    assert ARCHITECTURE.cost(plan).memory_bits <= bits
    with pytest.raises(InputError) as error:
        chosen(network, levels, memory_budget=bits - 1)
    text = str(error.value)
    assert text.startswith(f"Memory budget must be at least {number(bits)} bits, not ")
    assert "the smallest design needs 1 more; the largest memories are layer" in text
    sizes = [int(n.replace(" ", "")) for n in re.findall(r"\(([\d ]+)\)", text)]
    assert sizes == sorted(sizes, reverse=True)
    assert len(sizes) == 3

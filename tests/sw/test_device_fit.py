"""Whether memory fits a device, and what would help where it does not."""

from dataclasses import replace

import pytest
from conv_case import conv_network

import spikefold.device_fit
from spikefold.device_fit import memory_fit
from spikefold.numbers import number
from spikefold_boards.fpgas import FPGAS
from spikefold_hw.cost import Cost
from spikefold_hw.streaming.architecture import ARCHITECTURE
from spikefold_hw.streaming.planning import plan_of


@pytest.fixture(scope="module")
def cost():
    network = conv_network(bits=8)
    return ARCHITECTURE.cost(plan_of(network, {p.name: 1 for p in network.populations}))


def test_memory_fit(cost):
    found = memory_fit(cost, "ecp5-85k")
    assert found["fits"]
    assert found["memory_bits"] == cost.memory_bits
    weights = sum(p.weight.size * p.bits for s in conv_network(bits=8).populations for p in s.projections)
    identities = 16 * 8
    assert found["weight_bits"] == weights - identities


def test_memory_that_does_not_fit(monkeypatch, cost):
    network = conv_network(bits=8)
    bits, weights = cost.memory_bits, memory_fit(cost, "xc7")["weight_bits"]
    plan = plan_of(network, {p.name: 1 for p in network.populations})
    rows = [
        (p.weight_bits, layer.lanes * layer.lanes_shape.rows(port))
        for layer in plan.layers
        for port, p in enumerate(layer.projections)
    ]
    four, one = sum(min(width, 4) * count for width, count in rows), sum(count for _, count in rows)

    def reason(room):
        small = replace(FPGAS["xc7"], block_ram_bits=room)
        monkeypatch.setattr(spikefold.device_fit, "find_fpga", lambda name: small)
        return memory_fit(cost, "xc7")["reason"]

    text = reason(bits - 1)
    assert text.startswith(
        f"memory of {number(bits)} bits exceeds the {number(bits - 1)} bits of block RAM of xc7"
    )
    assert f"by 1; weights take {number(weights)} of it; weights of at most 7 bits would fit" in text
    assert "ecp5-85k" in text
    assert "weights of at most 4 bits would fit" in reason(bits - weights + four)
    assert "weights of at most 1 bit would fit" in reason(bits - weights + one)
    assert "weights of" not in reason(bits - weights + one - 1)
    monkeypatch.setattr(spikefold.device_fit, "FPGAS", {})
    assert reason(1).endswith("neither one-bit weights nor any known device would do: use a smaller network")


def test_memories_in_single_port_ram_need_no_block_ram():
    memories = {"a_weight0": (16, 20_000), "a_weight1": (20, 100), "a_state": (8, 1000)}
    cost = Cost(memories, {4: 80_500}, 1000, frozenset(["a_weight0", "a_weight1"]))
    found = memory_fit(cost, "ice40-up5k")
    assert found["fits"]
    assert (found["memory_bits"], found["spram_bits"]) == (330_000, 322_000)
    assert not memory_fit(replace(cost, memories={**memories, "a_weight1": (33, 100)}), "ice40-up5k")["fits"]
    assert memory_fit(cost, "ice40-hx8k")["spram_bits"] == 0
    assert not memory_fit(cost, "ice40-hx8k")["fits"]

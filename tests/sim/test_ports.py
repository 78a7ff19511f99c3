import dataclasses

import numpy as np

from spikefold.flow.artefact import Clock
from spikefold.flow.ports import EventFormat
from spikefold.ir import Add, Conv, Dense, Identity, Input, Map, Network, Neuron, Pool, Population
from spikefold_hw.streaming.architecture import ARCHITECTURE
from spikefold_hw.streaming.planning import plan_of
from spikefold_sim.beats import StreamShape
from spikefold_sim.dut import ports_of, shapes_of
from spikefold_sim.wrapper import wrapper_header, wrapper_verilog


def test_the_harness_is_the_same_text_every_time(toy):
    text = wrapper_verilog(toy)
    assert wrapper_verilog(toy) == text
    assert "  toy_top dut (" in text
    assert "= dut.core.probe_hidden;" in text
    assert ".i__payload__level(i_beat[7:4])" in text
    assert "constexpr int PROBES = 1;" in wrapper_header(toy.ports)


def test_the_harness_knows_clock_and_reset_by_name(toy):
    text = wrapper_verilog(dataclasses.replace(toy, clock=Clock("ck", "clear")))
    assert ".ck(clk)" in text
    assert ".clear(rst)" in text


def test_a_load_stream_is_joined_where_there_is_one(toy, loadable):
    assert ".load__payload(i_byte[7:0])" in wrapper_verilog(loadable)
    assert "load__payload" not in wrapper_verilog(toy)


def resnet():
    """A padded image, a convolution, a pool, a convolution with a shortcut, a sum and a readout."""
    rng = np.random.default_rng(0)

    def layer(name, *projections, channels=4, neuron=True):
        neuron = Neuron(levels=5, threshold=np.full((1, channels), 9)) if neuron else None
        return Population(name, projections, np.zeros((1, channels), int), 0, neuron)

    def weight(*shape):
        return rng.integers(-3, 4, (1, *shape))

    stages = (
        layer("stem", Conv("input", weight(4, 2, 3, 3), 3)),
        Pool("pool", "stem", "sum", (2, 2), (2, 2)),
        layer("block", Conv("pool", weight(4, 4, 1, 1), 3), Identity("pool", weight(4), 3)),
        Add("sum", ("pool", "block")),
        layer("hidden", Dense("sum", weight(4, 16), 3)),
        layer("readout", Dense("hidden", weight(3, 4), 3), channels=3, neuron=False),
    )
    image = Input((2, 4, 4), 10, padding=(1, 1), pad_levels=(3, 4))
    return Network(image, 2, stages, "tiny")


def test_interface_of_a_residual_network():
    network = resnet()
    plan = plan_of(network, {p.name: 2 for p in network.populations})
    interface = ARCHITECTURE.interface(plan)
    ports, shapes = ports_of(interface), shapes_of(interface)
    assert not ports.load
    assert ports.stimulus == EventFormat(index_bits=1, level_bits=4)
    assert [probe.path for probe in ports.probes] == [
        f"core.probe_{name}" for name in ("stem", "pool", "block", "sum", "hidden")
    ]
    widths = [(probe.format.index_bits, probe.format.level_bits) for probe in ports.probes]
    assert widths == [(2, 3), (2, 5), (2, 3), (2, 5), (2, 3)]
    assert ports.result.classes == 3
    assert shapes["input"] == StreamShape(Map(2, 6, 6), plan.input.time)
    assert shapes["pool"] == StreamShape(Map(4, 2, 2), plan.time)
    assert shapes["hidden"] == StreamShape(Map(4), plan.time)
    assert set(shapes) == {"input", *(probe.name for probe in ports.probes)}
    assert ports_of(dataclasses.replace(interface, loaded=True)) == dataclasses.replace(ports, load=True)

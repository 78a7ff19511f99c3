import dataclasses

import numpy as np
import pytest
from sim_toy import FORMAT, LOADABLE, PORTS

from spikefold.errors import InputError
from spikefold.ir import Add, Conv, Dense, Identity, Input, Map, Network, Neuron, Pool, Population
from spikefold_hw.streaming.architecture import ARCHITECTURE
from spikefold_hw.streaming.planning import plan_of
from spikefold_sim.beats import StreamShape
from spikefold_sim.dut import ports_of, shapes_of
from spikefold_sim.ports import BEAT, EventFormat, Ports, Probe, ResultFormat
from spikefold_sim.wrapper import wrapper_header, wrapper_verilog


def test_event_words():
    stream = np.array([(5, 3, True, False, True), (15, 7, False, True, False)], BEAT)
    words = FORMAT.pack(stream)
    assert words.tolist() == [5 | 3 << 4 | 1 << 8 | 1 << 10, 15 | 7 << 4 | 1 << 9]
    assert FORMAT.unpack(words).tolist() == stream.tolist()


@pytest.mark.parametrize("logit", [-(1 << 11), -1, 0, (1 << 11) - 1])
def test_result_words_are_sign_extended(logit):
    word = (logit & 0xFFF) | 2 << 12 | 1 << 14 | 1 << 16
    results = PORTS.result.unpack(np.array([word], np.uint64))
    assert results.tolist() == [(logit, 2, 1, True)]


def test_a_single_class_has_no_index_bits():
    narrow = ResultFormat(logit_bits=8, class_bits=0, classes=1)
    assert narrow.unpack(np.array([0x1FF], np.uint64)).tolist() == [(-1, 0, 0, True)]


def test_values_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"^Stimulus level must fit in 4 bits, not 16$"):
        FORMAT.pack(np.array([(0, 16, True, True, True)], BEAT))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: EventFormat(4, 0), r"^Level width must be 1 to 29, not 0$"),
        (lambda: ResultFormat(62, 4, 3), r"^Result payload must fit in 64 bits, not 71$"),
        (lambda: ResultFormat(8, 1, 3), r"^Class count must be 1 to 2 at class width 1, not 3$"),
        (lambda: Probe("a", "b c", FORMAT), r"^Probe path must be identifiers joined by dots, not 'b c'$"),
        (lambda: Ports("2x", FORMAT, PORTS.result), r"^Top module must be a Verilog identifier, not '2x'$"),
        (
            lambda: Ports("x", FORMAT, PORTS.result, PORTS.probes * 2),
            r"^Probe names must be unique, not 'hidden' twice$",
        ),
        (
            lambda: Ports("x", FORMAT, PORTS.result, tuple(Probe(f"p{k}", "p", FORMAT) for k in range(1025))),
            r"^Probe count must be 0 to 1024, not 1025$",
        ),
    ],
)
def test_impossible_ports_are_refused(build, message):
    with pytest.raises(InputError, match=message):
        build()


def test_the_harness_is_the_same_text_every_time():
    assert wrapper_verilog(PORTS) == wrapper_verilog(PORTS)
    assert "= dut.core.probe_hidden;" in wrapper_verilog(PORTS)
    assert ".i__payload__level(i_beat[7:4])" in wrapper_verilog(PORTS)
    assert "constexpr int PROBES = 1;" in wrapper_header(PORTS)


def test_a_load_stream_is_joined_where_there_is_one():
    assert ".load__payload(i_byte[7:0])" in wrapper_verilog(LOADABLE)
    assert "load__payload" not in wrapper_verilog(PORTS)


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
    assert (ports.top, ports.load) == ("tiny_top", False)
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

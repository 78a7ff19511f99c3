"""What designs and results show of themselves in a terminal and in a notebook."""

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import numpy as np
import pytest
from cli_case import features, tiny_model
from conv_case import conv_network

import spikefold
from spikefold.numbers import number
from spikefold.picture import notes_of, pipeline_svg
from spikefold.results import Simulation, Verification
from spikefold_sim.scoreboard import Mismatch


@pytest.fixture(scope="module")
def tiny():
    return spikefold.compile(tiny_model(), name="tiny", data=features(60))


@pytest.fixture(scope="module")
def graph():
    return spikefold.compile(conv_network(steps=2), name="graph")


VERIFIED = Verification(3, 0, None, 19.0, 19.0, True, 40, 1.5, "verilator 5.048", 61.2)


def test_names_of_the_package():
    assert {"compile", "load", "Design", "Simulation", "Verification", "nn", "train"} <= set(dir(spikefold))
    for name in dir(spikefold):
        assert getattr(spikefold, name) is not None
    assert spikefold.nn.PIT is not None
    with pytest.raises(AttributeError, match=r"has no attribute 'fold_all'$"):
        _ = spikefold.fold_all


def test_a_design_is_one_line(tiny, graph):
    accuracy = tiny.summary["accuracy_integer"]
    bits = number(tiny.summary["memory_bits"])
    line = f"2 stages, 12 lanes, {bits} bits of memory, integer accuracy {accuracy:.2f} %"
    assert repr(tiny) == f"<Design 'tiny': {line}>"
    assert "accuracy" not in repr(graph)
    assert "7 stages" in repr(graph)


def test_results_are_one_line():
    assert repr(VERIFIED) == (
        "<Verification passed, 3 samples in verilator 5.048: every level of every layer equals the golden "
        "model, every result in the predicted cycle>"
    )
    stalled = replace(VERIFIED, cycle_exact=None, cycles_predicted=None)
    assert repr(stalled).endswith("every level of every layer equals the golden model>")
    first = Mismatch(0, "layer0", 1, None, 0, 3, 2, "wrong level")
    assert repr(replace(VERIFIED, mismatches=2, first=first)).startswith(
        f"<Verification FAILED, 3 samples in verilator 5.048: 2 mismatches; first: {first}"
    )
    assert "not 19" in repr(replace(VERIFIED, cycle_exact=False, cycles_per_sample=20.0))
    numbers = np.arange(40)
    simulation = Simulation(numbers[:, None], numbers % 3, 4100, numbers, numbers, 0.5, {"samples": 40}, 2.0)
    assert repr(simulation) == (
        "<Simulation of 40 samples in 4 100 cycles: classes 0 1 2 0 1 2 0 1 2 0 1 2 ..>"
    )


def test_notebooks_get_tables_and_a_picture(tiny, graph):
    for design in (tiny, graph):
        page = ET.fromstring(design._repr_html_())
        assert page.find(".//caption").text == design.name
        boxes = [text.text for text in page.iterfind(".//text") if text.get("class") != "note"]
        assert boxes == ["input", *(stage.name for stage in design.network.stages)]
    html = ET.fromstring(VERIFIED._repr_html_())
    assert html.find("caption").text == "Verification passed"
    failed = ET.fromstring(replace(VERIFIED, cycle_exact=False)._repr_html_())
    assert failed.find("caption").text == "Verification failed"


def edges_of(svg):
    return re.findall(r'class="edge" d="([^"]+)"', svg)


def test_an_edge_for_every_source(graph):
    summary = graph.summary
    svg = pipeline_svg(summary["graph"], notes_of(summary))
    assert len(edges_of(svg)) == sum(len(stage["sources"]) for stage in summary["graph"]) == 10
    around = [edge for edge in edges_of(svg) if "Q" in edge]
    assert len(around) == 3
    assert len({edge.split("H")[1].split("Q")[0] for edge in around}) == 2  # 1 to 3 and 3 to 5 share one


def test_edges_that_do_not_meet_share_a_track():
    names = ["input", "a", "b", "c", "d"]
    graph = [
        {"name": name, "kind": "population", "shape": [2], "sources": sources}
        for name, sources in zip(names, [[], ["input"], ["a", "input"], ["b"], ["c", "b"]], strict=True)
    ]
    around = [edge.split("H")[1].split("Q")[0] for edge in edges_of(pipeline_svg(graph, {})) if "Q" in edge]
    assert len(around) == 2
    assert len(set(around)) == 1


def test_names_are_escaped():
    graph = [{"name": "<b>", "kind": "input", "shape": [2], "sources": []}]
    assert "<b>" not in pipeline_svg(graph, {})

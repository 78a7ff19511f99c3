import re
import xml.etree.ElementTree as ET

import pytest
from cli_case import features, tiny_model
from conv_case import conv_network

import spikefold
from spikefold.numbers import number
from spikefold.report import report_html


@pytest.fixture(scope="module")
def design():
    x, y = features(60)
    return spikefold.compile(tiny_model(steps=2), name="tiny", data=(x, y))


def bare(summary):
    missing = ("accuracy_float", "accuracy_integer", "calibration", "quantization", "synthesis")
    return {**summary, **dict.fromkeys(missing)}


def test_shows_what_the_summary_holds(design):
    summary, page = design.summary, report_html(design.summary)
    assert f"{summary['accuracy_integer']:.2f} %" in page
    assert f"{number(summary['memory_bits'])} bits of memory" in page
    assert f"{number(summary['calibration']['cycles_interval'])} cycles between" in page
    for layer in summary["quantization"]["layers"]:
        assert f"{100 * layer['weight_rms']:.2f} %" in page
    for layer, lanes in summary["lanes"].items():
        assert re.search(rf"<td>{layer}</td><td>[\d×]+</td><td>{lanes}</td>", page)
    for source, coding in summary["coding"].items():
        assert f"<td>{source}</td><td>{coding}</td>" in page
    for source, rate in summary["calibration"]["firing"].items():
        assert re.search(rf"<td>{source}</td>.*{100 * rate:.1f} %", page)
    assert page.count("<title>level ") == sum(map(len, summary["calibration"]["levels"].values()))


def rows_of(page):
    """Texts of the cells of the pipeline's rows."""
    table = page.split("<h2>Pipeline</h2>")[1].split("</table>")[0]
    return [
        [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
        for row in re.findall(r"<tr[^>]*>(.*?)</tr>", table, re.DOTALL)[1:]
    ]


@pytest.fixture(scope="module")
def large():
    """A graph with pools, a sum, and layers of several sources."""
    options = {"device": "ice40-up5k", "lanes": {"layer1": 2}, "order": "step-major"}
    return spikefold.compile(conv_network(steps=2, bits=8), name="large", **options)


def test_pipeline_of_a_graph(large):
    summary, page = large.summary, report_html(large.summary)
    pipeline = summary["calibration"]["pipeline"]
    rows = rows_of(page)
    assert [row[0] for row in rows] == [row["stage"] for row in pipeline["stages"]] + ["total"]
    for shown, row in zip(rows, pipeline["stages"], strict=False):
        assert shown[1] == "×".join(map(str, row["map"]))
        assert shown[2] == str(row["lanes"] or "–")
        assert number(row["cycles"]) in shown[4]
        assert shown[5] == row["bound"]
        assert shown[7:] == [number(row["memory_bits"]), number(row["luts"])]
    assert rows[-1][7:] == [number(pipeline["total"][what]) for what in ("memory_bits", "luts")]
    assert page.count('class="slowest"') == 1
    for text in (pipeline["limit"]["text"], pipeline["order_reason"]):
        assert text in page
    assert "<strong>does not fit</strong>: memory of" in page


def test_device_that_fits():
    page = report_html(spikefold.compile(conv_network(), device="ecp5-85k").summary)
    assert "ecp5-85k: memory fits its 3 407 872 bits of block RAM" in page


def test_without_measurements(design):
    page = report_html(bare(design.summary))
    assert page.count("not measured") == 2
    assert "Nothing was quantized" in page
    assert "Not measured: nothing was calibrated" in page
    assert page.count("<svg") == 1  # the network


def test_self_contained_and_the_same_twice(design, large):
    page = report_html(design.summary) + report_html(large.summary)
    assert page == report_html(design.summary) + report_html(large.summary)
    assert not re.search(r"https?://|<script|<link|src=|@import|url\(", page)
    assert "None" not in page
    assert "nan" not in page


def test_well_formed(design, large):
    for summary in (design.summary, large.summary, bare(design.summary)):
        body = report_html(summary).split("<head>")[1].split("</head>")[1].removesuffix("</html>\n")
        ET.fromstring(body.rsplit("</html>", 1)[0])


def test_bars_stay_on_their_rails(design):
    page = report_html(design.summary)
    widths = [float(width) for width in re.findall(r'<rect width="([\d.]+)" height="14" class="fill"', page)]
    assert widths
    assert all(0 <= width <= 160 for width in widths)
    assert max(widths) == 160


def test_text_is_escaped(design):
    assert "<b>" not in report_html({**design.summary, "name": "<b>"})
    assert "&lt;b&gt;" in report_html({**design.summary, "name": "<b>"})


FOUND = {
    "verification": {"samples": 1200, "simulator": "verilator 5.048", "passed": True, "verdict": "all equal"},
    "synthesis": {
        "ecp5-85k": {
            **{"device": "ecp5-85k", "fits": True, "lut": 2322, "multipliers": 0, "fmax_mhz": 166.04},
            "reason": None,
        },
        "ice40-up5k": {"device": "ice40-up5k", "fits": False, "reason": "needs 6 000 LUTs"},
    },
}


def test_what_was_verified_and_synthesized(design):
    page = report_html(design.summary)
    assert page.count("not recorded: ") == 2
    page = report_html({**design.summary, **FOUND})
    assert "not recorded" not in page
    assert '<td>Verified with 1 200 samples in verilator 5.048</td><td class="good">all equal</td>' in page
    assert "2 322 LUTs, 0 multipliers, 166.0 MHz" in page
    assert '<span class="bad">does not fit: needs 6 000 LUTs</span>' in page
    wrong = {**FOUND["verification"], "passed": False, "verdict": "2 mismatches"}
    assert '<td class="bad">2 mismatches</td>' in report_html({**design.summary, "verification": wrong})


def test_the_network_is_drawn(large):
    page = report_html(large.summary)
    picture = page.split("<h2>Network</h2>")[1].split("<h2>")[0]
    for stage in large.network.stages:
        assert f">{stage.name}</text>" in picture
    assert page.count('class="edge"') == sum(len(stage.sources) for stage in large.network.stages)

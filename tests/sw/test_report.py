import re
import xml.etree.ElementTree as ET

import pytest
from cli_case import features, tiny_model

import spikefold
from spikefold.report import report_html


@pytest.fixture(scope="module")
def design():
    x, y = features(60)
    return spikefold.compile(tiny_model(steps=2), name="tiny", data=(x, y))


def bare(summary):
    missing = dict.fromkeys(("accuracy_float", "accuracy_integer", "calibration", "quantization"))
    return {**summary, **missing}


def test_shows_what_the_summary_holds(design):
    summary, page = design.summary, report_html(design.summary)
    assert f"{summary['accuracy_integer']:.2f} %" in page
    assert f"{summary['memory_bits']} bits of memory" in page
    assert str(summary["calibration"]["cycles_interval"]) in page
    for layer in summary["quantization"]["layers"]:
        assert f"{100 * layer['weight_rms']:.2f} %" in page
    for layer, lanes in summary["lanes"].items():
        assert re.search(rf"<td>{layer}</td><td>{lanes}</td>", page)
    for source, rate in summary["calibration"]["firing"].items():
        assert re.search(rf"<td>{source}</td>.*{100 * rate:.1f} %", page)
    assert page.count("<title>level ") == sum(map(len, summary["calibration"]["levels"].values()))


def test_without_measurements(design):
    page = report_html(bare(design.summary))
    assert page.count("not measured") == 2
    assert "Nothing was quantized" in page
    assert "Not measured: this design runs on the Verilog of an earlier build" in page
    assert "<svg" not in page


def test_self_contained_and_the_same_twice(design):
    page = report_html(design.summary)
    assert page == report_html(design.summary)
    assert not re.search(r"https?://|<script|<link|src=|@import|url\(", page)
    assert "None" not in page
    assert "nan" not in page


def test_well_formed(design):
    for summary in (design.summary, bare(design.summary)):
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

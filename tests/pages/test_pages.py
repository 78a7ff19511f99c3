"""`report.html` and `analysis.html` in headless Chromium: on a desk and on a telephone, light and dark."""

import pytest
from browser import CHROMIUM, look
from cli_case import features, tiny_model
from conv_case import conv_network

import spikefold
from spikefold.report import report_html

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium, as .ci/run does"
)
WIDTHS = (400, 1280)


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Pages by name: a small and a large report, and two analyses, of one step and of several."""
    from spikefold.analysis import analyze, write_analysis

    folder = tmp_path_factory.mktemp("pages")
    designs = {
        "small": spikefold.compile(tiny_model(), name="small", data=features(60)),
        "large": spikefold.compile(conv_network(steps=2), name="large", device="ice40-up5k"),
    }
    found = {}
    for name, design in designs.items():
        found[name] = folder / f"{name}.html"
        found[name].write_text(report_html(design.summary), "utf-8")
    for steps in (1, 3):
        target = folder / f"analysis{steps}"
        write_analysis(target, analyze(tiny_model(steps=steps), *features(60)), "tiny")
        found[target.name] = target / "analysis.html"
    return found


@pytest.mark.parametrize("name", ["small", "large", "analysis1", "analysis3"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out_and_nothing_is_empty(pages, name, width):
    looked = look(pages[name], width)
    found = looked.found
    assert found["width"] == width
    assert found["scroll"] <= width
    assert found["outside"] == []
    assert found["scrolled"] == [] or width < 1000  # on a desk all is seen at once
    assert found["empty"] == []
    assert len(found["panels"]) > 4
    for panel in found["panels"]:
        assert panel["width"] > 20, panel
        assert panel["height"] > 8, panel
        assert panel["natural"] != 0, panel  # a picture that was not found
    assert looked.uniform() == []


@pytest.mark.parametrize("name", ["small", "analysis1"])
def test_dark_pages_are_dark(pages, name):
    light, dark = look(pages[name], 1280), look(pages[name], 1280, dark=True)
    assert (light.found["dark"], dark.found["dark"]) == (False, True)
    assert light.pixels[2, 2].mean() > 240
    assert dark.pixels[2, 2].mean() < 50
    assert dark.pixels.max() > 180  # and its text is not


def test_faults_are_found(tmp_path):
    page = tmp_path / "bad.html"
    wide = '<table style="width: 900px"><tr><td>wide</td></tr></table>'
    blank = '<svg role="img" width="100" height="50"></svg>'
    page.write_text(
        f"<!DOCTYPE html><html><body><h1>Bad</h1>{wide}<h2>Nothing here</h2><h2>A blank</h2>{blank}"
        '<img src="gone.png" alt="gone" width="50" height="50"></body></html>'
    )
    looked = look(page, 400)
    assert looked.found["scroll"] > 400
    assert looked.found["outside"][0]["tag"] == "table"
    assert [heading["text"] for heading in looked.found["empty"]] == ["Nothing here"]
    assert "svg" in [panel["tag"] for panel in looked.uniform()]
    assert 0 in [panel["natural"] for panel in looked.found["panels"]]

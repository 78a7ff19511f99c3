"""The directory of an analysis and its figures."""

import importlib.util
import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from cli_case import features, tiny_model, tree

from spikefold import nn
from spikefold.analysis import analyze, check_target, write_analysis
from spikefold.analysis.figures import FORMATS, TITLES, along, histograms
from spikefold.errors import InputError, MissingToolError

LANDSCAPE = {"landscape", "landscape_surface"}


@pytest.fixture(scope="module")
def whole():
    """Three steps, an earlier state and a landscape: everything there is to draw."""
    x, y = features(20)
    model, first = tiny_model(steps=3), tiny_model(seed=1, steps=3)
    return analyze(model, x, y, first=first, landscape_points=3)


@pytest.fixture(scope="module")
def plain():
    return analyze(tiny_model(neuron="lif", levels=1), features(8)[0])


@pytest.fixture
def without_matplotlib(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "matplotlib" else find(name)
    )


@pytest.fixture(scope="module")
def written(whole, tmp_path_factory):
    folder = tmp_path_factory.mktemp("analysis") / "a" / "b"
    return folder, write_analysis(folder, whole, "tiny")


def test_files(whole, written):
    folder, names = written
    files = tree(folder)
    assert names == sorted(files)
    pictures = {f"{figure}.{kind}" for figure in TITLES for kind in FORMATS}
    assert set(files) == {"analysis.json", "analysis.html"} | pictures
    assert json.loads(files["analysis.json"]) == {"name": "tiny", **whole.to_json()}
    for name, data in files.items():
        if name.endswith(".png"):
            assert data.startswith(b"\x89PNG\r\n")
        elif name.endswith(".svg"):
            assert ET.fromstring(data).tag.endswith("svg")
    page = files["analysis.html"].decode()
    for figure, title in TITLES.items():
        assert f'src="{figure}.svg"' in page
        assert f"<figcaption>{title}" in page
    assert "<td>neuron1</td><td>PIT</td><td>10</td>" in page
    assert f"{whole.accuracy:.2f} % classified right" in page


def test_same_bytes_again(whole, written, tmp_path):
    write_analysis(tmp_path / "a", whole, "tiny")
    assert tree(tmp_path / "a") == tree(written[0])


def test_stale_figures_go(plain, written, tmp_path):
    shutil.copytree(written[0], tmp_path / "a")
    names = write_analysis(tmp_path / "a", plain)
    assert names == sorted(tree(tmp_path / "a"))
    assert {name.split(".")[0] for name in tree(written[0])} - {
        name.split(".")[0] for name in names
    } == LANDSCAPE | {"membrane_surface"}  # which the plain one, of one step, has not
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_many_steps_and_layers():
    """A colour for each step, labels for every second layer, six rows of panels."""
    torch.manual_seed(0)
    model = nn.models.mlp(12, [4] * 42, 3, steps=9, neuron="qblif", levels=2).eval()
    found = analyze(model, np.full((2, 12), 0.5, np.float32))
    upper, lower, *bars = along.firing(found).axes
    assert len(upper.lines) == 9
    assert len(bars) == 2
    assert [label.get_text() for label in lower.get_xticklabels()] == [f"neuron{k}" for k in range(1, 43, 2)]
    assert len(histograms.levels(found).axes) == 42


def test_numbers_need_no_matplotlib(whole, tmp_path, without_matplotlib):
    with pytest.raises(
        MissingToolError, match=r"^Figures need the package matplotlib; .*spikefold\[plots\].*--no-figures$"
    ):
        check_target(tmp_path / "a")
    with pytest.raises(MissingToolError):
        write_analysis(tmp_path / "a", whole)
    assert not (tmp_path / "a").exists()
    assert write_analysis(tmp_path / "a", whole, figures=False) == ["analysis.json"]


def test_matplotlib_is_not_imported_with_the_package():
    code = "import sys, spikefold.analysis; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_other_files_are_not_touched(plain, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(
        InputError, match=r"^Output directory must be new, empty or .* holds 'notes\.txt', which is"
    ):
        write_analysis(tmp_path, plain)
    with pytest.raises(
        InputError, match=r"^Output must be a directory, but '.*notes\.txt' is a file; name another"
    ):
        write_analysis(tmp_path / "notes.txt", plain)
    assert tree(tmp_path) == {"notes.txt": b"mine"}


def test_an_old_analysis_stays_if_the_new_one_fails(whole, plain, tmp_path, monkeypatch):
    write_analysis(tmp_path / "a", plain, figures=False)
    before = tree(tmp_path)
    monkeypatch.setattr("spikefold.analysis.output.write_atomic", lambda path, data: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_analysis(tmp_path / "a", whole, figures=False)
    assert tree(tmp_path) == before

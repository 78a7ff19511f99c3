"""The tutorial runs from top to bottom and shows what its text says."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.ipynb"


def run(notebook, folder):
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def shown(notebook):
    """Texts of all outputs, by cell."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [
        "".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs)
        for cell in cells
    ]


def begins(text):
    return re.sub(r"[\d.]+", "#", text).split()[:2]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Jupyter's own parts
def test_tutorial(tmp_path):
    notebook = run(nbformat.read(TUTORIAL, as_version=4), tmp_path)
    texts = shown(notebook)
    accuracy = next(float(text.split("%")[0].strip("'\" ")) for text in texts if "right in floating" in text)
    assert accuracy > 95
    begin = ("<Design", "<Verification passed", "<Verification FAILED")
    design, passed, failed = (next(text for text in texts if text.startswith(word)) for word in begin)
    assert float(design.split("accuracy ")[1].split(" %")[0]) > 93
    assert "every result in the predicted cycle" in passed
    assert "first: sample 0, layer layer0" in failed
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("<svg" in output.get("data", {}).get("text/html", "") for output in outputs)
    assert (tmp_path / "build" / "tutorial" / "report.html").is_file()
    stored = shown(nbformat.read(TUTORIAL, as_version=4))
    assert list(map(begins, stored)) == list(map(begins, texts))  # what readers see


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_broken_cell_is_noticed(tmp_path):
    cell = nbformat.v4.new_code_cell("import spikefold; spikefold.nothing")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    with pytest.raises(CellExecutionError, match="has no attribute 'nothing'"):
        run(notebook, tmp_path)

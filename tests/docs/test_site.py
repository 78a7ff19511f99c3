"""The site: built without a warning and without the network, with every page and reference in it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def built(folder: Path, edit=lambda source: None) -> subprocess.CompletedProcess[str]:
    """Build a copy of the site's sources, changed by `edit`."""
    source = folder / "source"
    for name in ("docs", "sw", "hw", "sim", "boards"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("mkdocs.yml", "README.md"):
        shutil.copyfile(ROOT / name, source / name)
    edit(source)
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", folder / "site"],
        cwd=source,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "https_proxy": "http://127.0.0.1:9", "http_proxy": ""},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_the_site_is_whole(tmp_path):
    done = built(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    site = tmp_path / "site"
    for page in (ROOT / "docs").rglob("*.md"):
        assert (site / page.relative_to(ROOT / "docs")).with_suffix(".html").is_file(), page
    assert "integer-spike" in (site / "index.html").read_text().lower()
    assert "cell-1" in (site / "tutorial.html").read_text()
    reference = (site / "reference" / "spikefold.html").read_text()
    for name in ("spikefold.compiler.compile", "spikefold.design.Design.verify", "spikefold.limits.memory"):
        assert f'id="{name}"' in reference
    fetched = re.compile(r'<(?:script|link|img)[^>]*(?:src|href)="(https?://[^"]+)"')
    for page in site.rglob("*.html"):
        assert not fetched.findall(page.read_text()), page


def added(source, text):
    page = source / "docs" / "neurons.md"
    page.write_text(page.read_text("utf-8") + text, "utf-8")


def broken_link(source):
    added(source, "\n[gone](nowhere.md)\n")


def broken_anchor(source):
    added(source, "\n[gone](cli.md#nowhere)\n")


def forgotten_page(source):
    (source / "docs" / "forgotten.md").write_text("# Forgotten\n")


def missing_name(source):
    (source / "docs" / "reference" / "ir.md").write_text("# IR\n\n::: spikefold.ir.Nothing\n")


@pytest.mark.slow
@pytest.mark.parametrize("edit", [broken_link, broken_anchor, forgotten_page, missing_name])
def test_what_is_broken_is_noticed(tmp_path, edit):
    done = built(tmp_path, edit)
    assert done.returncode != 0
    assert "WARNING" in done.stderr or "ERROR" in done.stderr


def test_every_page_has_a_place():
    text = (ROOT / "mkdocs.yml").read_text()
    listed = re.findall(r"- (?:\w+: )?([\w/-]+\.(?:md|ipynb))", text[text.index("nav:") :])
    pages = [page for kind in ("*.md", "*.ipynb") for page in (ROOT / "docs").rglob(kind)]
    assert set(listed) == {page.relative_to(ROOT / "docs").as_posix() for page in pages} | {"index.md"}
    assert yaml.safe_load(text.split("plugins:")[0])["strict"] is True

"""Links in README, CONTRIBUTING and the pages, as the repository shows them: files and headings exist."""

import re
from pathlib import Path

import pytest
from blocks import PAGES

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchor(heading: str) -> str:
    """The anchor that GitHub and the site give a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def broken(path: Path, text: str) -> list[str]:
    wrong = []
    for link in LINK.findall(without_code(text)):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, place = link.partition("#")
        target = path.parent / name if name else path
        there = target.exists()
        if not there or (place and place not in map(anchor, HEADING.findall(target.read_text("utf-8")))):
            wrong.append(link)
    return wrong


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    assert broken(PAGES[page], PAGES[page].read_text("utf-8")) == []


def test_broken_ones_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# One thing\n")
    text = "# Here\n[a](a.md) [b](a.md#one-thing) [c](#here) [d](b.md) [e](a.md#two) [f](#there) `[g](g)`\n"
    (tmp_path / "page.md").write_text(text)
    assert broken(tmp_path / "page.md", text) == ["b.md", "a.md#two", "#there"]

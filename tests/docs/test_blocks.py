"""README and docs: every shell and Python block runs, in order, from an empty folder."""

import re
import shlex

import click
import pytest
from blocks import PAGES, Block, blocks_of, differences, run_shell, words_of

from spikefold.cli import main

REPOSITORY = "for those who work on spikefold itself, in a clone"
NOT_RUN = {
    r"pip install .*": "tests/packaging and `make wheel` install it",
    r"apt-get .*": "wants root; continuous integration installs it",
    r"make .*|\.venv/bin/.*|mkdocs .*": REPOSITORY,
    r"spikefold import checkpoint_max\.pth .*": "wants a checkpoint of PIT's authors; test_pit.py makes one",
    r"torchrun .*": "needs CIFAR-10 and GPUs; tests/sw/train/test_distributed.py runs two processes",
    r"spikefold train examples/fashion.*": "takes hours; tests/sw/train/test_examples.py has results",
    r"spikefold train recipe\.toml .*--memory-limit.*": "stands for any recipe",
    r'm = nn\.load\("old\.safetensors".*': "wants an old file; tests/sw/nn/test_bad_files.py has one",
    r"def skid_proof\(.*": "a test's text; tests/formal/test_skid.py is it",
    r"with spikefold\.limits\.memory\(.*": "stands for any large model",
}
"""Commands, and first lines of Python blocks, that are not run, by pattern, with the reason."""

QUICK = ("your-model.md",)
"""Pages that run with the default tests; the others take minutes."""


def is_run(text: str) -> bool:
    return not any(re.fullmatch(pattern, text.split("\n")[0].strip()) for pattern in NOT_RUN)


def runnable(page: str) -> bool:
    return any(
        is_run(text)
        for block in blocks_of(page)
        if block.kind in ("sh", "python")
        for text in (block.commands if block.kind == "sh" else [block.text])
    )


EVERY = [block for page in PAGES for block in blocks_of(page)]
SHELL = [block for block in EVERY if block.kind == "sh"]
RUN = [page for page in PAGES if runnable(page)]


@pytest.mark.parametrize("block", SHELL, ids=str)
def test_commands_have_the_options_that_pages_name(block: Block) -> None:
    for command in block.commands:
        words = words_of(command)
        if words[0] == "spikefold" and words[1:] != ["-V"]:
            name = words[1]
            assert name in main.commands, f"{block}: no command {name!r}"
            try:
                main.commands[name].make_context(name, words[2:])
            except click.ClickException as error:
                pytest.fail(f"{block}: {shlex.join(words)}: {error.format_message()}")


@pytest.mark.parametrize("block", [block for block in EVERY if block.kind == "python"], ids=str)
def test_python_is_python(block: Block) -> None:
    compile(block.text, str(block), "exec")


def test_nothing_is_left_out_for_no_reason() -> None:
    """Every pattern of what is not run fits something."""
    texts = [
        text.split("\n")[0].strip()
        for block in EVERY
        for text in (block.commands if block.kind == "sh" else [block.text])
    ]
    for pattern in NOT_RUN:
        assert any(re.fullmatch(pattern, text) for text in texts), pattern


@pytest.mark.parametrize(
    "page", [pytest.param(page, marks=[] if page in QUICK else [pytest.mark.slow]) for page in RUN]
)
def test_page_runs(page: str, tmp_path, monkeypatch) -> None:
    """Blocks run in order; Python blocks of a page share their names, and a shown output is a real one.

    README begins with nothing, other pages where `spikefold examples` was run.
    """
    monkeypatch.chdir(tmp_path)
    if page != "README.md":
        run_shell("spikefold examples -q", tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    printed: str | None = None
    for block in blocks_of(page):
        if block.kind == "sh":
            outputs = [run_shell(command, tmp_path) for command in block.commands if is_run(command)]
            printed = "".join(outputs) if outputs else None
        elif block.kind == "python":
            if is_run(block.text):
                exec(compile(block.text, str(block), "exec"), names)
            printed = None
        elif block.kind == "text" and printed is not None:
            wrong = differences(block.text, printed)
            assert not wrong, f"{block}: " + "\n".join([*wrong, printed])
            printed = None


SHOWN = (
    "  float accuracy   97.78 %\n  LUTs               2 322\n  Fmax          166.1 MHz\n  mismatches   0\n"
)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (("97.78", "99.9"), []),
        (("97.78", "93.1"), ["float"]),
        (("2 322", "2 500"), []),
        (("2 322", "2 700"), ["LUTs"]),
        (("166.1", "200"), []),
        (("mismatches   0", "mismatches   1"), ["mismatches"]),
        (("Fmax", "Speed"), ["Fmax"]),
    ],
)
def test_outputs_are_compared(change: tuple[str, str], found: list[str]) -> None:
    assert [text[1:].split()[0] for text in differences(SHOWN, "title\n\n" + SHOWN.replace(*change))] == found

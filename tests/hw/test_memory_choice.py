"""Choices for memories: by name, pattern and size, later ones win, and what does not fit is refused."""

import pytest

from spikefold.errors import InputError
from spikefold_hw.memory_choice import MemoryChoice, choose_memories, wished_word

SIZES = {"a_weight0": (16, 64), "a_weight1": (16, 64), "a_state": (12, 8), "b_parameter": (20, 8)}
SINGLE = {"a_weight0", "a_weight1", "b_parameter"}


def choose(styles="auto", macros=""):
    return {choice.name: choice for choice in choose_memories(styles, macros, SIZES, SINGLE)}


@pytest.mark.parametrize("styles", ["auto", "", {}, "*=auto", "a_state=block,a_state=auto"])
def test_nothing_is_chosen_by_default(styles):
    assert choose(styles) == {}


@pytest.mark.parametrize(
    ("styles", "names"),
    [
        ("block", list(SIZES)),
        ("a_state=block", ["a_state"]),
        ("*_weight*=block", ["a_weight0", "a_weight1"]),
        ("16x64=block", ["a_weight0", "a_weight1"]),
        ({"b_*": "block", "12x8": "block"}, ["a_state", "b_parameter"]),
    ],
)
def test_names_patterns_and_sizes(styles, names):
    assert choose(styles) == {name: MemoryChoice(name, "block") for name in names}


def test_later_ones_win_and_single_stays():
    found = choose("*_weight*=block+single,a_weight1=ultra,a_weight0=single")
    assert found == {
        "a_weight0": MemoryChoice("a_weight0", "block", single=True),
        "a_weight1": MemoryChoice("a_weight1", "ultra", single=True),
    }


def test_macros():
    assert choose(macros="16x64=sram_16,a_state=_x2") == {
        "a_weight0": MemoryChoice("a_weight0", macro="sram_16"),
        "a_weight1": MemoryChoice("a_weight1", macro="sram_16"),
        "a_state": MemoryChoice("a_state", macro="_x2"),
    }


KNOWN = "a_weight0, a_weight1, a_state, b_parameter"


@pytest.mark.parametrize(
    ("styles", "macros", "message"),
    [
        ("c=block", "", f"Memory must be one of {KNOWN}, or a pattern or size of some, not 'c'"),
        ("auto", "7x7=m", f"Memory must be one of {KNOWN}, or a pattern or size of some, not '7x7'"),
        *[
            (
                f"a_state={wish}",
                "",
                "Style of memory 'a_state' must be auto, block, distributed, ultra, spram, single or one of "
                rf"them with \+single, not '{wish.replace('+', chr(92) + '+')}'",
            )
            for wish in ("blok", "", "block+ultra", "block+")
        ],
        (
            "*=single",
            "",
            "Memory 'a_state' must keep two ports, as one row is written in the cycle in which another is "
            "read; single and spram fit the memories of weights and parameters",
        ),
        ("auto", "a_state=9x", "Macro of 'a_state' must be the name of a Verilog module, not '9x'"),
        ("auto", "a_state", "Macro must be name=module,.., not 'a_state'"),
    ],
)
def test_refusals(styles, macros, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        choose(styles, macros)


def test_ultra_ram_takes_no_contents():
    with pytest.raises(
        InputError, match=r"^Memory 'a_weight0' must not be in UltraRAM, which starts empty, as"
    ):
        choose_memories("ultra", "", SIZES, SINGLE, read_only={"a_weight0"})
    found = choose_memories("*_state=ultra", "", SIZES, SINGLE, read_only=SINGLE)
    assert found == (MemoryChoice("a_state", "ultra"),)


def test_single_port_ram_has_one_port_and_takes_no_contents():
    found = choose("*_weight*=spram,a_weight1=spram+single")
    assert found == {name: MemoryChoice(name, "spram", single=True) for name in ("a_weight0", "a_weight1")}
    with pytest.raises(InputError, match=r"^Memory 'a_state' must keep two ports"):
        choose("spram")
    with pytest.raises(InputError, match=r"^Memory 'a_weight0' must not be in single-port RAM, which starts"):
        choose_memories("a_weight0=spram", "", SIZES, SINGLE, read_only={"a_weight0"})


@pytest.mark.parametrize(
    ("styles", "word"),
    [
        ("spram", 16),
        ({"a_*": "spram"}, 16),
        ("a_weight[01]=spram", 16),
        ("b_*=spram", None),
        ("16x64=spram", None),
        ("spram,a_weight0=block", None),
        ("auto", None),
    ],
)
def test_a_style_fixes_the_width_before_sizes_are_known(styles, word):
    assert wished_word(styles, "a_weight0") == word

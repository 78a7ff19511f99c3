"""What a user can choose of each memory: where a tool puts it, its ports, a macro in its place."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Literal, get_args

from spikefold.errors import InputError

Style = Literal["auto", "block", "distributed", "ultra", "spram"]
STYLES: tuple[Style, ...] = get_args(Style)

Wishes = str | Mapping[str, str]
"""By name, pattern (`*_weight*`) or size (`16x64`: bits x rows); as text `name=wish,..`. Later ones win."""

_SINGLE = "single"
_EMPTY: Mapping[str, str] = MappingProxyType({"ultra": "UltraRAM", "spram": "single-port RAM"})
"""Styles of memories that start without contents."""

WORDS: Mapping[Style, int] = MappingProxyType({"spram": 16})
"""Bits of a row of memories that have one width."""
_MODULE = re.compile(r"[A-Za-z_]\w*")


@dataclass(frozen=True)
class MemoryChoice:
    """The choice for one memory.

    Attributes
    ----------
    name
        Of the memory.
    style
        What attributes ask synthesis for; "auto" leaves writable memories to the tool. "spram" is the
        single-port RAM of iCE40 UP5K.
    single
        Whether reads and writes share one address port.
    macro
        Module that takes the place of the memory; None for a memory that synthesis infers.
    """

    name: str
    style: Style = "auto"
    single: bool = False
    macro: str | None = None


def choose_memories(
    styles: Wishes,
    macros: Wishes,
    sizes: Mapping[str, tuple[int, int]],
    single: Collection[str],
    read_only: Collection[str] = (),
) -> tuple[MemoryChoice, ...]:
    """The choices that differ from the default, in the order of the memories.

    Parameters
    ----------
    styles
        A style, "single", or both as "block+single"; one word holds for all memories.
    macros
        Names of modules.
    sizes
        Bits of a row, and rows, of every memory.
    single
        Memories that one port is enough for.
    read_only
        Memories whose contents come from files.

    Raises
    ------
    InputError
        If a memory, a style or a module name is unknown, a memory needs both ports, or one in UltraRAM
        needs contents from the start.
    """
    found = {name: MemoryChoice(name) for name in sizes}
    for key, wish in _pairs("Memories", styles, bare=True):
        for name in _named(key, sizes):
            found[name] = _styled(found[name], wish, single)
            kind = _EMPTY.get(found[name].style)
            if kind is not None and name in read_only:
                raise InputError(
                    f"Memory {name!r} must not be in {kind}, which starts empty, as its contents come from "
                    "a file; choose another style for it, or weights that are loaded"
                )
    for key, module in _pairs("Macro", macros, bare=False):
        if not _MODULE.fullmatch(module):
            raise InputError(f"Macro of {key!r} must be the name of a Verilog module, not {module!r}")
        for name in _named(key, sizes):
            found[name] = replace(found[name], macro=module)
    return tuple(choice for choice in found.values() if choice != MemoryChoice(choice.name))


def wished_word(styles: Wishes, name: str) -> int | None:
    """Bits of a row that a wish for a memory fixes before its size is known; None if none does."""
    words = [
        WORDS.get(style)
        for key, wish in _pairs("Memories", styles, bare=True)
        if fnmatchcase(name, key)
        for style in STYLES
        if style in wish.split("+")
    ]
    return words[-1] if words else None


def _pairs(subject: str, wishes: Wishes, bare: bool) -> Iterable[tuple[str, str]]:
    """Key and wish of each entry; with `bare` a wish without a key is for all memories."""
    if isinstance(wishes, Mapping):
        for key, wish in wishes.items():
            if not isinstance(wish, str):
                raise InputError(f"{subject} must be text, not {wish!r} of {key!r}")
        return wishes.items()
    if not isinstance(wishes, str):
        raise InputError(f"{subject} must be text or a mapping, not {wishes!r}")
    pairs = []
    for part in filter(None, wishes.split(",")):
        key, equals, wish = part.rpartition("=")
        if not equals and not bare:
            raise InputError(f"{subject} must be name=module,.., not {wishes!r}")
        pairs.append((key if equals else "*", wish))
    return pairs


def _named(key: str, sizes: Mapping[str, tuple[int, int]]) -> list[str]:
    """The memories that a key means."""
    found = [
        name for name, (bits, rows) in sizes.items() if fnmatchcase(name, key) or key == f"{bits}x{rows}"
    ]
    if not found and key != "*":
        known = ", ".join(sizes)
        raise InputError(f"Memory must be one of {known}, or a pattern or size of some, not {key!r}")
    return found


def _styled(choice: MemoryChoice, wish: str, single: Collection[str]) -> MemoryChoice:
    words = wish.split("+")
    styles = [word for word in words if word != _SINGLE]
    style = next((each for each in STYLES if [each] == styles), None if styles else choice.style)
    if style is None:
        raise InputError(
            f"Style of memory {choice.name!r} must be {', '.join(STYLES)}, {_SINGLE} or one of them "
            f"with +{_SINGLE}, not {wish!r}"
        )
    if (_SINGLE in words or style in WORDS) and choice.name not in single:
        raise InputError(
            f"Memory {choice.name!r} must keep two ports, as one row is written in the cycle in which "
            f"another is read; {_SINGLE} and spram fit the memories of weights and parameters"
        )
    return replace(choice, style=style, single=choice.single or _SINGLE in words or style in WORDS)

"""Reading liberty files: cells by name, and the groups and attributes in each."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_CELL = re.compile(r'^\s*cell\s*\(\s*"?(\w+)"?\s*\)\s*\{', re.MULTILINE)
_TOKEN = re.compile(
    r"(?P<name>\w+)\s*\((?P<values>[^()]*)\)\s*(?P<opens>\{)?"
    r'|(?P<key>\w+)\s*:\s*(?P<value>"[^"]*"|[^;{}\n]+)'
    r"|(?P<closes>\})"
)


@dataclass
class Group:
    """A group: its kind, as in ``pin (A) {``, its name, and what it holds.

    Attributes
    ----------
    attributes
        Simple and complex attributes by name, without quotes; of several of one name the last.
    groups
        Those inside.
    """

    kind: str
    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    groups: list["Group"] = field(default_factory=list)

    def each(self, kind: str) -> Iterator["Group"]:
        """The groups of one kind."""
        return (group for group in self.groups if group.kind == kind)

    def number(self, name: str, default: float = 0.0) -> float:
        """An attribute that is a number."""
        return float(self.attributes.get(name, default))

    def numbers(self, name: str) -> list[float]:
        """A complex attribute's numbers."""
        return [
            float(each) for each in re.findall(r"-?[\d.]+(?:[eE][-+]?\d+)?", self.attributes.get(name, ""))
        ]


def split(liberty: str) -> tuple[str, Mapping[str, str]]:
    """What a library says before its first cell, and the text of every cell by its name."""
    head, *parts = _CELL.split(liberty)
    return head, dict(zip(parts[::2], parts[1::2], strict=True))


def parse(text: str, kind: str, name: str) -> Group:
    """The group whose text, after its opening brace, begins ``text``; what follows its end is left out."""
    top = Group(kind, name)
    stack = [top]
    for found in _TOKEN.finditer(text):
        if found["closes"]:
            stack.pop()
            if not stack:
                break
        elif found["key"]:
            stack[-1].attributes[found["key"]] = found["value"].strip().strip('"')
        elif found["opens"]:
            group = Group(found["name"], found["values"].strip().strip('"'))
            stack[-1].groups.append(group)
            stack.append(group)
        else:
            stack[-1].attributes[found["name"]] = found["values"]
    return top


@dataclass(frozen=True)
class LibraryCell:
    """A cell: its area in µm², and whether it is a flip-flop."""

    area_um2: float
    flip_flop: bool


def library_cells(liberty: str) -> Mapping[str, LibraryCell]:
    """The cells of a library by name, from the text of its liberty file."""
    parsed = {name: parse(text, "cell", name) for name, text in split(liberty)[1].items()}
    return {name: LibraryCell(cell.number("area"), any(cell.each("ff"))) for name, cell in parsed.items()}

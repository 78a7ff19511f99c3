"""What a user can choose of an AXI host, and what follows from it."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

from spikefold.errors import InputError
from spikefold_hw.interface import Interface
from spikefold_hw.streams import index_bits

Input = Literal["dense", "events"]
Result = Literal["class", "logits"]
INPUTS: tuple[Input, ...] = get_args(Input)
RESULTS: tuple[Result, ...] = get_args(Result)
WIDTHS = (1, 2, 4, 8, 16)
"""Bytes that a beat of dense levels may have."""

WORD_BITS = 32
"""Of an event, of a word of a result, and of a register."""
INDEX_BITS = 16
"""Of an event's index, the lowest bits of its word, and of a class in a result."""
LEVEL_BITS = 13
"""Of an event's level, above the index; the three flags are the highest bits."""


@dataclass(frozen=True)
class AxiConfig:
    """The choices for an AXI host.

    Attributes
    ----------
    input
        "dense": every level of a sample in its order, several in a beat; "events": a beat per event.
    bytes
        Of a beat of dense levels.
    result
        "class": class, error and tag; "logits": all logits before them.
    """

    input: Input = "dense"
    bytes: int = 4
    result: Result = "class"

    def __post_init__(self) -> None:
        if self.input not in INPUTS:
            raise InputError(f"Input of an AXI host must be {' or '.join(INPUTS)}, not {self.input!r}")
        if self.result not in RESULTS:
            raise InputError(f"Result of an AXI host must be {' or '.join(RESULTS)}, not {self.result!r}")
        if self.bytes not in WIDTHS:
            known = ", ".join(map(str, WIDTHS))
            raise InputError(f"Bytes of a beat must be one of {known}, not {self.bytes!r}")
        if self.input == "events" and self.bytes * 8 != WORD_BITS:
            raise InputError(f"Bytes of a beat must be 4 with events as input, not {self.bytes!r}")


@dataclass(frozen=True)
class AxiFormat:
    """How samples and results of a block lie in packets.

    Attributes
    ----------
    config
        The choices.
    field
        Bytes of a level in a packet of dense levels.
    lanes
        Levels of a word of `DenseEvents`: as many of those in a beat as divide the channels.
    tag_bits
        Width of TUSER of the input: the tag, if samples have one.
    result_words
        Words of a result's packet: logits, the tag if there is one, and the class.
    """

    config: AxiConfig
    field: int
    lanes: int
    tag_bits: int
    result_words: int

    @classmethod
    def of(cls, interface: Interface, config: AxiConfig) -> "AxiFormat":
        """The format for a block.

        Raises
        ------
        InputError
            If the block's numbers do not fit what was chosen.
        """
        events = interface.input
        _check_input(interface, config)
        if interface.classes > 1 << INDEX_BITS:
            raise InputError(
                f"Classes of an AXI host must be at most {1 << INDEX_BITS}, not {interface.classes!r}"
            )
        if config.result == "logits" and interface.logit_bits > WORD_BITS:
            raise InputError(
                f"Logits of an AXI host must have at most {WORD_BITS} bits, not {interface.logit_bits!r}; "
                "choose the result 'class'"
            )
        field = _field_bytes(events.levels)
        return cls(
            config,
            field,
            math.gcd(max(1, config.bytes // field), events.map.channels),
            interface.tag_bits,
            (interface.classes if config.result == "logits" else 0) + bool(interface.tag_bits) + 1,
        )

    @property
    def data_bits(self) -> int:
        """Width of TDATA of the input."""
        return 8 * self.config.bytes


def _field_bytes(levels: int) -> int:
    """Bytes that hold a level: 1, 2 or 4."""
    needed = -(-levels.bit_length() // 8)
    return 1 << (needed - 1).bit_length()


def _check_input(interface: Interface, config: AxiConfig) -> None:
    events = interface.input
    if config.input == "dense" and _field_bytes(events.levels) > config.bytes:
        raise InputError(
            f"Bytes of a beat must hold a level up to {events.levels}, but {config.bytes!r} do not; choose "
            f"{_field_bytes(events.levels)} or more"
        )
    fits = index_bits(events.map.channels) <= INDEX_BITS and events.levels.bit_length() <= LEVEL_BITS
    if config.input == "events" and not fits:
        raise InputError(
            f"Events must have at most {1 << INDEX_BITS} channels and levels below {1 << LEVEL_BITS}, not "
            f"{events.map.channels} and {events.levels}; choose the input 'dense'"
        )

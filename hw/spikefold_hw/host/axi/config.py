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
LARGEST_LEVEL = 255
"""A level of dense input is a byte."""


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


DEFAULT = AxiConfig()


@dataclass(frozen=True)
class AxiFormat:
    """How samples and results of a block lie in packets.

    Attributes
    ----------
    config
        The choices.
    lanes
        Levels of a word of `DenseEvents`: as many of those in a beat as divide the channels.
    tag_bits
        Width of TUSER of the input: the tag, if samples have one.
    result_words
        Words of a result's packet: logits, the tag if there is one, and the class.
    """

    config: AxiConfig
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
        if events.levels > LARGEST_LEVEL:
            raise InputError(f"Levels of an AXI host must be at most {LARGEST_LEVEL}, not {events.levels!r}")
        if config.input == "events" and index_bits(events.map.channels) > INDEX_BITS:
            raise InputError(
                f"Channels of events must be at most {1 << INDEX_BITS}, not {events.map.channels!r}; choose "
                "the input 'dense'"
            )
        if interface.classes > 1 << INDEX_BITS:
            raise InputError(
                f"Classes of an AXI host must be at most {1 << INDEX_BITS}, not {interface.classes!r}"
            )
        if config.result == "logits" and interface.logit_bits > WORD_BITS:
            raise InputError(
                f"Logits of an AXI host must have at most {WORD_BITS} bits, not {interface.logit_bits!r}; "
                "choose the result 'class'"
            )
        return cls(
            config,
            math.gcd(config.bytes, events.map.channels),
            interface.tag_bits,
            (interface.classes if config.result == "logits" else 0) + bool(interface.tag_bits) + 1,
        )

    @property
    def data_bits(self) -> int:
        """Width of TDATA of the input."""
        return 8 * self.config.bytes

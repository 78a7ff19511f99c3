"""The register map of a block behind a host: data, of which gateware, headers, pages and drivers are made."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spikefold.errors import InputError
from spikefold_hw.host.dense import levels_per_sample
from spikefold_hw.interface import Interface
from spikefold_hw.parts.counters import VALUE_BITS, Counter

Access = Literal["constant", "read", "write"]

MAGIC = int.from_bytes(b"SPKF", "little")
"""What the first register holds."""
MAP_VERSION = 1
"""Version of the map: another one where a register below `COUNTERS` changes its place or its meaning."""
IDENTIFICATION_ROWS = 8
"""Registers from address 0 on that never change."""
COUNTERS = 16
"""Address of the block's first counter; that of counter k is `COUNTERS + k`."""


@dataclass(frozen=True)
class Field:
    """One bit of a register."""

    name: str
    bit: int
    meaning: str


@dataclass(frozen=True)
class Register:
    """A register of at most 32 bits.

    Attributes
    ----------
    name
        A Verilog, C and Python name of lower case.
    address
        Number of its 32-bit word.
    bits
        Its width; the bits above are read as 0.
    access
        "constant" is read and never changes.
    meaning
        What it says, or what a write does.
    fields
        Its bits, where each has a meaning of its own.
    """

    name: str
    address: int
    bits: int
    access: Access
    meaning: str
    fields: tuple[Field, ...] = ()

    @property
    def offset(self) -> int:
        """Its address in bytes."""
        return self.address << 2


def _bits(*fields: tuple[str, str]) -> tuple[Field, ...]:
    return tuple(Field(name, bit, meaning) for bit, (name, meaning) in enumerate(fields))


_CONSTANTS = (
    ("magic", f"0x{MAGIC:08X}, the letters SPKF from the lowest byte on"),
    ("map_version", "version of this map"),
    ("network", "first 32 bits of the SHA-256 of the network whose weights the design came with"),
    ("levels", "levels of a sample: channels times positions times presented time steps"),
    ("largest_level", "largest level that a host may send"),
    ("classes", "logits of a result"),
    ("tag_bits", "width of the tag that goes with a sample"),
    ("counters", "number of the block's counters"),
)
CONSTANT_NAMES = tuple(name for name, _ in _CONSTANTS)
"""In the order of their addresses, from 0 on."""
CONTROL = Register(
    "control",
    8,
    32,
    "write",
    "a bit that is written as 1 acts once",
    _bits(("reset", "the block is reset: what is under way is lost, counters start at 0")),
)
STATUS = Register(
    "status",
    9,
    3,
    "read",
    "state of the block",
    _bits(
        ("loaded", "the memories hold weights; always 1 where they come with the design"),
        ("load_error", "the last load frame was wrong, or bytes were none"),
        ("busy", "a sample has begun whose result has not left"),
    ),
)


@dataclass(frozen=True)
class RegisterMap:
    """Every register of a host.

    Attributes
    ----------
    registers
        In the order of their addresses.
    identification
        Values of the constant ones, the rows of a read-only memory. They are no part of the Verilog, so
        networks with one plan share its text.
    counters
        Of the block, in the order of `counter_select`.
    """

    registers: tuple[Register, ...]
    identification: tuple[int, ...]
    counters: tuple[Counter, ...]

    @classmethod
    def of(cls, interface: Interface, network: int, own: Sequence[Register] = ()) -> "RegisterMap":
        """The map of a block.

        Parameters
        ----------
        interface
            The block from outside.
        network
            Its network, see `network_id`.
        own
            Registers that a host has beside these; `own_address` says from where on.

        Raises
        ------
        InputError
            If the network is no number of 32 bits, or two registers meet.
        """
        if not 0 <= network < 1 << VALUE_BITS:
            raise InputError(f"Network of a register map must be a number of 32 bits, not {network!r}")
        constants = [
            Register(name, address, VALUE_BITS, "constant", meaning)
            for address, (name, meaning) in enumerate(_CONSTANTS)
        ]
        counters = [
            Register(counter.name, COUNTERS + number, counter.bits, "read", counter.meaning)
            for number, counter in enumerate(interface.counters)
        ]
        registers = (*constants, CONTROL, STATUS, *counters, *own)
        for key in ("name", "address"):
            found = [getattr(register, key) for register in registers]
            for value in found:
                if found.count(value) > 1:
                    raise InputError(f"Registers must differ in their {key}, but two have {value!r}")
        ordered = tuple(sorted(registers, key=lambda register: register.address))
        return cls(ordered, _identification(interface, network), interface.counters)

    def find(self, name: str) -> Register:
        """The register of a name.

        Raises
        ------
        InputError
            If there is none.
        """
        for register in self.registers:
            if register.name == name:
                return register
        known = ", ".join(register.name for register in self.registers)
        raise InputError(f"Register must be one of {known}, not {name!r}")

    @property
    def address_bits(self) -> int:
        """Bits of a word address that reach every register."""
        return self.registers[-1].address.bit_length()


def own_address(interface: Interface) -> int:
    """Word address of a host's first own register: behind the block's counters."""
    return COUNTERS + len(interface.counters)


def network_id(digest: str) -> int:
    """Number of a network in a register map: the first 32 bits of the SHA-256 of its file `network.npz`."""
    return int(digest[:8], 16)


def _identification(interface: Interface, network: int) -> tuple[int, ...]:
    events = interface.input
    return (
        MAGIC,
        MAP_VERSION,
        network,
        levels_per_sample(events),
        events.levels,
        interface.classes,
        interface.tag_bits,
        len(interface.counters),
    )

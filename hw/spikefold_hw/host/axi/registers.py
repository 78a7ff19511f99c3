"""The registers that an AXI host has beside those of every host."""

from collections.abc import Mapping

from spikefold_hw.host.axi.config import AxiConfig
from spikefold_hw.host.registers import Register, RegisterMap, own_address
from spikefold_hw.interface import Interface
from spikefold_hw.parts.counters import VALUE_BITS

COUNT_BITS = 16
"""Of a counter of violations, which stays at its largest value."""

_DENSE = {
    "packets_short": "packets that ended before their sample",
    "packets_long": "packets that went on behind their sample",
    "packets_keep": "beats with bytes left out where TKEEP must be all ones, or not as whole words",
    "packets_level": "words with a level that has more bits than the largest one",
}
_EVENTS = {
    "packets_end": "packets with TLAST without end_sample, or end_sample without TLAST",
    "packets_keep": "packets with a beat whose TKEEP is not all ones",
    "packets_bits": "packets with an event that has bits beyond index and level",
}
LOAD, LOAD_FREE, LOADS_DROPPED = "load", "load_free", "loads_dropped"


def violations_of(config: AxiConfig) -> Mapping[str, str]:
    """What can be wrong with a packet, by the name of the register that counts it."""
    return _DENSE if config.input == "dense" else _EVENTS


def axi_map(interface: Interface, network: int, config: AxiConfig) -> RegisterMap:
    """The register map of an AXI host; the arguments are those of `RegisterMap.of` and `AxiHost`."""
    counted = dict(violations_of(config))
    own: list[tuple[str, int, bool, str]] = []
    if interface.loaded:
        own += [
            (LOAD, VALUE_BITS, True, "bytes of a load frame, lowest first, those that the strobes name"),
            (LOAD_FREE, 1, False, "whether a word for that register would be taken"),
        ]
        counted[LOADS_DROPPED] = "words that came while the one before was not through"
    own += [(name, COUNT_BITS, False, meaning) for name, meaning in counted.items()]
    first = own_address(interface)
    registers = [
        Register(name, first + k, bits, "write" if writes else "read", meaning)
        for k, (name, bits, writes, meaning) in enumerate(own)
    ]
    return RegisterMap.of(interface, network, registers)

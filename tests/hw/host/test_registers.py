"""The register map: every register once, constants with their values, counters in their order."""

from dataclasses import replace

import pytest

from spikefold.errors import InputError
from spikefold.ir.maps import Map
from spikefold_hw.host.registers import (
    COUNTERS,
    IDENTIFICATION_ROWS,
    Register,
    RegisterMap,
    network_id,
    own_address,
)
from spikefold_hw.interface import Interface
from spikefold_hw.order import Time
from spikefold_hw.parts.counters import Counter
from spikefold_hw.streams import EventStream

INTERFACE = Interface(
    name="toy",
    input=EventStream(Map(3, 2, 2), 9, Time(2, "step_major")),
    probed={},
    classes=10,
    logit_bits=20,
    counters=(Counter("cycles", "of the clock"), Counter("violations", "causes so far", 4, "sticks", 4)),
    loaded=True,
    longest_silence=10,
    trailing_silence=0,
    checks=True,
    tag_bits=5,
)


def test_constants_stand_at_the_front():
    found = RegisterMap.of(INTERFACE, 0xDEADBEEF)
    values = dict(zip([register.name for register in found.registers], found.identification, strict=False))
    assert values == {
        "magic": 0x464B5053,
        "map_version": 1,
        "network": 0xDEADBEEF,
        "levels": 3 * 4 * 2,
        "largest_level": 9,
        "classes": 10,
        "tag_bits": 5,
        "counters": 2,
    }
    constants = [register for register in found.registers if register.access == "constant"]
    assert [register.address for register in constants] == list(range(IDENTIFICATION_ROWS))
    assert len(found.identification) == IDENTIFICATION_ROWS


def test_counters_stand_in_the_order_of_their_numbers():
    found = RegisterMap.of(INTERFACE, 1)
    assert found.find("cycles") == Register("cycles", COUNTERS, 32, "read", "of the clock")
    assert found.find("violations").address == COUNTERS + 1
    assert found.find("violations").offset == 4 * (COUNTERS + 1)
    assert found.counters == INTERFACE.counters


def test_a_host_has_registers_of_its_own():
    own = Register("frames", own_address(INTERFACE), 16, "read", "frames")
    found = RegisterMap.of(INTERFACE, 1, [own])
    assert found.registers[-1] == own
    assert found.address_bits == 5
    assert RegisterMap.of(replace(INTERFACE, counters=()), 1).address_bits == 4


def test_status_and_control_name_their_bits():
    found = RegisterMap.of(INTERFACE, 1)
    assert [field.name for field in found.find("status").fields] == ["loaded", "load_error", "busy"]
    assert [(field.name, field.bit) for field in found.find("control").fields] == [("reset", 0)]


def test_the_network_is_named_by_its_digest():
    assert network_id("00ff12349876") == 0x00FF1234


@pytest.mark.parametrize(
    ("own", "message"),
    [
        (Register("status", 99, 1, "read", "s"), "differ in their name, but two have 'status'"),
        (Register("frames", COUNTERS, 1, "read", "s"), "differ in their address, but two have 16"),
    ],
)
def test_registers_do_not_meet(own, message):
    with pytest.raises(InputError, match=f"^Registers must {message}$"):
        RegisterMap.of(INTERFACE, 1, [own])


def test_errors_name_what_is_wrong():
    with pytest.raises(InputError, match=r"^Network of a register map must be a number of 32 bits, not -1$"):
        RegisterMap.of(INTERFACE, -1)
    with pytest.raises(InputError, match=r"^Register must be one of magic, .*, not 'cycle'$"):
        RegisterMap.of(INTERFACE, 1).find("cycle")

"""Whether a design's memory fits the block RAM of a device."""

from typing import Any

from spikefold.balance.goal import number
from spikefold.ir.profile import Profile
from spikefold_boards.devices import DEVICES, find_device
from spikefold_hw.geometry import memory_bits


def memory_fit(profile: Profile, device: str) -> dict[str, Any]:
    """Compare memory with the block RAM of a device.

    Returns
    -------
    dict
        `device`, `block_ram_bits`, `memory_bits`, `weight_bits` (those of all weights), `fits`, and
        `reason`: None, or by how much it does not fit and what would help.

    Raises
    ------
    InputError
        If the device is unknown.
    """
    room, bits = find_device(device).block_ram_bits, memory_bits(profile)
    weights = _weight_bits(profile)
    reason = None
    if bits > room:
        reason = (
            f"memory of {number(bits)} bits exceeds the {number(room)} bits of block RAM of {device} by "
            f"{number(bits - room)}; weights take {number(weights)} of it; {_help(profile, room, bits)}"
        )
    return {
        "device": device,
        "block_ram_bits": room,
        "memory_bits": bits,
        "weight_bits": weights,
        "fits": reason is None,
        "reason": reason,
    }


def _weight_bits(profile: Profile, most: int = 8) -> int:
    """Bits of all weights if none had more than `most` bits."""
    return sum(
        min(window.weight_bits, most) * layer.lanes * layer.weight_rows(window)
        for layer in profile.layers
        for window in layer.windows
    )


def _help(profile: Profile, room: int, bits: int) -> str:
    """Fewer weight bits, or a larger device."""
    rest = bits - _weight_bits(profile)
    widest = max(window.weight_bits for layer in profile.layers for window in layer.windows)
    fewer = [most for most in range(1, widest) if rest + _weight_bits(profile, most) <= room]
    larger = [device.name for device in DEVICES.values() if device.block_ram_bits >= bits]
    ways = []
    if fewer:
        ways.append(f"weights of at most {fewer[-1]} bit{'s' if fewer[-1] > 1 else ''} would fit")
    if larger:
        ways.append(f"{' or '.join(larger)} would hold it")
    return (
        ", and ".join(ways) or "neither one-bit weights nor any known device would do: use a smaller network"
    )

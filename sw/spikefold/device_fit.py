"""Whether a design's memory fits the block RAM of a device."""

from typing import Any

from spikefold.numbers import number
from spikefold_boards.fpgas import FPGAS, Fpga, find_fpga
from spikefold_hw.cost import Cost

_SPRAM_WIDTH, _SPRAM_ROWS = 16, 1 << 14


def memory_fit(cost: Cost, device: str) -> dict[str, Any]:
    """Compare memory with the block RAM of a device.

    Returns
    -------
    dict
        `device`, `block_ram_bits`, `memory_bits`, `spram_bits` (of these, in single-port RAM),
        `weight_bits` (those of all weights), `fits`, and `reason`: None, or by how much it does not fit
        and what would help.

    Raises
    ------
    InputError
        If the device is unknown.
    """
    fpga, weights = find_fpga(device), cost.weight_bits()
    room, bits = fpga.block_ram_bits, block_ram_need(cost, fpga)
    reason = None
    if bits > room:
        reason = (
            f"memory of {number(bits)} bits exceeds the {number(room)} bits of block RAM of {device} by "
            f"{number(bits - room)}; weights take {number(weights)} of it; {_help(cost, room)}"
        )
    return {
        "device": device,
        "block_ram_bits": room,
        "memory_bits": cost.memory_bits,
        "spram_bits": cost.memory_bits - bits,
        "weight_bits": weights,
        "fits": reason is None,
        "reason": reason,
    }


def block_ram_need(cost: Cost, fpga: Fpga) -> int:
    """Bits that need block RAM: all but those that are meant for single-port RAM, where that suffices."""
    sizes = [cost.memories[name] for name in cost.spram]
    blocks = sum(-(-width // _SPRAM_WIDTH) * -(-rows // _SPRAM_ROWS) for width, rows in sizes)
    return cost.memory_bits - (cost.spram_bits if blocks <= fpga.sprams else 0)


def _help(cost: Cost, room: int) -> str:
    """Fewer weight bits, or a larger device."""
    rest = cost.memory_bits - cost.weight_bits()
    fewer = [most for most in range(1, max(cost.weights)) if rest + cost.weight_bits(most) <= room]
    larger = [device.name for device in FPGAS.values() if device.block_ram_bits >= cost.memory_bits]
    ways = []
    if fewer:
        ways.append(f"weights of at most {fewer[-1]} bit{'s' if fewer[-1] > 1 else ''} would fit")
    if larger:
        ways.append(f"{' or '.join(larger)} would hold it")
    return (
        ", and ".join(ways) or "neither one-bit weights nor any known device would do: use a smaller network"
    )

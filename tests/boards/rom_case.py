"""Designs of read-only memories alone."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from amaranth.hdl import Fragment

from spikefold.flow.artefact import Artefact
from spikefold_hw.emit.memories import VerilogPlatform
from spikefold_hw.parts.images import Image
from spikefold_hw.parts.memory import Rom

Size = tuple[int, int]
"""Bits of a row, and rows."""


def drawn(sizes: Iterable[Size], seed: int) -> dict[Size, Image]:
    """Full-range contents of every size."""
    rng = np.random.default_rng(seed)
    return {
        (bits, rows): Image.of([(rng.integers(0, 2, rows), 1) for _ in range(bits)]) for bits, rows in sizes
    }


def write_design(folder: Path, top: str, ports: str, logic: str, images: dict[Size, Image]) -> Artefact:
    """A design with a memory of every size; all are read by ``enable`` and ``address`` and show their rows in
    ``data``, one after another from the lowest bit on.

    Parameters
    ----------
    ports, logic
        Verilog of the top module's ports, and of what is in it around the memories; ``DATA`` stands for the
        highest bit of the data.
    """
    platform, lines, base = VerilogPlatform(), [], 0
    (folder / "mem").mkdir(parents=True)
    for (bits, rows), image in images.items():
        memory = Rom(f"rom{bits}x{rows}", bits, rows)
        memory.read_port()
        Fragment.get(memory, platform)
        (folder / "mem" / memory.file).write_bytes(image.hexadecimal)
        joins = f".clk(clk), .enable(enable), .address(address), .data(data[{base + bits - 1}:{base}])"
        files = f'.FILE("{memory.file}"), .MEM_DIR(MEM_DIR)'
        lines.append(f"  spikefold_rom_{bits}x{rows} #({files}) {memory.name}({joins});\n")
        base += bits
    header = f'module {top} #(parameter MEM_DIR = "mem") ({ports});\n{logic}'.replace("DATA", str(base - 1))
    texts = {**platform.modules, top: f"{header}{''.join(lines)}endmodule\n"}
    for name, text in texts.items():
        (folder / f"{name}.v").write_text(text)
    return Artefact(tuple(sorted(folder.glob("*.v"))), top, folder / "mem")

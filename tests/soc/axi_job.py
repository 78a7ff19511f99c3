"""Jobs for the AXI host: packets, good and wrong, and what is due for each."""

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import axi_body
import numpy as np
from cocotb_tools.runner import get_runner

from spikefold.flow.tools import find_tool
from spikefold.soc.selfcheck import packets_of as packets_of_levels


@dataclass
class Packet:
    """A packet, the sample that it holds (None if it is wrong), and the register that counts it."""

    data: bytes
    tag: int = 0
    sample: int | None = None
    counted: str = ""
    keep: list[int] | None = None

    def to_json(self):
        return {"data": self.data.hex(), "user": self.tag, "keep": self.keep or []}


def good_packets(axi, x):
    """A packet for each sample, with a tag."""
    tags = [k * 37 % (1 << axi.design.interface.tag_bits) for k in range(len(x))]
    packets = packets_of_levels(axi, axi.design.encode(x))
    return [Packet(data, tag, k) for k, (data, tag) in enumerate(zip(packets, tags, strict=True))]


def wrong_packets(axi, good, rng):
    """Packets with one fault each, of every kind that fits the design."""
    one, size, beat = good.data, len(good.data), axi.config.bytes
    lanes = axi.format.lanes
    if axi.config.input == "events":
        last = int.from_bytes(one[-4:], "little")
        kinds = [
            Packet(one[:-4] + (last & ~(1 << 31)).to_bytes(4, "little"), counted="packets_end"),
            Packet(one[:-4] + (last | 1 << 28).to_bytes(4, "little"), counted="packets_bits"),
            Packet(one + one, counted="packets_end"),
            Packet(one, counted="packets_keep", keep=[1] * (size - 4) + [1, 1, 1, 0]),
        ]
    else:
        high = bytearray(one)
        high[int(rng.integers(size))] = 255
        level_bits = axi.design.interface.input.levels.bit_length()
        kinds = [Packet(one + one[:lanes], counted="packets_long"), Packet(one * 3, counted="packets_long")]
        if level_bits < 8:
            kinds.append(Packet(bytes(high), counted="packets_level"))
        if size > lanes:
            kinds.append(Packet(one[: size - lanes], counted="packets_short"))
        if size > beat > 1:
            holed = [1] * size
            holed[0] = 0
            kinds.append(Packet(one, counted="packets_keep", keep=holed))
    for kind in kinds:
        kind.tag = int(rng.integers(1 << axi.design.interface.tag_bits))
    return kinds


def packets_of(axi, x, rng, rounds=3):
    """Good packets with wrong ones between them, a good one last."""
    good = good_packets(axi, x)
    mixed = [packet for _ in range(rounds) for packet in (*good, *wrong_packets(axi, good[0], rng))]
    return [mixed[k] for k in rng.permutation(len(mixed))] + good[:2]


def run_job(axi, packets, folder, simulator, *, stall, seed, cut=False, load=b""):
    """What cocotb saw."""
    for name, data in axi.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    job, found = folder / "job.json", folder / "found.json"
    offsets = {r.name: r.offset for r in axi.registers.registers}
    given = {"packets": [packet.to_json() for packet in packets], "offsets": offsets, "found": str(found)}
    job.write_text(json.dumps(given | {"stall": stall, "seed": seed, "cut": cut, "load": load.hex()}))
    found.unlink(missing_ok=True)
    tool = find_tool(simulator)
    paths = [str(Path(tool.command[0]).parent), os.environ["PATH"]]
    os.environ |= dict(tool.variables) | {"PATH": os.pathsep.join(paths), axi_body.JOB: str(job)}
    os.environ |= {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])}
    os.environ["MAKEFLAGS"] = "CFG_CXXFLAGS_PCH_I=-include"
    runner = get_runner(simulator)
    lint = ["-Wno-fatal", "-Wno-WIDTHEXPAND", "-Wno-WIDTHTRUNC", "-Wno-CASEOVERLAP"]
    common = {"hdl_toplevel": axi.top, "build_dir": folder / simulator}
    runner.build(
        sources=sorted((folder / "rtl").iterdir()),
        build_args=lint if simulator == "verilator" else ["-g2012"],
        timescale=("1ns", "1ps"),
        parameters={"MEM_DIR": f'"{folder / "mem"}"'},
        log_file=folder / "build.log",
        **common,
    )
    runner.test(test_module="axi_body", test_dir=folder, log_file=folder / "test.log", **common)
    assert found.exists(), (folder / "test.log").read_text()[-3000:]
    return json.loads(found.read_text())


def words_of(result):
    data = bytes(result)
    return [int.from_bytes(data[k : k + 4], "little") for k in range(0, len(data), 4)]


def check_results(axi, x, packets, results):
    """One result for each packet, in order; a good one is golden's."""
    golden, interface = axi.design.golden(x), axi.design.interface
    assert len(results) == len(packets)
    for packet, result in zip(packets, results, strict=True):
        words = words_of(result)
        assert len(words) == axi.format.result_words
        assert words[-1] >> 16 == (packet.sample is None), packet
        if interface.tag_bits:
            assert words[-2] == packet.tag
        if packet.sample is None:
            continue
        logits = golden.logits[packet.sample]
        assert words[-1] == int(np.argmax(logits))
        if axi.config.result == "logits":
            assert words[: interface.classes] == [int(v) & 0xFFFFFFFF for v in logits]


def check_counts(axi, packets, registers):
    """Every wrong packet is counted once, by its own cause and by the block's rule of marks."""
    due = {name: 0 for name in registers if name.startswith("packets_")}
    for packet in packets:
        if packet.counted:
            due[packet.counted] += 1
    assert {name: registers[name] for name in due} == due
    broken = sum(packet.sample is None for packet in packets)
    assert registers["violations_marks"] == broken
    assert registers["samples"] == len(packets)
    assert registers["status"] >> 2 == 0
    assert sum(registers[f"violations_{cause}"] for cause in ("index", "order", "level")) == 0

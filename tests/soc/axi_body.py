"""What cocotb runs: a job's packets through the AXI host, with cocotbext-axi's masters at random pace."""

import json
import os
import random
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, with_timeout
from cocotbext.axi import (
    AxiLiteBus,
    AxiLiteMaster,
    AxiStreamBus,
    AxiStreamFrame,
    AxiStreamSink,
    AxiStreamSource,
)

PATIENCE = 20
"""Simulated milliseconds after which the results are given up."""
JOB = "AXI_JOB"
"""The environment variable that names the job's file."""


def pauses(rng, rate):
    while True:
        yield rng.random() < rate


class Bench:
    """The three buses of a host."""

    def __init__(self, dut, job):
        rng, stall = random.Random(job["seed"]), job["stall"]
        common = {"reset": dut.aresetn, "reset_active_level": False}
        self.dut, self.job, self.rng = dut, job, rng
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.aclk, **common)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.aclk, **common)
        self.lite = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, **common)
        write, read = self.lite.write_if, self.lite.read_if
        channels = [write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel]
        for each in (self.source, self.sink, *channels):
            if stall:
                each.set_pause_generator(pauses(rng, stall))

    async def reset(self):
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 4)
        self.dut.aresetn.value = 1
        await ClockCycles(self.dut.aclk, 4)

    async def read(self, name):
        return await self.lite.read_dword(self.job["offsets"][name])

    async def write(self, name, value):
        await self.lite.write_dword(self.job["offsets"][name], value)

    async def load(self, data):
        """Write the bytes of a load frame, as a driver does it."""
        for k in range(0, len(data), 4):
            while not await self.read("load_free"):
                pass
            await self.lite.write(self.job["offsets"]["load"], data[k : k + 4])

    async def send(self, packets):
        for packet in packets:
            keep = packet["keep"] or None
            await self.source.send(
                AxiStreamFrame(bytes.fromhex(packet["data"]), tkeep=keep, tuser=packet["user"])
            )

    async def results(self, count):
        return [list((await self.sink.recv()).tdata) for _ in range(count)]

    async def read_now_and_then(self):
        """Reads while samples pass: they must disturb nothing."""
        while self.passing:
            await ClockCycles(self.dut.aclk, self.rng.randrange(1, 200))
            await self.read(self.rng.choice(list(self.job["offsets"])))

    async def round(self, packets):
        """The results of packets, and what the registers say behind them."""
        self.passing = True
        reader = cocotb.start_soon(self.read_now_and_then())
        await self.send(packets)
        results = await with_timeout(self.results(len(packets)), PATIENCE, "ms")
        self.passing = False
        await reader
        await ClockCycles(self.dut.aclk, 20)
        return {"results": results, "registers": await self.registers()}

    async def registers(self):
        return {name: await self.read(name) for name in self.job["offsets"]}

    async def loaded(self):
        """Load the memories, if they must be loaded."""
        if self.job["load"]:
            await self.load(b"no frame")
            await self.load(bytes.fromhex(self.job["load"]))
            while not await self.read("status") & 1:
                pass

    async def reset_in_a_packet(self, packet):
        """Reset the block by its register while a packet comes: what follows of it is a packet too short."""
        self.source.clear_pause_generator()
        self.source.pause = False
        await self.send([packet])
        await ClockCycles(self.dut.aclk, 4)
        self.source.pause = True
        await ClockCycles(self.dut.aclk, 20)
        status = await self.read("status")
        await self.write("control", 1)
        await ClockCycles(self.dut.aclk, 20)
        registers = await self.registers()
        await self.loaded()
        self.source.pause = False
        rest = await with_timeout(self.results(1), PATIENCE, "ms")
        return {"status": status, "registers": registers, "rest": rest}


@cocotb.test()
async def job(dut):
    given = json.loads(Path(os.environ[JOB]).read_text())
    cocotb.start_soon(Clock(dut.aclk, 10, "ns").start())
    bench = Bench(dut, given)
    await bench.reset()
    found = {"first": await bench.registers()}
    await bench.loaded()
    found["before"] = await bench.round(given["packets"])
    if given["cut"]:
        found["reset"] = await bench.reset_in_a_packet(given["packets"][0])
        found["after"] = await bench.round(given["packets"])
    Path(given["found"]).write_text(json.dumps(found))

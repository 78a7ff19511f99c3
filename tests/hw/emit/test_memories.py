"""Memories in Verilog: attributes, ports, macros."""

import re

import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikefold.errors import InputError
from spikefold_hw.emit import emit
from spikefold_hw.memory_choice import STYLES, MemoryChoice
from spikefold_hw.parts.memory import Ram, Rom


class Store(wiring.Component):
    """A ROM and a RAM, both read at one address."""

    address: In(3)
    rom: Out(5)
    ram: Out(9)

    def elaborate(self, platform):
        m = Module()
        for name, memory in (("rom", Rom("weights", 5, 8)), ("ram", Ram(9, 8, "state"))):
            m.submodules[f"{name}_memory"] = memory
            read = memory.read_port()
            m.d.comb += [read.addr.eq(self.address), getattr(self, name).eq(read.data)]
        write = memory.write_port()
        m.d.comb += [write.addr.eq(self.address), write.data.eq(self.ram), write.en.eq(1)]
        return m


def store(*choices):
    return emit(Store(), "store", memories=choices)


@pytest.mark.parametrize("style", STYLES)
def test_style_is_in_the_name_and_the_attributes(style):
    kept = "block" if style in ("ultra", "spram") else style
    files = store(MemoryChoice("weights", kept), MemoryChoice("state", style)).verilog
    names = [
        f"spikefold_{memory}" + f"_{each}" * (each != "auto") + ".v"
        for memory, each in (("rom_5x8", kept), ("ram_9x8", style))
    ]
    assert set(files) == {"store_top.v", "store_core.v", *names}
    rom, ram = (files[name] for name in names)
    asked = {"auto": "block"}.get(kept, kept)
    assert f'(* rom_style = "{asked}"' in rom
    assert "(* no_rw_check" in ram
    assert ("ram_style" in ram) == (style != "auto")
    if style != "auto":
        assert f'ram_style = "{"ultra" if style == "spram" else style}"' in ram
        for text, prefix in ((rom, "rom"), (ram, "ram")):
            assert f" {prefix}style = " in text
            assert f"syn_{prefix}style = " in text


def test_unnamed_memory_is_left_alone():
    files = store(MemoryChoice("weights", "distributed")).verilog
    assert "spikefold_ram_9x8.v" in files
    assert "spikefold_rom_5x8_distributed.v" in files


def test_single_changes_nothing_of_a_rom():
    assert store(MemoryChoice("weights", single=True)).verilog == store().verilog


def test_choice_for_an_unknown_memory_is_refused():
    with pytest.raises(InputError, match=r"^Memory choices must name memories of the design, not 'other'$"):
        store(MemoryChoice("weights"), MemoryChoice("other"))


def test_macro_takes_the_place_of_the_module():
    emission = store(MemoryChoice("weights", macro="my_rom"), MemoryChoice("state", macro="my_ram"))
    assert set(emission.verilog) == {"store_top.v", "store_core.v"}
    core = emission.verilog["store_core.v"]
    writes = {"write_enable", "write_address", "write_data"}
    for macro, ports, parameters in (
        ("my_rom", {"clk", "enable", "address", "data"}, {"WIDTH": "5", "FILE": "weights.mem"}),
        (
            "my_ram",
            {"clk", "read_enable", "read_address", "read_data"} | writes,
            {"WIDTH": "9", "DEPTH": "8"},
        ),
    ):
        text = re.search(rf"^  {macro} #\((.*?)^  \) \w+ \((.*?)^  \);", core, re.DOTALL | re.MULTILINE)
        assert set(re.findall(r"\.(\w+)\(", text[2])) == ports
        values = re.findall(r"\.(\w+)\((?:32'd)?\"?(.*?)\"?\)", text[1])
        assert dict(values).items() >= parameters.items()
        model = emission.models[f"{macro}.v"]
        assert set(re.findall(r"put (?:wire|reg) (?:\[.*\] )?(\w+)", model)) == ports
        assert set(dict(values)) == set(re.findall(r"parameter (\w+) =", model))


def test_macro_for_memories_with_other_ports_is_refused():
    message = (
        r"^Macro 'm' must stand for memories with the same ports, but those of '(state|weights)' differ; "
    )
    with pytest.raises(InputError, match=message):
        store(MemoryChoice("weights", macro="m"), MemoryChoice("state", macro="m"))

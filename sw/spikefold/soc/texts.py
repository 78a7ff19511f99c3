"""The register map for people and programs: a C header, a page and a Python module, from one source."""

from collections.abc import Iterator
from pprint import pformat

from spikefold.soc.axi import AxiDesign
from spikefold_hw.host.registers import Register


def c_header(axi: AxiDesign) -> str:
    """The C header: an offset for each register, a mask for each of its bits, and the sizes of packets."""
    prefix = axi.top.upper()
    lines = [f"/* Registers of {axi.top}: offsets in bytes from its base address. Written by spikefold. */"]
    lines += [f"#ifndef {prefix}_H", f"#define {prefix}_H", ""]
    for register in axi.registers.registers:
        name = f"{prefix}_{register.name.upper()}"
        lines += [f"/* {_sentence(register)} */", f"#define {name} 0x{register.offset:02X}u"]
        lines += [
            f"#define {name}_{field.name.upper()} 0x{1 << field.bit:X}u /* {field.meaning} */"
            for field in register.fields
        ]
    lines += ["", "/* Sizes of packets, and values of the constant registers. */"]
    lines += [f"#define {prefix}_{name.upper()} {value}u" for name, value in _sizes(axi).items()]
    lines += [
        f"#define {prefix}_{name.upper()}_VALUE 0x{value:X}u" for name, value in _constants(axi).items()
    ]
    return "\n".join([*lines, "", f"#endif /* {prefix}_H */", ""])


def python_module(axi: AxiDesign) -> str:
    """The Python module `registers`, which the drivers read."""
    registers = axi.registers.registers
    fields = {r.name: {f.name: f.bit for f in r.fields} for r in registers if r.fields}
    counters = tuple(r.name for r in registers if r.access == "read" and r.name != "status")
    events = axi.design.interface.input
    values = {
        "NAME": (axi.top, "the top module"),
        "OFFSETS": ({r.name: r.offset for r in registers}, "of registers, in bytes"),
        "FIELDS": (fields, "numbers of the bits of registers"),
        "CONSTANTS": (_constants(axi), "what the constant registers hold"),
        "COUNTERS": (counters, "registers that count, or tell a state"),
        "INPUT": (axi.config.input, "dense levels, a byte each, or events, a word each"),
        "SHAPE": (tuple(events.map), "channels, height and width of a sample at one time step"),
        "STEPS": (events.time.steps, "time steps that are presented"),
        "ORDER": (events.time.order, "of position and time step"),
        "LOGITS": (axi.config.result == "logits", "whether a result has them"),
        "LOADED": (axi.design.interface.loaded, "whether a host loads the weights"),
        "SIZES": (_sizes(axi), "of packets"),
    }
    lines = [f'"""Registers and packets of {axi.top}. Written by spikefold."""', ""]
    for name, (value, meaning) in values.items():
        lines += [f"# {meaning}", f"{name} = {pformat(value, sort_dicts=False)}"]
    return "\n".join([*lines, ""])


def page(axi: AxiDesign) -> str:
    """The page, in Markdown."""
    lines = [f"# Registers of `{axi.top}`", "", "Words of 32 bits on AXI4-Lite. Every answer is OKAY.", ""]
    lines += ["| offset | register | bits | access | meaning |", "|---|---|---|---|---|"]
    for register in axi.registers.registers:
        cells = (f"0x{register.offset:02X}", f"`{register.name}`", str(register.bits), register.access)
        lines.append(f"| {' | '.join(cells)} | {_escaped(_meaning(axi, register))} |")
        lines += [
            f"| | `{register.name}.{field.name}` | {field.bit} | | {_escaped(field.meaning)} |"
            for field in register.fields
        ]
    lines += ["", "## Packets", "", "| size | value |", "|---|---|"]
    lines += [f"| {name.replace('_', ' ')} | {value} |" for name, value in _sizes(axi).items()]
    return "\n".join([*lines, "", *_packets(axi), ""])


def _packets(axi: AxiDesign) -> Iterator[str]:
    if axi.config.input == "dense":
        yield "A sample is a packet of `s_axis`: a byte for every level, cell by cell, in each all channels."
    else:
        yield (
            "A sample is a packet of `s_axis`: a word for every event, index in bits 0 to 15, level in bits "
            "16 to 28, `end_position`, `end_step` and `end_sample` in bits 29, 30 and 31."
        )
    logits = "the logits, signed, " if axi.config.result == "logits" else ""
    tag = "the tag, " if axi.design.interface.tag_bits else ""
    yield (
        f"A result is a packet of `m_axis`, of words of 32 bits: {logits}{tag}then the class in bits 0 to 15 "
        "with `error` in bit 16."
    )


def _sizes(axi: AxiDesign) -> dict[str, int]:
    events = axi.design.interface.input
    sizes = {"beat_bytes": axi.config.bytes, "result_words": axi.format.result_words}
    if axi.config.input == "dense":
        sizes["sample_bytes"] = events.map.channels * events.map.positions * events.time.steps
    return sizes


def _constants(axi: AxiDesign) -> dict[str, int]:
    registers = axi.registers
    names = [register.name for register in registers.registers if register.access == "constant"]
    return dict(zip(names, registers.identification, strict=True))


def _meaning(axi: AxiDesign, register: Register) -> str:
    if register.access != "constant":
        return register.meaning
    return f"{register.meaning}: {_constants(axi)[register.name]}"


def _sentence(register: Register) -> str:
    return f"{register.access}, {register.bits} bits: {register.meaning}".replace("*/", "* /")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")

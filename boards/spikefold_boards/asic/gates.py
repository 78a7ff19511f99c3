"""A mapped netlist under plain names, which every tool reads, and what its nets were called."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from spikefold_boards.netlist import Netlist


@dataclass(frozen=True)
class PlainNetlist:
    """A netlist whose cells are ``u0``, ``u1``, .. and whose nets ``n<bit>``; ports keep their names.

    Attributes
    ----------
    simulated
        For simulation, the black boxes with their parameters.
    timed
        For timing: black boxes have no parameters, and one type for each size.
    boxes
        Ports of each of these types.
    names
        What the cells are for people: an instance's own name, or that of the net that a gate drives; a gate
        that drives no named net is left out.
    """

    simulated: Netlist
    timed: Netlist
    boxes: Mapping[str, Mapping[str, Any]]
    names: Mapping[str, str]


def plain(netlist: Netlist, memories: Set[str]) -> PlainNetlist:
    """A netlist with plain names; cells of the types ``memories`` are black boxes."""
    called = _public_names(netlist)
    simulated, timed, boxes, names = {}, {}, {}, {}
    for number, (name, cell) in enumerate(netlist.cells.items()):
        kind, ports = cell["type"], _ports(cell)
        boxed = kind in memories
        simulated[f"u{number}"] = _cell(cell, kind, cell["parameters"] if boxed else {})
        if boxed:
            widths = "x".join(str(len(port["bits"])) for port in ports.values())
            kind = f"{kind}_{widths}"
            boxes[kind] = ports
        timed[f"u{number}"] = _cell(cell, kind, {})
        driven = [bit for port in ports.values() if port["direction"] == "output" for bit in port["bits"]]
        shown = name if boxed else next((called[bit] for bit in driven if bit in called), None)
        if shown is not None:
            names[f"u{number}"] = shown
    return PlainNetlist(_document(netlist, simulated), _document(netlist, timed), boxes, names)


def output_pins(netlist: Netlist) -> Iterator[str]:
    """Every output of every cell that is connected, as ``cell/pin`` or ``cell/pin[place]``."""
    for name, cell in netlist.cells.items():
        for pin, bits in cell["connections"].items():
            if cell["port_directions"][pin] == "output":
                places = range(len(bits)) if len(bits) > 1 else [None] * len(bits)
                yield from (f"{name}/{pin}" if each is None else f"{name}/{pin}[{each}]" for each in places)


def _cell(cell: Mapping[str, Any], kind: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {**cell, "type": kind, "parameters": parameters, "hide_name": 0, "attributes": {}}


def _ports(cell: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        pin: {"direction": direction, "bits": cell["connections"][pin]}
        for pin, direction in cell["port_directions"].items()
    }


def _document(netlist: Netlist, cells: Mapping[str, Any]) -> Netlist:
    ports = {
        name: {key: value for key, value in port.items() if key != "signed"}
        for name, port in netlist.ports.items()
    }
    outside = {bit for port in ports.values() for bit in port["bits"]}
    used = {bit for cell in cells.values() for bits in cell["connections"].values() for bit in bits}
    inner = sorted(bit for bit in used - outside if isinstance(bit, int))
    nets = {f"n{bit}": {"hide_name": 0, "bits": [bit], "attributes": {}} for bit in inner}
    module = {"attributes": {"top": 1}, "ports": ports, "cells": cells, "netnames": nets}
    return Netlist({"modules": {netlist.top: module}}, netlist.top)


def _public_names(netlist: Netlist) -> dict[int, str]:
    """What each net was called in the design; the shortest of several names."""
    found: dict[int, str] = {}
    nets = netlist.document["modules"][netlist.top]["netnames"]
    for name in sorted((name for name, net in nets.items() if not net["hide_name"]), key=len):
        bits = nets[name]["bits"]
        for place, bit in enumerate(bits):
            found.setdefault(bit, name if len(bits) == 1 else f"{name}[{place}]")
    return found

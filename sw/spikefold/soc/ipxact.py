"""The IP-XACT component of a design (IEEE 1685-2009, as Vivado's catalogue reads it)."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement

from spikefold.soc.axi import CLOCK, RESET, AxiDesign
from spikefold_hw.emit.ports import Port
from spikefold_hw.host.axi.host import REGISTERS, RESULTS, SAMPLES
from spikefold_hw.host.registers import Register

SPIRIT = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
XILINX = "http://www.xilinx.com"
_SCHEMA = "http://www.w3.org/2001/XMLSchema-instance"
VENDOR, LIBRARY = "spikefold", "accelerators"
MEMORY_MAP = "registers"
FAMILIES = ("zynq", "artix7", "kintex7", "virtex7", "spartan7", "zynquplus", "kintexu", "kintexuplus")
"""Vivado's names of the families that the catalogue offers the core for."""

_INTERFACE, _SIGNAL = ("xilinx.com", "interface"), ("xilinx.com", "signal")
_ACCESS = {"constant": "read-only", "read": "read-only", "write": "write-only"}


def component_xml(axi: AxiDesign, version: str, rtl: Sequence[str], images: Sequence[str]) -> bytes:
    """The file `component.xml`.

    Parameters
    ----------
    version
        Of the component.
    rtl, images
        Paths of the Verilog files and memory images beside the file.
    """
    for prefix, space in (("spirit", SPIRIT), ("xilinx", XILINX), ("xsi", _SCHEMA)):
        ElementTree.register_namespace(prefix, space)
    root = Element(_tag("component"))
    _texts(root, vendor=VENDOR, library=LIBRARY, name=axi.top, version=version)
    _buses(SubElement(root, _tag("busInterfaces")), axi)
    _memory_map(SubElement(root, _tag("memoryMaps")), axi)
    model = SubElement(root, _tag("model"))
    _views(SubElement(model, _tag("views")), axi.top)
    ports = SubElement(model, _tag("ports"))
    for port in axi.ports:
        _port(ports, port)
    _model_parameters(SubElement(model, _tag("modelParameters")))
    _files(SubElement(root, _tag("fileSets")), rtl, images)
    _texts(root, description=f"The network {axi.design.name} on AXI4-Stream and AXI4-Lite")
    _parameters(SubElement(root, _tag("parameters")), axi.top)
    _extensions(SubElement(root, _tag("vendorExtensions")), axi.top)
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _tag(name: str) -> str:
    return f"{{{SPIRIT}}}{name}"


def _texts(parent: Element, **texts: str) -> None:
    for name, text in texts.items():
        SubElement(parent, _tag(name)).text = text


def _kind(parent: Element, tag: str, group: tuple[str, str], name: str) -> None:
    vendor, library = group
    given = {"vendor": vendor, "library": library, "name": name, "version": "1.0"}
    SubElement(parent, _tag(tag), {_tag(key): value for key, value in given.items()})


def _bus(
    parent: Element, name: str, group: tuple[str, str], kind: str, role: str, ports: dict[str, str]
) -> Element:
    """A bus interface with its logical ports; what is returned takes parameters."""
    bus = SubElement(parent, _tag("busInterface"))
    _texts(bus, name=name)
    _kind(bus, "busType", group, kind)
    _kind(bus, "abstractionType", group, f"{kind}_rtl")
    side = SubElement(bus, _tag(role))
    if kind == "aximm":
        SubElement(side, _tag("memoryMapRef"), {_tag("memoryMapRef"): MEMORY_MAP})
    maps = SubElement(bus, _tag("portMaps"))
    for logical, physical in ports.items():
        pair = SubElement(maps, _tag("portMap"))
        _texts(SubElement(pair, _tag("logicalPort")), name=logical)
        _texts(SubElement(pair, _tag("physicalPort")), name=physical)
    return bus


def _buses(parent: Element, axi: AxiDesign) -> None:
    names = [port.name for port in axi.ports]
    for bus, kind, role in (
        (SAMPLES, "axis", "slave"),
        (RESULTS, "axis", "master"),
        (REGISTERS, "aximm", "slave"),
    ):
        prefix = f"{bus}_"
        ports = {n.removeprefix(prefix).upper(): n for n in names if n.startswith(prefix)}
        _bus(parent, bus, _INTERFACE, kind, role, ports)
    reset = _bus(parent, RESET, _SIGNAL, "reset", "slave", {"RST": RESET})
    _parameters_of(reset, RESET, {"POLARITY": "ACTIVE_LOW"})
    clock = _bus(parent, CLOCK, _SIGNAL, "clock", "slave", {"CLK": CLOCK})
    buses = ":".join((SAMPLES, RESULTS, REGISTERS))
    _parameters_of(clock, CLOCK, {"ASSOCIATED_BUSIF": buses, "ASSOCIATED_RESET": RESET})


def _parameters_of(bus: Element, name: str, values: dict[str, str]) -> None:
    parameters = SubElement(bus, _tag("parameters"))
    for key, value in values.items():
        parameter = SubElement(parameters, _tag("parameter"))
        _texts(parameter, name=key)
        _value(parameter, value, f"BUSIFPARAM_VALUE.{name.upper()}.{key}")


def _value(parent: Element, value: str, name: str, **more: str) -> None:
    attributes = {_tag(key): text for key, text in ({"id": name} | more).items()}
    SubElement(parent, _tag("value"), attributes).text = value


def _memory_map(parent: Element, axi: AxiDesign) -> None:
    registers = axi.registers
    found = SubElement(parent, _tag("memoryMap"))
    _texts(found, name=MEMORY_MAP)
    block = SubElement(found, _tag("addressBlock"))
    size = 4 << registers.address_bits
    _texts(block, name="all", baseAddress="0x0", range=str(size), width="32", usage="register")
    for register in registers.registers:
        _register(block, register)


def _register(parent: Element, register: Register) -> None:
    found = SubElement(parent, _tag("register"))
    offset = f"0x{register.offset:X}"
    _texts(found, name=register.name, description=register.meaning, addressOffset=offset, size="32")
    _texts(found, access=_ACCESS[register.access])
    for field in register.fields:
        bit = SubElement(found, _tag("field"))
        _texts(bit, name=field.name, description=field.meaning, bitOffset=str(field.bit), bitWidth="1")


def _views(parent: Element, top: str) -> None:
    for name, kind, files in (
        ("xilinx_anylanguagesynthesis", ":vivado.xilinx.com:synthesis", "synthesis"),
        ("xilinx_anylanguagebehavioralsimulation", ":vivado.xilinx.com:simulation", "simulation"),
    ):
        view = SubElement(parent, _tag("view"))
        _texts(view, name=name, envIdentifier=kind, language="verilog", modelName=top)
        _texts(SubElement(view, _tag("fileSetRef")), localName=files)


def _port(parent: Element, port: Port) -> None:
    found = SubElement(parent, _tag("port"))
    _texts(found, name=port.name)
    wire = SubElement(found, _tag("wire"))
    _texts(wire, direction={"input": "in", "output": "out"}[port.direction])
    if port.width > 1:
        _texts(SubElement(wire, _tag("vector")), left=str(port.width - 1), right="0")


def _model_parameters(parent: Element) -> None:
    parameter = SubElement(parent, _tag("modelParameter"), {_tag("dataType"): "string"})
    _texts(parameter, name="MEM_DIR")
    _value(parameter, "mem", "MODELPARAM_VALUE.MEM_DIR", resolve="generated")


def _parameters(parent: Element, top: str) -> None:
    for name, value in (("MEM_DIR", "mem"), ("Component_Name", f"{top}_0")):
        parameter = SubElement(parent, _tag("parameter"))
        _texts(parameter, name=name)
        _value(parameter, value, f"PARAM_VALUE.{name.upper()}", resolve="user")


def _files(parent: Element, rtl: Iterable[str], images: Iterable[str]) -> None:
    for name in ("synthesis", "simulation"):
        files = SubElement(parent, _tag("fileSet"))
        _texts(files, name=name)
        for path in rtl:
            _texts(SubElement(files, _tag("file")), name=path, fileType="verilogSource")
        for path in images:
            _texts(SubElement(files, _tag("file")), name=path, userFileType="mem")


def _extensions(parent: Element, top: str) -> None:
    """What Vivado's catalogue wants: families, where the core stands, its name there."""
    core = SubElement(parent, f"{{{XILINX}}}coreExtensions")
    families = SubElement(core, f"{{{XILINX}}}supportedFamilies")
    for family in FAMILIES:
        SubElement(families, f"{{{XILINX}}}family", {f"{{{XILINX}}}lifeCycle": "Beta"}).text = family
    taxonomies = SubElement(core, f"{{{XILINX}}}taxonomies")
    SubElement(taxonomies, f"{{{XILINX}}}taxonomy").text = "/UserIP"
    SubElement(core, f"{{{XILINX}}}displayName").text = top

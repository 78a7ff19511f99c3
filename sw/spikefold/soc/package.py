"""A folder with a design on AXI for the tools that build systems on chip."""

import json
from importlib import metadata, resources
from pathlib import Path

from spikefold.errors import BuildError
from spikefold.files import write_atomic
from spikefold.flow.replace import replaced_folder
from spikefold.soc.axi import AxiDesign
from spikefold.soc.filling import filled
from spikefold.soc.ipxact import component_xml
from spikefold.soc.selfcheck import check_files
from spikefold.soc.texts import c_header, page, python_module

CONTENTS = "package.json"
"""File with the paths of all others: only a folder that has it, or nothing, is replaced."""

PART = "xc7z020clg400-1"
"""What the script for Vivado synthesizes for, unless it is told another: the chip of PYNQ-Z1 and -Z2."""
PERIOD_NS = 10.0
_DRIVERS = ("driver.py", "litex_module.py")


def write_package(axi: AxiDesign, path: Path) -> list[str]:
    """Write a package; an earlier one at `path` is replaced. Returns the paths in it, sorted.

    The folder is an IP repository of Vivado (`component.xml`) and a library of FuseSoC (`<top>.core`). It
    holds the register map as C header, page and Python module, with drivers.

    Raises
    ------
    BuildError
        If `path` holds anything that is not a package.
    InputError
        As `AxiDesign`.
    """
    _check_target(path)
    files = package_files(axi)
    with replaced_folder(path) as folder:
        for name, data in files.items():
            write_atomic(folder / name, data)
        write_atomic(folder / CONTENTS, json.dumps({"top": axi.top, "files": sorted(files)}, indent=1) + "\n")
    return sorted([*files, CONTENTS])


def package_files(axi: AxiDesign) -> dict[str, bytes]:
    """What a package holds, by path."""
    files = axi.files
    checks = check_files(axi)
    rtl = sorted(axi.verilog)
    images = sorted(name for name in axi.images if name.endswith(".mem"))
    version = metadata.version("spikefold")
    core = filled(
        "package.core.j2",
        top=axi.top,
        network=axi.design.name,
        version=version,
        rtl=rtl,
        images=images,
        checks=sorted(Path(name).name for name in checks if name.endswith(".mem")),
    )
    vivado = filled("vivado.tcl.j2", top=axi.top, part=PART, rtl=rtl, images=images)
    texts = {
        f"{axi.top}.core": core,
        "vivado.tcl": vivado,
        f"{axi.top}_ooc.xdc": filled("ooc.xdc.j2", top=axi.top, period=PERIOD_NS),
        "registers.md": page(axi),
        f"software/{axi.top}.h": c_header(axi),
        f"software/{axi.top}/__init__.py": f'"""Programs for {axi.top}."""\n',
        f"software/{axi.top}/registers.py": python_module(axi),
    }
    texts |= {f"software/{axi.top}/{name}": _shipped(name) for name in _DRIVERS}
    files |= checks | {name: text.encode() for name, text in texts.items()}
    xml = component_xml(axi, version, [f"rtl/{name}" for name in rtl], [f"mem/{name}" for name in images])
    return files | {"component.xml": xml}


def _shipped(name: str) -> str:
    return resources.files("spikefold.soc").joinpath("software").joinpath(name).read_text("utf-8")


def _check_target(path: Path) -> None:
    if path.exists() and not path.is_dir():
        raise BuildError(f"Output must be a directory, but {str(path)!r} is a file; name another with -o")
    if path.is_dir() and any(path.iterdir()) and not (path / CONTENTS).is_file():
        raise BuildError(
            f"Output directory must be new, empty or an earlier package, but {str(path)!r} has no "
            f"{CONTENTS}; name another with -o"
        )

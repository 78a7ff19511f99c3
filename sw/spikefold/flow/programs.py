"""The external programs, and where each may come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Package:
    """A Python package that carries a program.

    Attributes
    ----------
    distribution, module
        What pip and Python call it.
    code
        Python that runs the program with ``sys.argv[1:]``; or instead
    executable
        its file in the module's folder, and
    root_variable
        the environment variable that names this folder to the program.
    """

    distribution: str
    module: str
    code: str | None = None
    executable: str | None = None
    root_variable: str | None = None


@dataclass(frozen=True)
class Program:
    """An external program.

    Attributes
    ----------
    name, title
        What this project and people call it.
    executable
        Its name on PATH.
    packages
        Python packages that carry it, the best first.
    version_flag, version_pattern
        How a program on PATH is asked for its version, and what of the answer it is.
    minimum
        The oldest version that serves: its first numbers, and how people write it.
    helpers
        Programs that must be on PATH for it to run, and the Debian packages that hold them.
    extra
        The extra of this project that brings a package.
    """

    name: str
    title: str
    executable: str
    packages: tuple[Package, ...] = ()
    version_flag: str = "--version"
    version_pattern: str = r"(.+)"
    minimum: tuple[tuple[int, ...], str] = ((), "")
    helpers: Mapping[str, str] = field(default_factory=dict)
    extra: str = "synth"


def _yowasp(program: str, package: str | None = None) -> Package:
    """The WebAssembly build of a program; the package carries its name unless it is given."""
    package = f"yowasp-{package or program}"
    module = package.replace("-", "_")
    function = f"run_{program}".replace("-", "_")
    return Package(package, module, f"import sys, {module}; sys.exit({module}.{function}(sys.argv[1:]))")


# Native yosys comes first: half the time of the WebAssembly build, which also needs half a minute to be
# compiled once and stops at chains of about 5000 cells. Both gave the same cell counts.
_PYOSYS = Package(
    "pyosys",
    "pyosys",
    "import sys; from pyosys import libyosys; libyosys.run_pass('script ' + sys.argv[-1])",
)

PROGRAMS: Mapping[str, Program] = {
    program.name: program
    for program in (
        Program("yosys", "Yosys", "yosys", (_PYOSYS, _yowasp("yosys")), version_flag="-V"),
        Program("nextpnr-ecp5", "nextpnr-ecp5", "nextpnr-ecp5", (_yowasp("nextpnr-ecp5"),)),
        Program("nextpnr-ice40", "nextpnr-ice40", "nextpnr-ice40", (_yowasp("nextpnr-ice40"),)),
        Program(
            name="nextpnr-himbaechel-gowin",
            title="nextpnr for Gowin",
            executable="nextpnr-himbaechel",
            packages=(_yowasp("nextpnr-himbaechel-gowin"),),
            extra="boards",
        ),
        Program("ecppack", "ecppack", "ecppack", (_yowasp("ecppack", "nextpnr-ecp5"),)),
        Program(
            name="icepack",
            title="icepack",
            executable="icepack",
            packages=(_yowasp("icepack", "nextpnr-ice40"),),
            version_flag="-h",  # it has no version of its own
        ),
        Program(
            name="gowin_pack",
            title="gowin_pack",
            executable="gowin_pack",
            packages=(Package("Apycula", "apycula", "from apycula.gowin_pack import main; main()"),),
            version_flag="-h",
            extra="boards",
        ),
        Program(
            name="verilator",
            title="Verilator",
            executable="verilator",
            packages=(
                Package(
                    "verilator",
                    "verilator",
                    executable="bin/verilator",
                    root_variable="VERILATOR_ROOT",
                ),
            ),
            version_pattern=r"Verilator (\S+)",
            minimum=((5, 36), "5.036"),  # the oldest that cocotb 2.1 works with
            helpers={"perl": "perl", "make": "make", "g++": "g++"},
            extra="sim",
        ),
        Program(
            name="icarus",
            title="Icarus Verilog",
            executable="iverilog",
            version_flag="-V",
            version_pattern=r"Icarus Verilog version (\S+)",
            helpers={"iverilog": "iverilog", "vvp": "iverilog"},
        ),
        Program(
            name="opensta",
            title="OpenSTA",
            executable="sta",
            version_flag="-version",
            helpers={"sta": "opensta"},
        ),
    )
}

"""What simulation, synthesis and boards take: a design as files, with what is known of its ports."""

import re
from dataclasses import dataclass
from pathlib import Path

from spikefold.errors import InputError
from spikefold.flow.ports import IDENTIFIER, Ports

MEMORY_FOLDER = "mem"
"""Where a design looks for its images, seen from where a tool runs."""

_FILE_NAME = re.compile(r"[A-Za-z0-9_.-]+\.s?v\Z")


@dataclass(frozen=True)
class Clock:
    """The one clock of a design, and its reset.

    Parameters
    ----------
    port
        The clock's input.
    reset
        The input of the synchronous, active-high reset.
    mhz
        The frequency to aim at; None for none in particular.

    Raises
    ------
    InputError
        A name that is no Verilog identifier, or a frequency that is not positive.
    """

    port: str = "clk"
    reset: str = "rst"
    mhz: float | None = None

    def __post_init__(self) -> None:
        for name in (self.port, self.reset):
            if not IDENTIFIER.match(name):
                raise InputError(f"Clock and reset must be named by Verilog identifiers, not {name!r}")
        if self.mhz is not None and not 0 < self.mhz < float("inf"):
            raise InputError(f"Clock frequency must be a positive number of MHz, not {self.mhz!r}")


@dataclass(frozen=True)
class Artefact:
    """A design: Verilog and memory images.

    Parameters
    ----------
    rtl
        Its Verilog files, under different names.
    top
        Name of the top module.
    mem
        Folder of the memory images ``*.mem``; None where there are none. The top module then has the string
        parameter ``MEM_DIR``, which names it and is `MEMORY_FOLDER` by itself.
    ports
        Its streams and probes, which a simulation needs; None where they are not known.
    clock
        Its clock and reset.

    Raises
    ------
    InputError
        A file or folder that does not exist, two files of one name, or a name that is no Verilog identifier.
    """

    rtl: tuple[Path, ...]
    top: str
    mem: Path | None = None
    ports: Ports | None = None
    clock: Clock = Clock()

    def __post_init__(self) -> None:
        if not IDENTIFIER.match(self.top):
            raise InputError(f"Top module must be named by a Verilog identifier, not {self.top!r}")
        if not self.rtl:
            raise InputError(f"Verilog files must be given, not {self.rtl!r}")
        for path in self.rtl:
            _check_file(path)
        if len(set(self.names)) != len(self.rtl):
            raise InputError(f"Verilog files must have distinct names, not {self.names!r}")
        if self.mem is not None and not self.mem.is_dir():
            raise InputError(f"Folder of memory images must exist, but {str(self.mem)!r} does not")

    @property
    def names(self) -> list[str]:
        """Names of the Verilog files, in their order."""
        return [path.name for path in self.rtl]

    @property
    def images(self) -> list[Path]:
        """The memory images, sorted by name."""
        return [] if self.mem is None else sorted(path for path in self.mem.glob("*.mem") if path.is_file())

    @property
    def streams(self) -> Ports:
        """Its ports, for those who cannot do without.

        Raises
        ------
        InputError
            They are not known.
        """
        if self.ports is None:
            raise InputError(f"Ports of {self.top!r} must be known to simulate it, not None")
        return self.ports

    def link_images(self, folder: Path) -> None:
        """Let a program that runs in ``folder`` find the memory images."""
        if self.mem is not None:
            (folder / MEMORY_FOLDER).symlink_to(self.mem.absolute(), target_is_directory=True)


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"Verilog file must exist, but {str(path)!r} does not")
    if not _FILE_NAME.match(path.name):
        raise InputError(
            "Verilog file must have a name of letters, digits, '_', '.' and '-' that ends in '.v' or '.sv', "
            f"not {path.name!r}"
        )

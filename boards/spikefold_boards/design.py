"""The files a synthesis run starts from, checked, and their way into a work directory."""

import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from spikefold.errors import InputError

MEMORY_FOLDER = "mem"

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILE_NAME = re.compile(r"[A-Za-z0-9_.-]+\.s?v")
_READMEM = re.compile(r"\$readmem[hb]\s*\([^;]*\)\s*;")


@dataclass(frozen=True)
class Design:
    """Verilog files, name of the top module, and the folder of memory images (None: there are none).

    Raises
    ------
    InputError
        A file or folder that does not exist, two files of one name, or a name that is no Verilog identifier.
    """

    verilog: Sequence[Path]
    top: str
    mem_dir: Path | None = None

    def __post_init__(self) -> None:
        """Check everything that the class docstring promises."""
        if not _IDENTIFIER.fullmatch(self.top):
            raise InputError(f"Top module must be named by a Verilog identifier, not {self.top!r}")
        if not self.verilog:
            raise InputError(f"Verilog files must be given, not {list(self.verilog)!r}")
        for path in self.verilog:
            _check_file(path)
        if len(set(self.file_names)) != len(self.verilog):
            raise InputError(f"Verilog files must have distinct names, not {self.file_names!r}")
        if self.mem_dir is not None and not self.mem_dir.is_dir():
            raise InputError(f"Folder of memory images must exist, but {str(self.mem_dir)!r} does not")

    @property
    def file_names(self) -> list[str]:
        """Names of the Verilog files, in their order."""
        return [path.name for path in self.verilog]

    @property
    def images(self) -> list[Path]:
        """The memory images, sorted by name."""
        if self.mem_dir is None:
            return []
        return sorted(path for path in self.mem_dir.glob("*.mem") if path.is_file())

    def contents(self) -> Iterator[tuple[str, bytes]]:
        """Name and content of every file."""
        for path in (*self.verilog, *self.images):
            yield path.name, path.read_bytes()

    def copy_to(self, directory: Path) -> None:
        """Copy all files into ``directory``: the WebAssembly tools see little outside it."""
        (directory / MEMORY_FOLDER).mkdir()
        for path in self.verilog:
            shutil.copyfile(path, directory / path.name)
        for path in self.images:
            shutil.copyfile(path, directory / MEMORY_FOLDER / path.name)

    def copy_without_images(self, directory: Path) -> None:
        """Copy the Verilog with its ``$readmem`` calls taken out, for checks that need no contents."""
        for path in self.verilog:
            verilog = path.read_text("utf-8", errors="replace")
            (directory / path.name).write_text(_READMEM.sub("begin end", verilog), "utf-8")


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"Verilog file must exist, but {str(path)!r} does not")
    if not _FILE_NAME.fullmatch(path.name):
        raise InputError(
            "Verilog file must have a name of letters, digits, '_', '.' and '-' that ends in '.v' or '.sv', "
            f"not {path.name!r}"
        )

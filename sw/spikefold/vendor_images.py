"""Memory images in the formats of vendors' tools."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from spikefold.errors import InputError
from spikefold.files import write_atomic
from spikefold_hw.parts.images import Image

_SEGMENT = 1 << 16


@dataclass(frozen=True)
class VendorFormat:
    """A format of memory images.

    Attributes
    ----------
    ending
        Of a file's name.
    reader
        Whose tools read it.
    write
        Its bytes for an image.
    """

    ending: str
    reader: str
    write: Callable[[Image], bytes]


def _coe(image: Image) -> bytes:
    """Xilinx' coefficients: hexadecimal words behind a head (PG058, COE file syntax)."""
    words = ",\n".join(_hexadecimal(image))
    return f"memory_initialization_radix=16;\nmemory_initialization_vector=\n{words};\n".encode()


def _binary(image: Image) -> bytes:
    """Xilinx' memory initialization: a word a line, binary, the highest bit first (PG058)."""
    return "".join(f"{word:0{image.width}b}\n" for word in image.words).encode()


def _intel_mif(image: Image) -> bytes:
    """Intel's memory initialization file: size and radixes, then address and word (Quartus' help on .mif)."""
    rows = "".join(f"{row:x} : {word};\n" for row, word in enumerate(_hexadecimal(image)))
    head = f"WIDTH={image.width};\nDEPTH={len(image.data)};\n\nADDRESS_RADIX=HEX;\nDATA_RADIX=HEX;\n"
    return f"{head}\nCONTENT BEGIN\n{rows}END;\n".encode()


def _intel_hex(image: Image) -> bytes:
    """Intel HEX as Quartus takes it for memories: a record a word, its address counted in words.

    The bytes of a word come with the highest first. Beyond 65536 words records of the type 4 hold the upper
    half of the address.
    """
    return "".join(f"{record}\n" for record in _hex_records(image)).encode()


def _hex_records(image: Image) -> Iterator[str]:
    for row, data in enumerate(image.data):
        if row and row % _SEGMENT == 0:
            yield _record(0, 4, (row // _SEGMENT).to_bytes(2, "big"))
        yield _record(row % _SEGMENT, 0, data[::-1].tobytes())
    yield _record(0, 1, b"")


def _record(address: int, kind: int, data: bytes) -> str:
    body = bytes([len(data)]) + address.to_bytes(2, "big") + bytes([kind]) + data
    return f":{body.hex().upper()}{-sum(body) & 0xFF:02X}"


def _gowin_mi(image: Image) -> bytes:
    """Gowin's memory initialization: size in remarks, then a hexadecimal word a line (Gowin SUG100)."""
    head = f"#File_format=Hex\n#Address_depth={len(image.data)}\n#Data_width={image.width}\n"
    return (head + "".join(f"{word}\n" for word in _hexadecimal(image))).encode()


def _hexadecimal(image: Image) -> list[str]:
    """The words with all their digits."""
    return image.hexadecimal.decode().upper().split()


FORMATS: Mapping[str, VendorFormat] = MappingProxyType(
    {
        "coe": VendorFormat("coe", "Vivado", _coe),
        "xilinx-mif": VendorFormat("mif", "Vivado", _binary),
        "intel-mif": VendorFormat("mif", "Quartus", _intel_mif),
        "intel-hex": VendorFormat("hex", "Quartus", _intel_hex),
        "gowin-mi": VendorFormat("mi", "Gowin EDA", _gowin_mi),
        "mem": VendorFormat("mem", "$readmemh", lambda image: image.hexadecimal),
        "bin": VendorFormat("bin", "a host", lambda image: image.data.tobytes()),
    }
)
"""By name."""

_LONGEST = 255
"""Bytes that a record of Intel HEX can hold."""


def write_images(images: Mapping[str, Image], form: str, folder: Path) -> list[Path]:
    """Write memory images to a folder, each to a file of its name; the files.

    Parameters
    ----------
    form
        A name in `FORMATS`.
    folder
        Where; made if it is not there. Files of these names are replaced, others stay.

    Raises
    ------
    InputError
        An unknown format, or a row too long for it.
    """
    if form not in FORMATS:
        raise InputError(f"Format must be one of {', '.join(FORMATS)}, not {form!r}")
    files = []
    for name, image in images.items():
        if form == "intel-hex" and image.data.shape[1] > _LONGEST:
            raise InputError(
                f"Memory {name!r} must have rows of at most {8 * _LONGEST} bits for Intel HEX, not "
                f"{image.width}; take intel-mif"
            )
        path = folder / f"{name}.{FORMATS[form].ending}"
        write_atomic(path, FORMATS[form].write(image))
        files.append(path)
    return files

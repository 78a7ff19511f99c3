"""What a build directory holds beside network and manifest: functions of network and plan."""

from collections.abc import Mapping
from pathlib import Path

from spikefold.flow.artefact import MEMORY_FOLDER, Artefact
from spikefold.flow.ports import Ports
from spikefold_hw.emit import Emission
from spikefold_hw.parts.images import Image
from spikefold_hw.parts.load_frame import framed


def verilog_files(emission: Emission) -> dict[str, bytes]:
    """The Verilog by path, and what stands for macros."""
    files = {f"rtl/{name}": text.encode() for name, text in emission.verilog.items()}
    return files | {f"models/{name}": text.encode() for name, text in emission.models.items()}


def load_frame(images: Mapping[str, Image]) -> bytes:
    """What a host sends to load the images: all of them, in order, in a frame."""
    return framed(b"".join(image.data.tobytes() for image in images.values()))


def image_files(images: Mapping[str, Image], loaded: bool) -> dict[str, bytes]:
    """The memory images by path, for simulators (`.mem`) and for hosts (`.bin`).

    Images that a host loads come in their frame too.
    """
    files = {f"{MEMORY_FOLDER}/{name}.mem": image.hexadecimal for name, image in images.items()}
    files |= {f"{MEMORY_FOLDER}/load.bin": load_frame(images)} if loaded else {}
    return files | {f"{MEMORY_FOLDER}/{name}.bin": image.data.tobytes() for name, image in images.items()}


def artefact_in(folder: Path, top: str, ports: Ports) -> Artefact:
    """The design whose Verilog and images lie in a folder as in a build."""
    rtl = (*sorted((folder / "rtl").iterdir()), *sorted((folder / "models").glob("*")))
    (folder / MEMORY_FOLDER).mkdir(exist_ok=True)
    return Artefact(rtl, top, folder / MEMORY_FOLDER, ports)

"""Changes of whole files after which their digests fit again: another's work, not damage."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mutations import HOSTILE, edit_archive, edited, flip_bit, to_text, unzipped, zipped

from spikefold.files import sha256
from spikefold.formats.tensors import pack_tensors, read_tensors
from spikefold.manifest import MANIFEST, digest_of

Forgery = Callable[[Path, random.Random], None]


def other_model(root: Path, rng: random.Random) -> None:
    """A model file with another description or other tensors, and their digest."""
    path = root / "m.safetensors"
    found = read_tensors(path, "it")
    text, tensors = found.metadata["spikefold"], dict(found.tensors)
    if rng.randrange(2):
        text = to_text(edited(json.loads(text), rng)).decode()
    else:
        name = rng.choice(sorted(tensors))
        tensors[name] = rng.choice(_instead_of(tensors[name]))
    path.write_bytes(pack_tensors(tensors, {"spikefold": text}))


def _instead_of(tensor: torch.Tensor) -> list[torch.Tensor]:
    return [
        torch.full_like(tensor, torch.nan, dtype=torch.float32),
        torch.full_like(tensor, 1e30, dtype=torch.float64),
        tensor.to(torch.complex64),
        tensor.to(torch.float8_e4m3fn),
        tensor.to(torch.float64) * 1e15,
        tensor.to(torch.int8),
        tensor[None],
        torch.zeros(0),
        -tensor.to(torch.float32),
    ]


def other_network(root: Path, rng: random.Random) -> None:
    """An archive with other members or another header, whose checksums fit."""
    path = root / "network.npz"
    data = path.read_bytes()
    if rng.randrange(2):
        path.write_bytes(edit_archive(data, rng))
        return
    members = unzipped(data)
    members["network.json"] = to_text(edited(json.loads(members["network.json"]), rng))
    path.write_bytes(zipped(members))


def resigned_manifest(root: Path, rng: random.Random) -> None:
    """One part of a manifest edited; then it is signed again."""
    path = root / "b" / MANIFEST
    found = json.loads(path.read_text())
    part = rng.choice(["plan", "plan", "plan", "info", "files", "rtl", "top", "architecture", "name"])
    found[part] = rng.choice(HOSTILE) if rng.randrange(6) == 0 else edited(found[part], rng)
    seal(path, found)


def resigned_file(root: Path, rng: random.Random) -> None:
    """A file of a build edited, and everything signed again."""
    path = root / "b" / MANIFEST
    found = json.loads(path.read_text())
    name = rng.choice([name for name in sorted(found["files"]) if not name.endswith((".html", ".vlt"))])
    file = root / "b" / name
    data = file.read_bytes()
    if name.endswith(".v"):
        extra = b'  initial $system("touch executed");\nendmodule'
        file.write_bytes(
            rng.choice([data.replace(b"endmodule", extra, 1), b"\xff" + data, flip_bit(data, rng), b""])
        )
    elif name.endswith(".npz"):
        file.write_bytes(edit_archive(data, rng))
    else:
        place = rng.randrange(len(data))
        other = b"1" if data[place : place + 1] != b"1" else b"2"
        file.write_bytes(data[:place] + other + data[place + 1 :])
    found["files"][name] = sha256(file)
    seal(path, found)


def seal(path: Path, found: Any) -> None:
    """Write a manifest with the digest of what it holds, where it has one."""
    found.pop("sha256", None)
    try:
        found["sha256"] = digest_of(json.loads(to_text(found)))
    except (ValueError, RecursionError):
        found["sha256"] = "0" * 64
    path.write_bytes(to_text(found))

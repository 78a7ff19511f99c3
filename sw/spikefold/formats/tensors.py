"""Files of named tensors: safetensors, with a digest of everything in them."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from spikefold.errors import InputError, shown
from spikefold.formats.plain import parse_json
from spikefold.limits import TEXT, readable

DIGEST = "sha256"
"""The key of the metadata that holds the digest."""

_LENGTH = 8  # bytes that say how long the header is
_METADATA = "__metadata__"
_DTYPES = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U8", "BOOL")
_LARGEST = 2.0**60


@dataclass(frozen=True)
class TensorFile:
    """The metadata of a file but for its digest, its tensors by name, and whether it had a digest."""

    metadata: dict[str, str]
    tensors: dict[str, Tensor]
    signed: bool


def pack_tensors(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a file; the same contents give the same bytes.

    The metadata is put in here: safetensors writes it in an order that differs from run to run.
    """
    plain = safetensors.torch.save(dict(tensors))
    start = _LENGTH + int.from_bytes(plain[:_LENGTH], "little")
    signed = dict(sorted({**metadata, DIGEST: _digest(tensors, metadata)}.items()))
    header = {_METADATA: signed, **json.loads(plain[_LENGTH:start])}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _LENGTH)
    return len(text).to_bytes(_LENGTH, "little") + text + plain[start:]


def read_tensors(path: Path, what: str, *, error: type[InputError] = InputError) -> TensorFile:
    """Read a file of tensors and hold it against its digest, where it has one.

    Parameters
    ----------
    what
        The name of the file in messages.
    error
        The class of the error.

    Raises
    ------
    InputError
        If it is missing, no whole safetensors file, has a tensor of a type that no model has, or is not as
        its digest says.
    """
    try:
        _check_header(path, what, error)
        with safetensors.safe_open(str(path), framework="pt") as file:
            metadata = dict(file.metadata() or {})
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
    except (safetensors.SafetensorError, OSError, RuntimeError, OverflowError, MemoryError) as fault:
        raise error(f"{what} is truncated or not in safetensors format ({fault})") from None
    found = metadata.pop(DIGEST, None)
    if found is not None and found != _digest(tensors, metadata):
        raise error(f"{what} must be as it was written, but was edited or damaged: its {DIGEST} differs")
    return TensorFile(metadata, tensors, found is not None)


def check_numbers(name: str, tensor: Tensor, error: type[InputError] = InputError) -> None:
    """Refuse, by its name, a tensor with a number that is not finite or beyond ±2^60.

    Squares of what is within are finite even in 32 bits; no trained weight comes near.
    """
    if not tensor.is_floating_point():
        return
    if not bool(torch.isfinite(tensor).all()):
        raise error(f"Tensor {name!r} must be finite, but it holds NaN or infinity")
    if tensor.numel() and float(tensor.abs().max()) > _LARGEST:
        largest = float(tensor.abs().max())
        raise error(f"Tensor {name!r} must lie within ±2^60, but holds a number of size {largest:.3g}")


def _check_header(path: Path, what: str, error: type[InputError]) -> None:
    """Check lengths, names, types and shapes of a file before anything of it is loaded."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH), "little")
        if size < _LENGTH or length > size - _LENGTH:
            raise OSError("it ends before its header does")
        if length > TEXT:
            raise OSError(f"its header must have at most {readable(TEXT)}, not {readable(length)}")
        text = file.read(length)
    header = parse_json(text, f"Header of {what[:1].lower()}{what[1:]}", error=error)
    if not isinstance(header, dict):
        raise OSError("its header is no table")
    for name, entry in header.items():
        if name != _METADATA and (not isinstance(entry, dict) or entry.get("dtype") not in _DTYPES):
            dtype = entry.get("dtype") if isinstance(entry, dict) else entry
            raise error(
                f"Tensor {shown(name)} of {what[:1].lower()}{what[1:]} must be of one of the types "
                f"{', '.join(_DTYPES)}, not {shown(dtype)}"
            )


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """SHA-256 of metadata and tensors, in the order of their names, each after its description."""
    digest = hashlib.sha256(json.dumps(dict(metadata), sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        if tensor.numel():
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()

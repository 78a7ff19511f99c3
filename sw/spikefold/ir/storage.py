"""An integer network as one `.npz` file without pickle: arrays plus a JSON header (`docs/ir.md`)."""

import io
import json
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spikefold.codec import decode, encode
from spikefold.errors import InputError, ModelError, shown
from spikefold.files import write_atomic
from spikefold.formats.arrays import Archive, expect, opened
from spikefold.formats.plain import parse_json
from spikefold.ir.input import Input
from spikefold.ir.maps import Pair
from spikefold.ir.network import Network
from spikefold.ir.neuron import Neuron, Reset, Rounding, ShiftSum, ShiftSums
from spikefold.ir.projections import Conv, Dense, Identity, Projection
from spikefold.ir.stages import Add, Pool, Population, Stage

Schema = Literal[2, 3]
PLAIN: Schema = 2
PER_CHANNEL: Schema = 3
"""The schema where a leak differs between channels. A file has the lowest that can say it."""
_HEADER = "network.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)

Arrays = dict[str, NDArray[Any]]
Terms = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class _Dense:
    """A dense projection but for its weight."""

    source: str
    bits: int


@dataclass(frozen=True)
class _Identity:
    """An identity projection but for its weight."""

    source: str
    bits: int


@dataclass(frozen=True)
class _Conv:
    """A convolution but for its weight."""

    source: str
    bits: int
    stride: Pair
    padding: Pair
    groups: int


@dataclass(frozen=True)
class _Neuron:
    """A neuron but for its arrays."""

    levels: int
    rounding: Rounding
    reset: Reset
    leak: Terms | None
    factor: Terms | None
    membrane_bits: int | None


@dataclass(frozen=True)
class _Population:
    """A population but for its arrays."""

    name: str
    fraction: int
    projections: tuple[_Dense | _Conv | _Identity, ...]
    neuron: _Neuron | None


@dataclass(frozen=True)
class _Header:
    """Everything of a network that is no array."""

    schema: Schema
    name: str
    steps: int
    input: Input
    stages: tuple[_Population | Pool | Add, ...]


_WEIGHT_AXES = {_Dense: Dense.axes, _Conv: Conv.axes, _Identity: Identity.axes}
_KINDS = {
    "population": _Population,
    "pool": Pool,
    "add": Add,
    "dense": _Dense,
    "conv": _Conv,
    "identity": _Identity,
}


def save_network(network: Network, path: Path) -> None:
    """Write a network; the same network gives the same bytes."""
    stages = tuple(_stage(stage) for stage in network.stages)
    header = encode(_Header(_schema(stages), network.name, network.steps, network.input, stages), _KINDS)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        _member(archive, _HEADER, json.dumps(header, indent=1, sort_keys=True).encode())
        for population in network.populations:
            for name, array in _arrays(population).items():
                data = io.BytesIO()
                plain = np.ascontiguousarray(array)
                np.lib.format.write_array(data, plain, version=(1, 0), allow_pickle=False)
                _member(archive, f"{population.name}.{name}.npy", data.getvalue())
    write_atomic(path, buffer.getvalue())


def load_network(path: Path) -> Network:
    """Read a network back; every rule of its classes is checked again.

    Raises
    ------
    InputError
        If the file is no such archive, truncated, of another schema or breaks a rule, has a member that the
        network has no use for, or is above the memory limit.
    """
    try:
        with opened(path, "the archive") as archive:
            found = _read_header(archive)
            arrays = _read_arrays(archive, found)
        stages = tuple(_read_stage(stage, arrays) for stage in found.stages)
        return Network(found.input, found.steps, stages, found.name)
    except ModelError:
        raise
    except InputError as error:
        raise InputError(
            f"Integer network must be a complete network.npz, but {path.name!r} is not: {error}"
        ) from None


def _read_header(archive: Archive) -> _Header:
    header = parse_json(archive.text(_HEADER), "the header")
    if not isinstance(header, dict):
        raise InputError(f"the header must be a table, not {shown(header)}")
    if (schema := header.get("schema")) not in (PLAIN, PER_CHANNEL):
        raise ModelError(f"Network schema must be {PLAIN} or {PER_CHANNEL}, not {shown(schema)}")
    found = decode(_Header, header, "Header", _KINDS)
    if found.schema < _schema(found.stages):
        raise InputError(f"leaks that differ between channels must come in schema {PER_CHANNEL}, not {PLAIN}")
    return found


def _schema(stages: Sequence[_Population | Pool | Add]) -> Schema:
    """The lowest schema that can say it."""
    neurons = (stage.neuron for stage in stages if isinstance(stage, _Population))
    return PER_CHANNEL if any(neuron is not None and neuron.leak is None for neuron in neurons) else PLAIN


def _read_arrays(archive: Archive, header: _Header) -> Arrays:
    """The arrays that the header calls for, each of the type and axes that the format says."""
    wanted: dict[str, tuple[str, int]] = {}
    optional: dict[str, tuple[str, int]] = {}
    for stage in header.stages:
        if not isinstance(stage, _Population):
            continue
        own = {"bias": ("int64", 2)}
        own |= {f"weight{k}": ("int16", _WEIGHT_AXES[type(p)]) for k, p in enumerate(stage.projections)}
        if stage.neuron is not None:
            own |= {"threshold": ("int64", 2)} | ({"leak": ("int8", 3)} if stage.neuron.leak is None else {})
        wanted |= {f"{stage.name}.{name}": form for name, form in own.items()}
        optional |= {f"{stage.name}.scale": ("float64", 1)}
        optional |= {f"{stage.name}.fire_floor": ("int64", 1)} if stage.neuron is not None else {}
    present = {name.removesuffix(".npy") for name in archive.names - {_HEADER} if name.endswith(".npy")}
    for name in sorted(archive.names - {_HEADER} - {f"{name}.npy" for name in (*wanted, *optional)}):
        raise InputError(f"member {shown(name)} belongs to no population")
    found = wanted | {name: form for name, form in optional.items() if name in present}
    return {name: archive.array(f"{name}.npy", partial(expect, name, *form)) for name, form in found.items()}


def _member(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, data)


def _arrays(population: Population) -> Arrays:
    """The arrays of a population by the end of their names, in the order of the file."""
    arrays: Arrays = {"bias": population.bias}
    if population.scale is not None:
        arrays["scale"] = population.scale
    for k, projection in enumerate(population.projections):
        arrays[f"weight{k}"] = projection.weight.astype(np.int16)
    if population.neuron is not None:
        arrays["threshold"] = population.neuron.threshold
        if population.neuron.fire_floor is not None:
            arrays["fire_floor"] = population.neuron.fire_floor
        if isinstance(population.neuron.leak, ShiftSums):
            arrays["leak"] = _leak_array(population.neuron.leak)
    return arrays


def _leak_array(leak: ShiftSums) -> NDArray[np.int8]:
    """Sign and shift of every term of every channel, (channels, terms, 2); (0, 0) where there is none."""
    most = len(leak.longest.terms)
    rows = [(*each.terms, *((0, 0),) * (most - len(each.terms))) for each in leak.channels]
    return np.array(rows, np.int8).reshape(len(rows), most, 2)


def _read_leak(array: NDArray[np.int8]) -> ShiftSums:
    if array.shape[2] != 2:
        raise ModelError(f"Leak must hold pairs of sign and shift, not {array.shape[2]} numbers a term")
    terms = ([(sign, shift) for sign, shift in row if (sign, shift) != (0, 0)] for row in array.tolist())
    return ShiftSums(tuple(ShiftSum(tuple(each)) for each in terms))


def _stage(stage: Stage) -> _Population | Pool | Add:
    if not isinstance(stage, Population):
        return stage
    projections = tuple(_projection(projection) for projection in stage.projections)
    neuron = None if stage.neuron is None else _neuron(stage.neuron)
    return _Population(stage.name, stage.fraction, projections, neuron)


def _projection(projection: Projection) -> _Dense | _Conv | _Identity:
    source, bits = projection.source, projection.bits
    if isinstance(projection, Conv):
        return _Conv(source, bits, projection.stride, projection.padding, projection.groups)
    return _Dense(source, bits) if isinstance(projection, Dense) else _Identity(source, bits)


def _neuron(neuron: Neuron) -> _Neuron:
    factor = None if neuron.factor is None else neuron.factor.terms
    leak = None if isinstance(neuron.leak, ShiftSums) else neuron.leak.terms
    return _Neuron(neuron.levels, neuron.rounding, neuron.reset, leak, factor, neuron.membrane_bits)


def _read_stage(stage: _Population | Pool | Add, arrays: Arrays) -> Stage:
    if not isinstance(stage, _Population):
        return stage
    own = {name: arrays[key] for key in arrays if (name := key.removeprefix(f"{stage.name}.")) != key}
    weights = (own[f"weight{k}"] for k in range(len(stage.projections)))
    return Population(
        stage.name,
        tuple(map(_read_projection, stage.projections, weights)),
        own["bias"],
        stage.fraction,
        None if stage.neuron is None else _read_neuron(stage.neuron, own),
        own.get("scale"),
    )


def _read_projection(found: _Dense | _Conv | _Identity, weight: NDArray[Any]) -> Projection:
    if isinstance(found, _Conv):
        return Conv(found.source, weight, found.bits, found.stride, found.padding, found.groups)
    return (Dense if isinstance(found, _Dense) else Identity)(found.source, weight, found.bits)


def _read_neuron(found: _Neuron, arrays: Arrays) -> Neuron:
    return Neuron(
        found.levels,
        arrays["threshold"],
        found.rounding,
        found.reset,
        _read_leak(arrays["leak"]) if found.leak is None else ShiftSum(found.leak),
        None if found.factor is None else ShiftSum(found.factor),
        arrays.get("fire_floor"),
        found.membrane_bits,
    )

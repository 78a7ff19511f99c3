"""An integer network as one `.npz` file without pickle: arrays plus a JSON header (`docs/ir.md`)."""

import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import InputError, ModelError
from spikefold.files import write_atomic
from spikefold.ir.input import Input
from spikefold.ir.network import Add, Network, Pool, Population, Stage
from spikefold.ir.neuron import Neuron, ShiftSum
from spikefold.ir.projections import KINDS, Conv, Projection

SCHEMA = 2
_HEADER = "network.json"
_EPOCH = (1980, 1, 1, 0, 0, 0)

# Whatever zipfile, zlib, json, numpy and a header of the wrong shape raise on an edited or truncated file.
_BROKEN = (
    OSError,
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    TypeError,
    ValueError,
    AttributeError,
    IndexError,
    RuntimeError,
    OverflowError,
    MemoryError,
)

Arrays = dict[str, NDArray[Any]]


def save_network(network: Network, path: Path) -> None:
    """Write a network; the same network gives the same bytes."""
    arrays: Arrays = {}
    header = {
        "schema": SCHEMA,
        "name": network.name,
        "steps": network.steps,
        "input": {
            "shape": list(network.input.shape),
            "levels": network.input.levels,
            "static": network.input.static,
            "minimum": network.input.minimum,
            "maximum": network.input.maximum,
            "padding": network.input.padding,
            "pad_levels": network.input.pad_levels,
        },
        "stages": [_stage(stage, arrays) for stage in network.stages],
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        _member(archive, _HEADER, json.dumps(header, indent=1, sort_keys=True).encode())
        for name, array in arrays.items():
            data = io.BytesIO()
            np.lib.format.write_array(data, np.ascontiguousarray(array), version=(1, 0), allow_pickle=False)
            _member(archive, f"{name}.npy", data.getvalue())
    write_atomic(path, buffer.getvalue())


def load_network(path: Path) -> Network:
    """Read a network back; every rule of its classes is checked again.

    Raises
    ------
    InputError
        If the file is no such archive, truncated, of another schema or breaks a rule.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            header = json.loads(archive.read(_HEADER))
            if header.get("schema") != SCHEMA:
                raise ModelError(f"Network schema must be {SCHEMA}, not {header.get('schema')!r}")
            arrays = {
                name.removesuffix(".npy"): np.lib.format.read_array(
                    io.BytesIO(archive.read(name)), allow_pickle=False
                )
                for name in archive.namelist()
                if name != _HEADER
            }
        source = header["input"]
        first = Input(
            **{**source, "shape": tuple(source["shape"]), "pad_levels": tuple(source["pad_levels"])}
        )
        stages = tuple(_read_stage(stage, arrays) for stage in header["stages"])
        fields = {name: value for name, value in header.items() if name != "schema"}
        return Network(**{**fields, "input": first, "stages": stages})
    except InputError:
        raise
    except _BROKEN as error:
        raise InputError(
            f"Integer network must be a complete network.npz, but {path.name!r} is not: {error}"
        ) from None


def _member(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(info, data)


def _stage(stage: Stage, arrays: Arrays) -> dict[str, Any]:
    if isinstance(stage, Pool):
        return {"kind": "pool", **asdict(stage)}
    if isinstance(stage, Add):
        return {"kind": "add", **asdict(stage)}
    return {"kind": "population", **_population(stage, arrays)}


def _population(population: Population, arrays: Arrays) -> dict[str, Any]:
    name, neuron = population.name, population.neuron
    arrays[f"{name}.bias"] = population.bias
    if population.scale is not None:
        arrays[f"{name}.scale"] = population.scale
    for k, projection in enumerate(population.projections):
        arrays[f"{name}.weight{k}"] = projection.weight.astype(np.int16)
    if neuron is not None:
        arrays[f"{name}.threshold"] = neuron.threshold
        if neuron.fire_floor is not None:
            arrays[f"{name}.fire_floor"] = neuron.fire_floor
    return {
        "name": name,
        "fraction": population.fraction,
        "projections": [_projection(p) for p in population.projections],
        "neuron": neuron
        and {
            "levels": neuron.levels,
            "rounding": neuron.rounding,
            "reset": neuron.reset,
            "leak": neuron.leak.terms,
            "factor": neuron.factor and neuron.factor.terms,
            "membrane_bits": neuron.membrane_bits,
        },
    }


def _projection(projection: Projection) -> dict[str, Any]:
    data = {"kind": projection.kind, "source": projection.source, "bits": projection.bits}
    if isinstance(projection, Conv):
        data |= {"stride": projection.stride, "padding": projection.padding, "groups": projection.groups}
    return data


def _read_stage(data: Mapping[str, Any], arrays: Arrays) -> Stage:
    data = dict(data)
    kind = data.pop("kind")
    if kind == "pool":
        return Pool(**data)
    if kind == "add":
        return Add(**{**data, "sources": tuple(data["sources"])})
    if kind != "population":
        raise ModelError(f"Kind of {data.get('name')!r} must be population, pool or add, not {kind!r}")
    return _read_population(data, arrays)


def _read_projection(data: Mapping[str, Any], name: str, weight: NDArray[Any]) -> Projection:
    data = dict(data)
    kind = data.pop("kind")
    if kind not in KINDS:
        raise ModelError(f"Projection kind of {name!r} must be one of {', '.join(KINDS)}, not {kind!r}")
    return KINDS[kind](weight=weight, **data)


def _read_population(data: Mapping[str, Any], arrays: Arrays) -> Population:
    name = data["name"]
    projections = [
        _read_projection(projection, name, arrays[f"{name}.weight{k}"])
        for k, projection in enumerate(data["projections"])
    ]
    neuron = data["neuron"]
    if neuron is not None:
        factor = neuron["factor"]
        neuron = Neuron(
            **{
                **neuron,
                "leak": _terms(neuron["leak"]),
                "factor": None if factor is None else _terms(factor),
            },
            threshold=arrays[f"{name}.threshold"],
            fire_floor=arrays.get(f"{name}.fire_floor"),
        )
    return Population(
        **{
            **data,
            "projections": tuple(projections),
            "bias": arrays[f"{name}.bias"],
            "neuron": neuron,
            "scale": arrays.get(f"{name}.scale"),
        }
    )


def _terms(terms: list[list[int]]) -> ShiftSum:
    return ShiftSum(tuple((sign, shift) for sign, shift in terms))

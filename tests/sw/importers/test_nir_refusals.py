"""What a NIR graph may not hold, node by node: an error that names it, the reason and what is accepted."""

import random

import h5py
import nir
import numpy as np
import pytest
from nir_networks import (
    DT,
    chain,
    fire_if,
    integrator,
    paper_lif,
    residual,
    snntorch_mlp,
)
from nir_refused import FLAT, MAPS, ONE, REFUSED, TOLD, cases, lif, mlp

from spikefold import limits, nn
from spikefold.errors import ImportRefusal, InputError, ModelError, SpikefoldError
from spikefold.exporters.nir import write
from spikefold.importers import Grid
from spikefold.importers.nir import load

CASES = {case.reason: case for case in cases()}


@pytest.mark.parametrize("name", CASES)
def test_refusal(name):
    case = CASES[name]
    with pytest.raises(ImportRefusal) as found:
        load(case.source, case.grid, **case.options)
    assert found.value.node in case.node.split("|")
    assert case.says in found.value.reason
    assert REFUSED[name][3] in found.value.accepted
    assert found.value.node in str(found.value)


def test_dt_is_asked_for():
    with pytest.raises(ImportRefusal, match=r"'lif' cannot be imported: .* has no time step; accepted: .*dt"):
        load(mlp(lif()), FLAT, reset="zero")


def test_the_reset_is_asked_for():
    with pytest.raises(ImportRefusal, match=r"'lif' cannot .* writes every reset .* accepted: .*'subtract'"):
        load(mlp(lif()), FLAT, dt=DT)


def test_how_a_membrane_is_read_is_asked_for():
    with pytest.raises(ImportRefusal, match=r"'li' cannot .*nothing says how it is read; .*'last'"):
        load(integrator("LI"), Grid((10,), 3, 0.0, 1.0, 4), **TOLD)
    load(integrator("LI"), Grid((10,), 3, 0.0, 1.0, 1), **TOLD)  # one step is the last


def test_metadata_and_option_must_agree():
    graph = mlp(fire_if((6,), reset="subtract"))
    with pytest.raises(ImportRefusal, match="names the reset 'subtract', the option 'zero'"):
        load(graph, FLAT, **TOLD)
    graph = mlp(fire_if((6,), reset="sometimes"))
    with pytest.raises(ImportRefusal, match="names the reset 'sometimes'; accepted: zero or subtract"):
        load(graph, FLAT, **TOLD)


def test_a_leak_out_of_reach():
    with pytest.raises(
        ImportRefusal, match=r"leak 0.96 is no sum of 1 shifts to within 0.001 .*2 shifts|3 shifts"
    ):
        load(paper_lif(), Grid((1,), 3, 0.0, 1.0, 4), **TOLD, leak_terms=1, leak_error=1e-3)


def test_leaky_readout_of_levels_that_are_no_spikes():
    graph = chain((10,), ONE.affine(4, 10), nir.LI(np.full(4, 3 * DT), np.ones(4), np.zeros(4)))
    with pytest.raises(
        ImportRefusal, match=r"'li' .* weighs the steps differently.* reads spikes of 0 and 1"
    ):
        load(graph, Grid((10,), 3, 0.0, 1.0, 4), **TOLD, readout="last")


def test_the_input_must_be_the_graph_s():
    with pytest.raises(ImportRefusal, match=r"'input' .*shape \[12\], but .* grid \[4\]; .*shape \[12\]"):
        load(snntorch_mlp(), FLAT, **TOLD)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dt": 0.0}, r"NIR time step \(dt\) must be a finite number above 0, not 0.0"),
        ({"reset": "soft"}, "NIR reset must be one of 'zero', 'subtract', not 'soft'"),
        ({"fires": "below"}, "NIR fires must be one of 'above', 'at', not 'below'"),
        ({"method": "rk4"}, "NIR method must be one of 'euler', 'exponential', not 'rk4'"),
        ({"readout": "max"}, "NIR readout must be one of 'last', 'mean', not 'max'"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ModelError, match=message):
        load(residual(), MAPS, **options)


def test_a_source_that_is_no_graph():
    with pytest.raises(InputError, match=r"must be a path or a nir.NIRGraph, not int"):
        load(3, FLAT)
    with pytest.raises(InputError, match="Input grid must be given"):
        load(mlp(lif()), None)


def test_files_that_are_no_graphs(tmp_path):
    path = tmp_path / "net.nir"
    with pytest.raises(ModelError, match=r"NIR file '.*net.nir' must exist"):
        load(path, FLAT)
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    with pytest.raises(ModelError, match="no HDF5 file or is damaged"):
        load(path, FLAT)
    with h5py.File(path, "w") as file:
        file.create_dataset("node/type", data="Gibberish")
    with pytest.raises(ModelError, match=r"cannot be read by nir"):
        load(path, FLAT)
    nir.write(path, fire_if((3,)))
    with pytest.raises(ModelError, match=r"cannot be read by nir .*type_check"):
        load(path, FLAT)


VALUES = (0, -1, 3.5, "x", np.nan, [], np.zeros((2, 2)), np.arange(3), b"\xff", 1 << 40, True)


def damaged(data, path, rng):
    """Some bytes changed, or entries deleted, copied, or with other values."""
    if rng.random() < 0.4:
        data = bytearray(data)
        for place in rng.choices(range(len(data)), k=rng.randrange(1, 8)):
            data[place] = rng.randrange(256)
        path.write_bytes(data)
        return
    path.write_bytes(data)
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file.visit(names.append)
        name = rng.choice(names)
        if rng.random() < 0.3:
            file.copy(rng.choice(names), f"{name}_copy" if isinstance(file[name], h5py.Group) else "copy")
            return
        del file[name]
        if rng.random() < 0.6:
            file.create_dataset(name, data=rng.choice(VALUES))


def test_damaged_files_are_refused_or_whole(tmp_path):
    """Whatever is in a file, it is refused by one of our errors, or it is a network."""
    nir.write(tmp_path / "theirs.nir", snntorch_mlp())
    write(nn.Sequential(*own_layers()).eval(), tmp_path / "own.nir")
    grid, path, rng = Grid((12,), 7, 0.0, 1.0, 6), tmp_path / "damaged.nir", random.Random(7)
    refused = 0
    for i in range(120):
        own = i % 2
        damaged((tmp_path / ("own.nir" if own else "theirs.nir")).read_bytes(), path, rng)
        try:
            load(path, None if own else grid, **({} if own else TOLD))
        except SpikefoldError:
            refused += 1
    assert 60 < refused < 120


def own_layers():
    return nn.Input((4,), 3, steps=2), nn.Dense(4, 3), nn.PIT(3, 2, 2), nn.Dense(3, 2), nn.Readout()


def test_files_that_ask_for_too_much_or_reach_elsewhere(tmp_path):
    path = tmp_path / "net.nir"
    nir.write(path, mlp(lif()))
    with limits.memory(100), pytest.raises(ModelError, match=r"must need at most .* of memory"):
        load(path, FLAT, **TOLD)
    with h5py.File(path, "a") as file:
        file["node/metadata/more"] = h5py.ExternalLink("other.h5", "/")
    with pytest.raises(ModelError, match="must hold its data itself, but 'more' is a link"):
        load(path, FLAT, **TOLD)
    nir.write(path, mlp(lif()))
    with h5py.File(path, "a") as file:
        file["node/nodes/ring"] = file["node"]
    with pytest.raises(ModelError, match="must hold every entry once, but 'ring'"):
        load(path, FLAT, **TOLD)

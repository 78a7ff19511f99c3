"""A tiny trained-looking model, its data, and a way to call the command line in this process."""

import copy
import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import torch
from click.testing import CliRunner

from spikefold import nn
from spikefold.cli import main

FEATURES, HIDDEN, CLASSES = 12, 10, 3


def features(samples, seed=0):
    """Features 0..16, float32; the class is the third of the features with the largest sum."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 9, (samples, CLASSES, FEATURES // CLASSES))
    y = rng.integers(0, CLASSES, samples)
    x[np.arange(samples), y] += 8
    return np.minimum(x, 16).reshape(samples, FEATURES).astype(np.float32), y


def data_file(folder):
    x, y = features(180)
    np.savez(folder / "tiny.npz", x_train=x[:120], y_train=y[:120], x_test=x[120:], y_test=y[120:])
    return folder / "tiny.npz"


def tiny_model(seed=0, steps=1, levels=4, neuron="pit"):
    """A network whose batch norm and scales have seen data, so that its neurons fire."""
    return copy.deepcopy(_tiny_model(seed, steps, levels, neuron))


@cache
def _tiny_model(seed, steps, levels, neuron):
    torch.set_num_threads(1)  # matrices this small only lose by a second thread
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = nn.models.mlp(
            FEATURES, [HIDDEN], CLASSES, steps=steps, levels=levels, neuron=neuron, maximum=16.0
        )
        model.train()
        model.norm1.momentum = 0.5  # settles within a few batches
        with torch.no_grad():
            for k in range(12):
                model(torch.from_numpy(features(32, seed=k)[0]))
            if neuron == "pit":
                model.neuron1.log_scale -= 0.7  # so that every level occurs
    return model.eval()


def recipe_meta(data):
    return {"recipe": {"data": {"name": f"npz:{data}"}, "model": {"hidden": [HIDDEN]}}}


def model_file(folder, name="tiny.safetensors", seed=0, meta=None, **options):
    nn.save(tiny_model(seed, **options), folder / name, meta)
    return folder / name


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def fields(result, code=0):
    """The one JSON object on stdout."""
    assert result.exit_code == code, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 1, lines
    return json.loads(lines[0])


def refused(result, code, pattern):
    """Check a clean failure: this exit code, nothing but one error, which begins as expected."""
    assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr, result.exception)
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, result.stderr
    assert re.match(pattern, errors[0].removeprefix("error: ")), errors[0]
    assert "Traceback" not in result.stderr


def tree(folder):
    """Every file's bytes by relative name."""
    folder = Path(folder)
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def recipe_model(folder):
    """A model whose file names its data."""
    return model_file(folder, "Tiny-Net 2.safetensors", meta=recipe_meta(data_file(folder)))


def compiled(folder, *arguments):
    """What `spikefold compile` says of a build in `folder`."""
    return invoke("compile", *arguments, "-o", folder / "build", "--json")

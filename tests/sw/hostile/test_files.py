"""Harmed files are refused with a documented error, in time and memory, or compute what they did."""

import json
import subprocess
import sys
from pathlib import Path

import ordeal
import pytest
import torch
from hypothesis import strategies as st
from mutations import bomb, edited, npy, to_text, unzipped
from properties import EXAMPLES, holds
from victims import Victim, make

from spikefold.errors import InputError
from spikefold.formats.arrays import opened
from spikefold.ir import load_network

GOOD = (ordeal.REFUSED, ordeal.HARMLESS, ordeal.OTHER)
KINDS = (
    *("model", "checkpoint", "network", "manifest", "build", "recipe", "data .npz", "samples .npy"),
    *("data IDX packed", "data IDX", "data pickle", "data CIFAR binary"),
    *("data AEDAT 2", "data AEDAT 3", "data table"),
)


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Victim]:
    torch.set_num_threads(1)
    found = {victim.kind: victim for victim in make(tmp_path_factory.mktemp("whole"))}
    assert tuple(found) == KINDS
    return found


@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("kind", KINDS)
def test_harm_is_refused_or_harmless(
    victims: dict[str, Victim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, examples: int
) -> None:
    monkeypatch.chdir(tmp_path)
    victim = victims[kind]
    expected = victim.read(victim.folder)

    def check(seed: int) -> None:
        found = ordeal.endure(victim, expected, tmp_path / "harmed", seed)
        assert found.end in GOOD, found

    holds(min(examples, 300), st.integers(0, 2**40), check)


def test_an_ordeal_sees_every_fault(victims: dict[str, Victim], tmp_path: Path) -> None:
    """Guards the test above: readers that crash, take their time, take memory, or see nothing."""
    whole = victims["samples .npy"]

    def ending(read: object, **changes: object) -> set[str]:
        victim = Victim("x", whole.folder, whole.files, read, **changes)
        return {ordeal.endure(victim, "expected", tmp_path / "x", seed).end for seed in range(3)}

    def crash(root: Path) -> str:
        raise KeyError(root)

    def greedy(root: Path) -> str:
        return str(len(b"x" * (700 << 20)))

    def runs(root: Path) -> str:
        (root / "executed").touch()
        return "expected"

    def endless(root: Path) -> str:
        while True:
            pass

    assert ending(crash) == {ordeal.CRASH}
    assert ending(greedy) == {ordeal.BLOWUP}
    assert ending(lambda root: "other", signed=True) == {ordeal.ALTERED}
    assert ending(lambda root: "other") == {ordeal.OTHER}
    assert ending(lambda root: "expected", signed=True) == {ordeal.HARMLESS}
    assert ending(runs) == {ordeal.EXECUTED}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ordeal, "SECONDS", 0.2)
        assert ending(endless) == {ordeal.HANG}


def test_a_member_that_nobody_asked_for_is_not_unpacked(victims: dict[str, Victim], tmp_path: Path) -> None:
    """1.6 MB that unpack to 1.6 GB: refused in a network, left alone beside a data set's arrays."""
    members = unzipped((victims["network"].folder / "network.npz").read_bytes())
    path = tmp_path / "network.npz"
    path.write_bytes(bomb(members, "bomb.npy"))
    with pytest.raises(InputError, match=r"is not: member 'bomb\.npy' belongs to no population$"):
        load_network(path)
    path.write_bytes(bomb(members, "layer0.bias.npy"))
    with pytest.raises(
        InputError, match=r"Array 'layer0\.bias' must be int64 with 2 axes, not float64 of shape"
    ):
        load_network(path)
    path.write_bytes(bomb({"a.npy": npy([1, 2])}, "b.npy"))
    with opened(path, "It") as archive:
        assert archive.array("a.npy").tolist() == [1, 2]
        with pytest.raises(
            InputError, match=r"^It up to array 'b\.npy' must need at most 512\.0 MiB of memory"
        ):
            archive.array("b.npy")


_HUGE_MODULES = """
import resource, sys
from pathlib import Path
import torch
from spikefold import nn
from spikefold.errors import ModelError
import numpy as np
from spikefold.train import Dataset, Recipe
from spikefold.train.networks import build_network
pages = int(Path("/proc/self/statm").read_text().split()[0])
most = pages * resource.getpagesize() + (700 << 20)
resource.setrlimit(resource.RLIMIT_AS, (most, most))
BIG = 10**9
x, y = np.zeros((2, 1, 32, 32), np.float32), np.zeros(2, np.int64)
data = Dataset(x, y, x, y, maximum=1.0, classes=10, name="images", image_shape=(1, 32, 32))
def recipe(**model):
    found = Recipe.from_dict({"data": {"name": "digits"}, "model": model})
    build_network(found.model.kind, found.model.keywords(), data)
for build in (
    lambda: nn.Dense(BIG, 1), lambda: nn.Dense(40_000, 40_000), lambda: nn.BinaryDense(BIG, BIG),
    lambda: nn.Conv2d(BIG, 1, 1), lambda: nn.Conv2d(1, 1, 100_000), lambda: nn.BatchNorm(BIG),
    lambda: nn.PIT(BIG), lambda: nn.LIF(BIG), lambda: nn.QBLIF(BIG), lambda: nn.ReverB(BIG),
    lambda: nn.ILIF(10**6, steps=1024), lambda: nn.Input(BIG), lambda: nn.Input((1, 9, 9), pad=10**6),
    lambda: nn.models.mlp(8, [BIG], 3), lambda: nn.models.resnet20((1, 8, 8), 3, width=10**6),
    lambda: recipe(hidden=[BIG]), lambda: recipe(hidden=[20_000, 20_000]), lambda: recipe(hidden=[1] * 5000),
    lambda: recipe(hidden=[6000] * 20), lambda: recipe(kind="cnn", channels=[BIG]),
    lambda: recipe(kind="preact_resnet", blocks=[BIG], width=1), lambda: recipe(kind="vgg11", width=10**5),
):
    try:
        build()
    except ModelError as error:
        assert "memory" in str(error) or "layers" in str(error), error
    else:
        sys.exit("accepted")
"""


def test_a_billion_channels_are_refused_before_they_are_made() -> None:
    """In a process that may have 700 MiB more than torch takes."""
    done = subprocess.run(
        [sys.executable, "-c", _HUGE_MODULES], capture_output=True, text=True, check=False, timeout=100
    )
    assert done.returncode == 0, done.stderr


def test_mutations_reach_every_depth() -> None:
    """Guards the mutations: each kind of edit happens, and what is written is what was meant."""
    import random

    value = {"a": {"b": [1, 2, {"c": 3}]}, "d": "e"}
    texts = {to_text(edited(value, random.Random(seed))) for seed in range(300)}
    assert len(texts) > 100
    assert any(b"[[[[" in text for text in texts)
    assert any(b"99999" in text for text in texts)
    assert sum(b'"c"' not in text for text in texts) > 3
    assert json.dumps(value) == '{"a": {"b": [1, 2, {"c": 3}]}, "d": "e"}'

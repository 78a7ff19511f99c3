"""Small files of every kind that spikefold reads, how each is read, and what reading it computes."""

import gzip
import hashlib
import pickle
import random
import shutil
import struct
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

import spikefold
from spikefold import nn
from spikefold.cli.samples import read_samples
from spikefold.errors import SpikefoldError
from spikefold.golden import Golden
from spikefold.ir import load_network, save_network
from spikefold.manifest import MANIFEST
from spikefold.train import Recipe, load_data
from spikefold.train.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from spikefold.train.networks import build_network

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1])]

from cli_case import FEATURES, features, tiny_model
from dvs_case import cifar10dvs, dvsgesture
from forgeries import Forgery, other_model, other_network, resigned_file, resigned_manifest
from mutations import (
    BYTES,
    Mutation,
    edit_archive,
    edit_json,
    edit_safetensors,
    edit_toml,
    greedy_pickle,
    gzip_bomb,
    npy,
    npy_header,
    pickled,
)


@dataclass(frozen=True)
class Victim:
    """A folder that is read, and ways to harm it.

    Attributes
    ----------
    kind
        What it is.
    folder
        The whole one.
    files
        Those of its files that are damaged.
    read
        Reads such a folder and returns a digest of what it computes; raises SpikefoldError.
    mutations
        Ways to damage a file, beside those of any bytes.
    forgeries
        Changes of the folder after which its digests fit again.
    signed
        Whether damage must be noticed: all that is in it has a digest or checksum.
    sealed
        Whether forgeries must be noticed, too.
    """

    kind: str
    folder: Path
    files: tuple[str, ...]
    read: Callable[[Path], str]
    mutations: tuple[Mutation, ...] = ()
    forgeries: tuple[Forgery, ...] = ()
    signed: bool = False
    sealed: bool = False

    def harmed(self, target: Path, seed: int) -> bool:
        """Write a harmed copy to `target`; whether it was forged rather than damaged."""
        rng = random.Random(seed)
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(self.folder, target)
        if self.forgeries and rng.randrange(3) == 0:
            rng.choice(self.forgeries)(target, rng)
            return True
        file = target / rng.choice(self.files)
        own = self.mutations and rng.randrange(2)
        file.write_bytes(rng.choice(self.mutations if own else BYTES)(file.read_bytes(), rng))
        return False


def make(folder: Path) -> list[Victim]:
    """Write one of every kind below `folder`."""
    makers = (model, checkpoint, network, manifest, build, recipe, arrays, samples)
    return [*(maker(folder) for maker in makers), *images(folder), *events(folder)]


def digest(*parts: Any) -> str:
    """Of arrays, tensors and plain values."""
    found = hashlib.sha256()
    for part in parts:
        data = part.detach().numpy() if isinstance(part, torch.Tensor) else part
        found.update(data.tobytes() if isinstance(data, np.ndarray) else repr(data).encode())
    return found.hexdigest()


def model(folder: Path) -> Victim:
    place = _new(folder, "model")
    nn.save(tiny_model(), place / "m.safetensors", {"recipe": {"data": {"name": "digits"}}})
    x = torch.from_numpy(features(4)[0])

    def read(root: Path) -> str:
        found = nn.load(root / "m.safetensors")
        return digest(found(x), nn.read_meta(root / "m.safetensors"))

    ways = (edit_safetensors, pickled)
    return Victim("model", place, ("m.safetensors",), read, ways, (other_model,), signed=True)


def checkpoint(folder: Path) -> Victim:
    place = _new(folder, "checkpoint")
    tensors = {f"model.{key}": value for key, value in tiny_model().state_dict().items()}
    save_checkpoint(place / "c", Checkpoint(3, tensors, {"best": 0.5}), "run")

    def read(root: Path) -> str:
        found = load_checkpoint(root / "c", "run")
        if found is None:  # said in a warning: training starts anew
            raise SpikefoldError
        return digest(found.epochs, found.state, *(found.tensors[key] for key in sorted(found.tensors)))

    return Victim("checkpoint", place, ("c",), read, (edit_safetensors, pickled), signed=True)


def network(folder: Path) -> Victim:
    place = _new(folder, "network")
    save_network(_design().network, place / "network.npz")
    levels = np.random.default_rng(0).integers(0, 17, (4, 1, FEATURES))

    def read(root: Path) -> str:
        found = load_network(root / "network.npz")
        return digest(Golden(found).run(levels).logits, found.name)

    return Victim("network", place, ("network.npz",), read, (pickled,), (other_network,), signed=True)


def manifest(folder: Path) -> Victim:
    place = _build(folder, "manifest")
    ways, forgeries = (edit_json,), (resigned_manifest,)
    return Victim(
        "manifest", place, (f"b/{MANIFEST}",), read_build, ways, forgeries, signed=True, sealed=True
    )


def build(folder: Path) -> Victim:
    place = _build(folder, "build")
    names = ("rtl/tiny_core.v", "rtl/tiny_top.v", "mem/layer0_weight0.mem", "mem/layer0_weight0.bin")
    files = tuple(f"b/{name}" for name in (*names, "network.npz"))
    return Victim("build", place, files, read_build, (), (resigned_file,), signed=True, sealed=True)


def read_build(root: Path) -> str:
    """Load a build and take it as far as to the files that a simulator would get."""
    design = spikefold.load(root / "b")
    x = features(4)[0]
    with design.artefact() as artefact:
        files = {path.name: path.read_bytes() for path in (*artefact.rtl, *artefact.images)}
    return digest(design.golden(x).logits, sorted(files.items()), design.cycles(x).results, artefact.top)


def recipe(folder: Path) -> Victim:
    place = _new(folder, "recipe")
    example = Path(__file__).parents[3] / "examples" / "digits.toml"
    (place / "r.toml").write_bytes(example.read_bytes())
    digits = load_data("digits")

    def read(root: Path) -> str:
        found = Recipe.load(root / "r.toml")
        net = build_network(found.model.kind, found.model.keywords(), digits)
        return digest(found, [tuple(value.shape) for value in net.state_dict().values()])

    return Victim("recipe", place, ("r.toml",), read, (edit_toml,))


def arrays(folder: Path) -> Victim:
    place = _new(folder, "arrays")
    x, y = features(20)
    np.savez_compressed(place / "d.npz", x_train=x[:12], y_train=y[:12], x_test=x[12:], y_test=y[12:])

    def read(root: Path) -> str:
        return read_data(f"npz:{root / 'd.npz'}")

    return Victim("data .npz", place, ("d.npz",), read, (edit_archive,))


def samples(folder: Path) -> Victim:
    place = _new(folder, "samples")
    (place / "x.npy").write_bytes(npy(features(20)[0]))

    def read(root: Path) -> str:
        return digest(read_samples(root / "x.npy"))

    return Victim("samples .npy", place, ("x.npy",), read, (npy_header, pickled))


def images(folder: Path) -> list[Victim]:
    """IDX files, packed and plain, and CIFAR-10 in both versions."""
    rng = np.random.default_rng(0)
    place = _new(folder, "idx")
    for part, count in (("train", 6), ("t10k", 3)):
        pixels = rng.integers(0, 256, (count, 4, 4)).astype(np.uint8)
        data = b"\0\0\x08\x03" + struct.pack(">III", *pixels.shape) + pixels.tobytes()
        labels = b"\0\0\x08\x01" + struct.pack(">I", count) + bytes(range(count))
        (place / f"{part}-images-idx3-ubyte.gz").write_bytes(gzip.compress(data, mtime=0))
        (place / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    python, binary = _new(folder, "cifar"), _new(folder, "cifar_binary")
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        pixels = rng.integers(0, 256, (2, 3072)).astype(np.uint8)
        table = {"data": pixels, "labels": [1, 2], "filenames": ["a", "b"]}
        (python / name).write_bytes(pickle.dumps(table, 4))
        records = (bytes([k]) + row.tobytes() for k, row in enumerate(pixels))
        (binary / f"{name}.bin").write_bytes(b"".join(records))

    def idx(root: Path) -> str:
        return read_data(f"idx:{root}")

    def cifar(root: Path) -> str:
        return read_data(f"cifar10:{root}")

    return [
        Victim("data IDX packed", place, ("train-images-idx3-ubyte.gz",), idx, (gzip_bomb,)),
        Victim("data IDX", place, ("train-labels-idx1-ubyte",), idx),
        Victim("data pickle", python, ("data_batch_3",), cifar, (pickled, greedy_pickle)),
        Victim("data CIFAR binary", binary, ("test_batch.bin",), cifar),
    ]


def events(folder: Path) -> list[Victim]:
    """Recordings of events of both published sets."""
    old, new = cifar10dvs(folder / "dvs"), dvsgesture(folder / "gesture")

    def read_old(root: Path) -> str:
        return read_data(f"cifar10dvs:{root}", steps=2, size=4)

    def read_new(root: Path) -> str:
        return read_data(f"dvsgesture:{root}", steps=2, size=4)

    return [
        Victim("data AEDAT 2", old, ("dog/cifar10_dog_3.aedat",), read_old),
        Victim("data AEDAT 3", new, ("user01_led.aedat",), read_new),
        Victim("data table", new, ("user01_led_labels.csv", "trials_to_test.txt"), read_new),
    ]


def read_data(name: str, **options: Any) -> str:
    """Read a data set, all of it."""
    found = load_data(name, cache=False, progress=False, **options)
    return digest(found.train_x[:], found.train_y, found.test_x[:], found.test_y, found.maximum)


def _build(folder: Path, kind: str) -> Path:
    _design().write(folder / kind / "b")
    return folder / kind


@cache
def _design() -> spikefold.Design:
    return spikefold.compile(tiny_model(), name="tiny")


def _new(folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True)
    return folder / name

"""Batches that other processes read: the same ones, with the same errors, and processes that end in time."""

import multiprocessing
import os
import subprocess
import sys
import time
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import numpy as np
import pytest
import torch
from loading_case import JOBS, Counting, dataset
from train_case import image_folder, run, small_recipe

from spikefold import nn
from spikefold.errors import InputError, ToolError
from spikefold.train import Recipe
from spikefold.train.data.frames import CountFrames
from spikefold.train.loading import Job, Loader, default_workers

HERE = Path(__file__).parents[1]


def test_workers_read_the_same_in_the_same_order() -> None:
    data = dataset(Counting(), np.arange(10, dtype=np.float32).reshape(5, 2))
    torch.manual_seed(1)
    state = torch.get_rng_state()
    found = []
    for workers in (0, 1, 2):
        loader = Loader(data, workers)
        assert len(list(loader.read(JOBS))) == len(JOBS)
        next(loader.read(JOBS))  # and no more of it
        found.append([*loader.read(JOBS), *loader.read(JOBS[::-1])])
        assert len(multiprocessing.active_children()) == workers
        loader.close()
        assert multiprocessing.active_children() == []
    assert torch.equal(torch.get_rng_state(), state)
    plain, one, two = found
    assert all(torch.equal(*pair) for pair in zip(plain, one, strict=True))
    assert all(torch.equal(*pair) for pair in zip(plain, two, strict=True))
    assert plain[1].tolist() == np.broadcast_to(np.arange(5, 10)[:, None, None], (5, 2, 3)).tolist()
    assert plain[8].tolist() == [[6, 7], [2, 3]]
    assert not torch.equal(plain[9], plain[10])


@pytest.mark.parametrize("workers", [0, 1])
def test_what_reading_raises_comes_out_as_it_is(workers: int) -> None:
    loader, jobs = Loader(dataset(Counting()), workers), [Job("train", np.array([k])) for k in (0, 49, 1)]
    with pytest.raises(
        InputError, match=r"^Sample 'made up' must be whole, not 49; fetch it again$"
    ) as caught:
        list(loader.read(jobs))
    loader.close()
    assert multiprocessing.active_children() == []
    assert caught.type is InputError


def test_a_worker_that_ends_is_an_error_that_says_so() -> None:
    loader = Loader(dataset(Counting(deadly=True)), 1)
    message = (
        r"^A process that reads samples must live as long as training, but: .*worker.*; set training\.num_"
    )
    with pytest.raises(ToolError, match=message):
        list(loader.read([Job("train", np.array([49]))]))
    loader.close()


@pytest.mark.parametrize("kind", ["array", "read-only array", "frames"])
def test_samples_in_memory_are_shared_not_copied(kind: str) -> None:
    x = np.ones((2000, 3, 4, 4), np.float32)
    x.setflags(write=kind != "read-only array")
    samples = CountFrames(np.ones((2000, 3, 2, 4, 4), np.uint8), 1) if kind == "frames" else x
    loader = Loader(dataset(samples), 1)
    assert len(ForkingPickler.dumps(loader._loader.dataset)) < 2000
    loader.close()


def test_only_samples_in_files_have_workers_of_themselves(tmp_path: Path) -> None:
    class Files(Counting):
        from_files = True

    assert default_workers(dataset(np.ones((4, 2), np.float32))) == 0
    assert default_workers(dataset(CountFrames(np.ones((4, 3, 2, 4, 4), np.uint8), 1))) == 0
    assert default_workers(dataset(np.ones((50, 2, 3), np.float32), Files())) == min(2, os.cpu_count())


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return nn.load(path).state_dict()


def crops(folder: Path, workers: int) -> Recipe:
    training = {"epochs": 2, "batch_size": 8, "random_resized_crop": True, "shift": 1, "validation": 0.25}
    return Recipe.from_dict(
        {
            "data": {"name": f"imagenet:{image_folder(folder)}", "size": 8},
            "model": {"kind": "cnn", "channels": [3], "dropout": 0.1},
            "training": training | {"mixup": 0.5, "num_workers": workers},
        }
    )


def test_the_model_does_not_depend_on_the_workers(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    for workers in (0, 1, 2):
        run(crops(tmp_path / "images", workers), tmp_path / str(workers))
        assert multiprocessing.active_children() == []
    none, *some = (tensors(tmp_path / str(workers)) for workers in (0, 1, 2))
    for other in some:
        assert all(torch.equal(value, other[key]) for key, value in none.items())


def test_a_run_goes_on_with_another_number_of_workers(tmp_path: Path) -> None:
    def stop(epochs: int, loss: float) -> None:
        raise KeyboardInterrupt

    recipes = {n: small_recipe(tmp_path, epochs=3, shift=1, mixup=0.5, num_workers=n) for n in (0, 1)}
    run(recipes[0], tmp_path / "straight")
    with pytest.raises(KeyboardInterrupt):
        run(recipes[1], tmp_path / "resumed", on_epoch=stop, checkpoint_every=1)
    assert multiprocessing.active_children() == []
    assert run(recipes[0], tmp_path / "resumed").epochs == 2
    assert (tmp_path / "resumed").read_bytes() == (tmp_path / "straight").read_bytes()


SCRIPT = """
import multiprocessing, time
import numpy as np
from loading_case import Counting, JOBS, dataset
from spikefold.train.loading import Loader
if __name__ == "__main__":
    loader = Loader(dataset(Counting()), 2)
    next(loader.read(JOBS))
    print(*(child.pid for child in multiprocessing.active_children()), flush=True)
    time.sleep(60)
"""


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.skipif(os.name != "posix", reason="processes are looked for by their number")
def test_workers_end_with_the_process_that_started_them(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    paths = os.pathsep.join([str(HERE), *filter(None, sys.path)])
    command, env = [sys.executable, str(script)], os.environ | {"PYTHONPATH": paths}
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) as process:
        workers = [int(word) for word in process.stdout.readline().split()]
        process.kill()
    assert len(workers) == 2
    end = time.monotonic() + 60
    while any(map(alive, workers)):
        assert time.monotonic() < end, "workers outlive what started them"
        time.sleep(0.2)

"""Two processes train as one; a rank that fails stops both."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch
from distributed_recipes import RECIPES
from train_case import image_file, run

from spikefold import nn
from spikefold.errors import InputError
from spikefold.train.distributed import Group, join, shared_batch_norm

HERE = Path(__file__).parents[1]
SECONDS = 120  # until a run that hangs is ended

pytestmark = pytest.mark.skipif(not torch.distributed.is_available(), reason="torch has no torch.distributed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder in which two processes ran all RECIPES."""
    folder = tmp_path_factory.mktemp("two")
    for side in (8, 16):
        image_file(folder, side)
    paths = [str(HERE), *filter(None, sys.path)]
    command = [
        *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"),
        *("--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"),  # a free port
        *(str(HERE / "distributed_worker.py"), str(folder)),
    ]
    env = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=env, start_new_session=True) as process:
        try:
            assert process.wait(SECONDS) == 0
        except subprocess.TimeoutExpired:
            process.terminate()  # torchrun ends its processes
            raise
    return folder


def found(folder: Path) -> list[dict]:
    return [json.loads((folder / rank / "found.json").read_text()) for rank in "01"]


def tensors(folder: Path, name: str) -> list[dict[str, torch.Tensor]]:
    return [safetensors.torch.load_file(folder / rank / name) for rank in "01"]


@pytest.mark.parametrize("name", ["plain", "clipped", "unequal", "normed", "straight", "resumed"])
def test_ranks_end_with_identical_tensors(folder: Path, name: str) -> None:
    first, second = tensors(folder, name)
    assert first.keys() == second.keys()
    for key in first:
        assert torch.equal(first[key], second[key]), key
    assert found(folder)[0][name] == found(folder)[1][name]


@pytest.mark.parametrize("name", ["plain", "clipped", "unequal"])
def test_without_batch_norm_the_result_is_that_of_one_process(
    folder: Path, tmp_path: Path, name: str
) -> None:
    single = run(RECIPES[name](folder), tmp_path / "m")
    state = single.model.state_dict()
    both = tensors(folder, name)[0]
    before = nn.models.lenet((1, 16, 16), 4, width=2, norm=False, levels=2, steps=2).state_dict()
    for key, value in state.items():
        assert torch.allclose(both[key], value, atol=2e-4, rtol=1e-3), key
    assert not torch.allclose(state["conv1.bias"], before["conv1.bias"], atol=1e-2)
    assert found(folder)[0][name][0] == pytest.approx(single.accuracy, abs=0.03)


def test_rank_0_alone_writes(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()} - {"images8.npz", "images16.npz"}
    finished = {"plain", "clipped", "unequal", "normed", "straight", "diverging"}  # resumed, in the end
    assert names == finished | {"0", "1", "refusing.checkpoint"}
    stored = nn.load(folder / "normed").state_dict()
    assert all(torch.equal(value, stored[key]) for key, value in tensors(folder, "normed")[0].items())
    meta = nn.read_meta(folder / "normed")
    expected = [meta[f"accuracy_{key}"] for key in ("float", "quantized", "validation")]
    accuracy, quantized, _, validation = found(folder)[0]["normed"]
    assert [accuracy, quantized, validation] == expected


def test_a_rank_that_fails_stops_both(folder: Path) -> None:
    for rank in found(folder):
        assert rank["diverging"].startswith("Training diverged in epoch 3 (the loss is nan); lower training.")
        assert rank["unready"].startswith("Training diverged in epoch 1 (made up); lower ")
    own, other = (rank["refusing"] for rank in found(folder))
    assert own.startswith("Training diverged in epoch 2 (made up); lower ")
    assert other.startswith("Training diverged in epoch 2 (the loss is nan); lower ")


def test_both_go_on_from_the_checkpoint_that_rank_0_kept(folder: Path) -> None:
    assert found(folder)[0]["straight"][2] == 4
    assert found(folder)[0]["resumed"][2] == 2
    assert (folder / "diverging").read_bytes() == (folder / "straight").read_bytes()


def test_a_batch_must_do_for_all(folder: Path) -> None:
    assert found(folder)[1]["few"] == (
        "Recipe training.batch_size must leave each of 2 processes 2 samples of a batch, not 2 for all; "
        "start fewer processes"
    )


def test_shares_are_parts_of_the_whole_in_order() -> None:
    indices = torch.arange(11)
    parts = [Group(torch.device("cpu"), rank, 3).share(indices) for rank in range(3)]
    assert torch.equal(torch.cat(parts), indices)
    assert [len(part) for part in parts] == [4, 4, 3]


def test_shared_statistics_are_torchs_and_leave_no_trace() -> None:
    layer = nn.BatchNorm(3).eval()
    model = nn.Sequential(layer)
    x = torch.rand(2, 4, 3, 5, 5)
    plain = layer(x)
    with shared_batch_norm(model):
        assert isinstance(layer, torch.nn.SyncBatchNorm)
        assert torch.equal(layer(x), plain)
    assert type(layer) is nn.BatchNorm
    assert "process_group" not in vars(layer)


def test_a_gpu_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    message = r"^Recipe training\.device must be 'cpu' or 'auto' here, not 'cuda': torch finds no GPU$"
    with pytest.raises(InputError, match=message):
        join("cuda")
    alone = join("auto")
    assert (alone.device.type, alone.rank, alone.size) == ("cpu", 0, 1)

"""Checkpoints of a training run: safetensors beside the output, replaced as a whole, no pickle."""

import hashlib
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spikefold.errors import InputError
from spikefold.files import write_atomic
from spikefold.formats.plain import parse_json
from spikefold.formats.tensors import check_numbers, pack_tensors, read_tensors

logger = logging.getLogger(__name__)
_KEY = "spikefold-checkpoint"


@dataclass
class Checkpoint:
    """The state of a run after ``epochs`` finished epochs.

    ``tensors`` are named "model.NAME", "optimizer.INDEX.NAME" and "best.NAME"; ``state`` is whatever else
    the run has to remember, JSON-able.
    """

    epochs: int
    tensors: dict[str, Tensor]
    state: dict[str, Any] = field(default_factory=dict)

    def part(self, name: str) -> dict[str, Tensor]:
        """Return the tensors named "NAME.", without that prefix."""
        prefix = name + "."
        return {key[len(prefix) :]: tensor for key, tensor in self.tensors.items() if key.startswith(prefix)}

    def restore(self, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Give ``model`` and ``optimizer`` the state that was kept."""
        model.load_state_dict(self.part("model"))
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in self.part("optimizer").items():
            index, name = key.split(".", 1)
            state.setdefault(int(index), {})[name] = value
        optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def collect(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return all tensors of a run as a Checkpoint names them."""
    tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {
            f"optimizer.{index}.{key}": value for key, value in state.items() if isinstance(value, Tensor)
        }
    return tensors


def checkpoint_path(output: Path) -> Path:
    """Return the file beside ``output`` that holds the state of an unfinished run."""
    return output.with_name(output.name + ".checkpoint")


def fingerprint(description: dict[str, Any]) -> str:
    """Return a digest of everything a run's result depends on; a checkpoint fits only its own."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()


def save_checkpoint(path: Path, checkpoint: Checkpoint, digest: str) -> None:
    """Write ``checkpoint`` of the run with that fingerprint, replacing an older one in one step."""
    tensors = {key: value.detach().cpu().clone() for key, value in checkpoint.tensors.items()}
    description = {"epochs": checkpoint.epochs, "digest": digest, "state": checkpoint.state}
    text = json.dumps(description, sort_keys=True)
    write_atomic(path, pack_tensors(tensors, {_KEY: text}))


def load_checkpoint(path: Path, digest: str) -> Checkpoint | None:
    """Return the checkpoint of the run with that fingerprint.

    None if there is none, or one of another run, or one that is broken, edited or without the digest of its
    tensors, of which a warning is logged.
    """
    if not path.exists():
        return None
    try:
        found, belongs_to = _read(path)
    except (InputError, KeyError, TypeError) as error:
        logger.warning("Checkpoint '%s' cannot be read (%s); training starts anew", path, error)
        return None
    if belongs_to != digest:
        logger.warning("Checkpoint '%s' belongs to another recipe or data set; training starts anew", path)
        return None
    return found


def _read(path: Path) -> tuple[Checkpoint, object]:
    """Return a checkpoint and the fingerprint of its run."""
    what = f"Checkpoint '{path}'"
    file = read_tensors(path, what)
    if not file.signed:
        raise InputError(f"{what} must carry the digest of its tensors, but has none")
    for name, tensor in file.tensors.items():
        check_numbers(name, tensor)
    description = parse_json(file.metadata[_KEY], what)
    epochs, state = description["epochs"], description["state"]
    if type(epochs) is not int or epochs < 0 or not isinstance(state, dict):
        raise InputError(f"{what} must say its epochs and state")
    return Checkpoint(epochs, file.tensors, state), description["digest"]

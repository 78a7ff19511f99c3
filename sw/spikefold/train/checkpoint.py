"""Checkpoints of a training run: safetensors beside the output, replaced as a whole, no pickle."""

import hashlib
import json
import logging
from pathlib import Path

import safetensors
import safetensors.torch
import torch

from spikefold.files import write_atomic

logger = logging.getLogger(__name__)
_KEY = "spikefold-checkpoint"


def checkpoint_path(output: Path) -> Path:
    """Return the file beside ``output`` that holds the state of an unfinished run."""
    return output.with_name(output.name + ".checkpoint")


def fingerprint(description: dict) -> str:
    """Return a digest of everything a run's result depends on; a checkpoint fits only its own."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()


def save_checkpoint(
    path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, epochs: int, digest: str
) -> None:
    """Write the state after ``epochs`` finished epochs, replacing an older checkpoint in one step."""
    tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": value for key, value in state.items()}
    tensors = {key: value.detach().clone() for key, value in tensors.items()}
    description = json.dumps({"epochs": epochs, "digest": digest}, sort_keys=True)
    write_atomic(path, safetensors.torch.save(tensors, metadata={_KEY: description}))


def load_checkpoint(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, digest: str) -> int:
    """Restore ``model`` and ``optimizer`` in place; return the number of finished epochs.

    Without a checkpoint, or with one of another recipe or a broken one (a warning is logged), nothing is
    changed and the answer is 0.
    """
    if not path.exists():
        return 0
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            description = json.loads((file.metadata() or {})[_KEY])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a mapping
        epochs = int(description["epochs"])
    except (safetensors.SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
        logger.warning("Checkpoint '%s' cannot be read (%s); training starts anew", path, error)
        return 0
    if description.get("digest") != digest:
        logger.warning("Checkpoint '%s' belongs to another recipe or data set; training starts anew", path)
        return 0
    _restore(tensors, model, optimizer)
    return epochs


def _restore(
    tensors: dict[str, torch.Tensor], model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> None:
    model.load_state_dict({key[6:]: value for key, value in tensors.items() if key.startswith("model.")})
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            state.setdefault(int(index), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})

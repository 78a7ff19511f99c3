"""Several processes train one network: one per GPU or core, started by torchrun."""

import atexit
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from inspect import signature
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.parallel import DistributedDataParallel

from spikefold import nn
from spikefold.errors import InputError

_PATIENCE = timedelta(minutes=30)  # how long a rank waits for the others, which may be decoding images
_OPTIONS = signature(DistributedDataParallel).parameters
# DDP's option for rank 0's buffers to replace the others' in every forward; the second name is deprecated.
_SYNC_BUFFERS = "forward_sync_buffers" if "forward_sync_buffers" in _OPTIONS else "broadcast_buffers"


@dataclass(frozen=True)
class Group:
    """The processes of a run; this one is number ``rank`` of ``size`` and computes on ``device``."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and shows progress."""
        return self.rank == 0

    def share(self, indices: Tensor) -> Tensor:
        """Return this process's part of ``indices`` [N], in order."""
        return indices.tensor_split(self.size)[self.rank]

    def total(self, value: Tensor) -> Tensor:
        """Return the sum of ``value`` over all processes."""
        if self.size > 1:
            dist.all_reduce(value := value.clone())
        return value

    def together(self, model: torch.nn.Module) -> torch.nn.Module:
        """Return what to call in place of ``model`` in training: with several processes, torch's DDP of it.

        ``model`` must have equal tensors on all ranks. Each backward leaves the mean of all ranks' gradients;
        every parameter must get one. Buffers are each rank's own until ``average_statistics``.
        """
        if self.size == 1:
            return model
        options: dict[str, Any] = {_SYNC_BUFFERS: False}
        if self.device.type != "cpu":
            options["device_ids"] = [self.device]
        return DistributedDataParallel(model, **options)

    def average_statistics(self, model: torch.nn.Module) -> None:
        """Give every process the mean of the batch norms' running statistics."""
        for layer in model.modules() if self.size > 1 else ():
            if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
                for statistic in (layer.running_mean, layer.running_var):
                    if statistic is not None:
                        statistic.copy_(self.total(statistic) / self.size)

    def from_first(self, value: Any) -> Any:
        """Return what rank 0 passes as ``value``, any object, in every process."""
        if self.size == 1:
            return value
        box = [value]
        dist.broadcast_object_list(box, src=0, device=self.device)
        return box[0]


def join(device: str) -> Group:
    """Join the processes that torchrun started, or make a group of this one alone.

    ``device`` is "auto", "cpu" or "cuda"; several processes of a host take a GPU each. gloo connects CPUs,
    nccl GPUs. The connection is made once and kept until the process ends, or is one the caller has made:
    ranks that leave and join again at different times can miss each other and wait for ever.

    Raises
    ------
    InputError
        If ``device`` is "cuda" and there is none.
    """
    chosen = _device(device)
    if not (dist.is_available() and dist.is_initialized()):
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return Group(chosen)
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_PATIENCE
        )
        atexit.register(_leave)
    return Group(chosen, dist.get_rank(), dist.get_world_size())


def _leave() -> None:
    """Close the connection while the interpreter is whole: gloo's threads may still hold tensors."""
    gc.collect()
    if dist.is_initialized():
        dist.destroy_process_group()


def _device(device: str) -> torch.device:
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError(
            "Recipe training.device must be 'cpu' or 'auto' here, not 'cuda': torch finds no GPU"
        )
    if device == "cpu" or not torch.cuda.is_available():
        return torch.device("cpu")
    local = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(local)
    return local


class _SharedBatchNorm(nn.BatchNorm, torch.nn.SyncBatchNorm):
    """A BatchNorm whose statistics in training are those of all processes' batches; GPUs only."""


@contextmanager
def shared_batch_norm(model: torch.nn.Module) -> Iterator[None]:
    """While inside, batch norms of ``model`` take the statistics of all processes together.

    Only on GPUs; torch's SyncBatchNorm has no code for CPUs.
    """
    layers = [layer for layer in model.modules() if type(layer) is nn.BatchNorm]
    try:
        for layer in layers:
            layer.__class__ = _SharedBatchNorm
            setattr(layer, "process_group", None)  # noqa: B010 - not of the class that mypy sees
        yield
    finally:
        for layer in layers:
            layer.__class__ = nn.BatchNorm
            del layer.process_group

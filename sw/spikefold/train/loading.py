"""Batches of samples, read when they are needed or, by other processes, ahead of need."""

import os
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_all_start_methods, get_context, parent_process
from multiprocessing.context import BaseContext
from threading import Thread
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from spikefold.errors import SpikefoldError, ToolError
from spikefold.train.data import Dataset, LazyArray
from spikefold.train.evaluation import read

_WORKERS = 2  # for samples in files: one decodes while the other hands over

Part = Literal["train", "test"]


@dataclass(frozen=True)
class Job:
    """A batch to read: the samples at `rows` [B] of a part; with a `seed` random parts of its images."""

    part: Part
    rows: NDArray[np.int64]
    seed: int | None = None


class Loader:
    """Reads batches of a data set in the order asked for; with workers two batches each are read ahead.

    What is read does not depend on the number of workers. They start with the first batch, stay until
    `close`, and end when this process does. They are no forks of this process, whose threads would not
    survive that: a script that trains with workers must do so below `if __name__ == "__main__":`. Arrays are
    put into memory that all of them share.

    Parameters
    ----------
    data
        Whose samples are read.
    workers
        How many processes read; 0: this one.
    pin
        Whether batches are put where GPUs can fetch them while the CPU goes on.
    """

    def __init__(self, data: Dataset, workers: int = 0, pin: bool = False) -> None:
        self._jobs: list[Job] = []
        parts = {"train": data.train_x, "test": data.test_x}
        options: dict[str, Any] = {}
        if workers:
            parts = {name: _shareable(samples) for name, samples in parts.items()}
            options = {
                "multiprocessing_context": _context(),
                "worker_init_fn": _end_with_parent,
                "persistent_workers": True,
            }
        self._loader: DataLoader[Tensor | SpikefoldError] = DataLoader(
            _Reader(parts),
            batch_size=None,  # a job is a batch
            sampler=self._jobs,
            num_workers=workers,
            pin_memory=pin,
            generator=torch.Generator().manual_seed(0),  # else torch's own would give up a number an epoch
            **options,
        )
        self._reading = self._read([])

    def read(self, jobs: Sequence[Job]) -> Iterator[Tensor]:
        """Yield the samples of every job, float32 [B, features...] on the CPU.

        Raises
        ------
        SpikefoldError
            What reading the samples raises, as it is.
        ToolError
            If a worker has ended.
        """
        self._reading = self._read(jobs)
        return self._reading

    def close(self) -> None:
        """End the workers, also in the middle of what is read."""
        self._reading.close()  # it may be kept alive by the traceback of an error, and with it the workers
        del self._loader

    def _read(self, jobs: Sequence[Job]) -> Generator[Tensor, None, None]:
        self._jobs[:] = jobs
        try:
            for found in self._loader:
                if isinstance(found, SpikefoldError):
                    raise found
                yield found
        except RuntimeError as error:
            if "DataLoader worker (pid" not in str(error):
                raise
            raise ToolError(
                f"A process that reads samples must live as long as training, but: {error}; set "
                "training.num_workers to 0 where memory is short, or call train below "
                "'if __name__ == \"__main__\":' in a script"
            ) from error


class _Reader(torch.utils.data.Dataset[Tensor | SpikefoldError]):
    """What a worker has: batches by their jobs."""

    def __init__(self, parts: dict[str, Any]) -> None:
        self._parts = parts

    def __getitem__(self, job: Job) -> Tensor | SpikefoldError:
        samples = self._parts[job.part]
        try:
            if job.seed is None:
                return read(samples, torch.from_numpy(job.rows))
            generator = torch.Generator().manual_seed(job.seed)
            return torch.from_numpy(samples.random(job.rows, generator))
        except SpikefoldError as error:
            return error  # raised here, a worker would put its traceback in place of the text


def default_workers(data: Dataset) -> int:
    """How many workers pay: none for samples in memory, up to two for those that are read from files."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    lazy = [part for part in (data.train_x, data.test_x) if isinstance(part, LazyArray)]
    return min(_WORKERS, cores) if any(part.from_files for part in lazy) else 0


def _context() -> BaseContext:
    """How workers start: as forks of a process that has done nothing but import, where systems can do so."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload([__name__])  # imported once, not by every worker
    return context


def _end_with_parent(worker: int) -> None:
    """End this worker with the process that reads its batches, also if that one is killed.

    torch's own watch looks for the process that forked the worker.
    """
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def _shareable(samples: Any) -> Any:
    """Arrays as tensors: torch sends those to other processes without a copy for each."""
    if not isinstance(samples, np.ndarray):
        return samples
    return torch.from_numpy(np.require(samples, requirements="W"))

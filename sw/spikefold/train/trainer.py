"""Train a network from a recipe: seeded, resumable, deterministic on one machine."""

import copy
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from spikefold import nn
from spikefold.errors import InputError
from spikefold.train.augment import sub_policies
from spikefold.train.checkpoint import checkpoint_path, load_checkpoint, save_checkpoint
from spikefold.train.data import Dataset, load_data
from spikefold.train.distributed import Group, join
from spikefold.train.logs import Log
from spikefold.train.recipe import Recipe
from spikefold.train.run import OnBatch, Run

OnEpoch = Callable[[int, float], None]
_SAVE_SECONDS = 60.0  # of training that may get lost when a run is stopped, but for the epoch it is in


@dataclass(frozen=True)
class TrainResult:
    """What a run gave. Accuracies are fractions of the test data.

    ``accuracy`` is the float network's; ``accuracy_quantized`` the same network's with fake-quantized
    folded weights, None without ``weight_bits``; ``accuracy_validation`` the best on held-out training data,
    None if none were. ``epochs`` counts those of this call (fewer after resuming).
    """

    model: nn.Sequential
    accuracy: float
    accuracy_quantized: float | None
    seconds: float
    epochs: int
    accuracy_validation: float | None = None


def train(
    recipe: Recipe | str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    resume: bool = True,
    progress: bool = True,
    on_epoch: OnEpoch | None = None,
    checkpoint_every: int = 5,
    start: str | os.PathLike[str] | None = None,
    keep_first: str | os.PathLike[str] | None = None,
) -> TrainResult:
    """Train the network of ``recipe`` (a Recipe or a TOML file) and save it to ``output``.

    Every ``checkpoint_every`` epochs, and where epochs are long every minute, the state is written beside
    ``output``; a run that was stopped goes on from there and, on CPUs, ends with the same weights as one
    that was not; the checkpoint is removed at the end. A run that diverges leaves its last one. ``progress``
    shows a bar on stderr; ``on_epoch`` is called with the number of finished epochs and the mean loss.
    ``start`` is a model file with the recipe's layers whose tensors the network starts from. ``keep_first``
    is a file to which the network is written after its first epoch.

    Under torchrun the processes share every batch; rank 0 writes files and shows progress. Results equal
    those of one process up to rounding where nothing is random but the order and there is no batch norm,
    whose statistics are each process's own unless ``sync_batch_norm`` shares them between GPUs.

    Raises
    ------
    InputError
        On a bad recipe or data set, if ``output`` is a directory or a file that is no model, or if the loss
        or a weight stops being finite.
    ModelError
        If the network cannot be built or quantized, or ``start`` is no model file.
    MissingToolError
        If a package is missing that brings the data, AutoAugment or TensorBoard's files.
    """
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    output, kept = Path(output), None if keep_first is None else Path(keep_first)
    for path in filter(None, (output, kept)):
        _check_output(path)
    if kept == output:
        raise InputError(f"File of the first epoch must be another than the output, not '{kept}' too")
    data = load_data(recipe.data.name, **recipe.data.keywords(), progress=progress)
    _check_data(recipe, data)
    trained = None if start is None else nn.load(start)
    started = time.perf_counter()
    processes = join(recipe.training.device)
    with _reproducible(recipe, processes):
        log = Log(recipe.training.log_dir if processes.leads else None)
        with closing(Run(recipe, data, processes, trained, log)) as run:
            first = _begin(run, output, resume)
            with _bar(first, recipe.training.epochs, progress and processes.leads) as advance:
                _advance(run, output, kept, advance, on_epoch, checkpoint_every)
            result = _finish(run, output, started, first)
        log.close()
    return result


def _begin(run: Run, output: Path, resume: bool) -> int:
    """Set up ``run`` for its next epoch, from a checkpoint if there is one; return the finished epochs."""
    found = None
    if resume and run.group.leads:
        found = load_checkpoint(checkpoint_path(output), run.digest)
    found = run.group.from_first(found)
    if found is None:
        run.initialise()
        return 0
    run.resume(found)
    return run.finished


def _advance(
    run: Run,
    output: Path,
    kept: Path | None,
    advance: OnBatch,
    on_epoch: OnEpoch | None,
    checkpoint_every: int,
) -> None:
    """Train until ``run`` is over, keeping its state on the way."""
    saved = time.perf_counter()
    while not run.over:
        loss = run.epoch(advance)
        if run.finished == 1 and kept is not None and run.group.leads:
            nn.save(copy.deepcopy(run.model).cpu(), kept, {"recipe": run.recipe.to_dict(), "epochs": 1})
        due = run.finished % checkpoint_every == 0 or time.perf_counter() - saved > _SAVE_SECONDS
        if due and not run.over and run.group.leads:
            save_checkpoint(checkpoint_path(output), run.checkpoint(), run.digest)
            saved = time.perf_counter()
        if on_epoch is not None and run.group.leads:
            on_epoch(run.finished, loss)


def _finish(run: Run, output: Path, started: float, first: int) -> TrainResult:
    """Measure the trained network and write its file."""
    run.best.give_back(run.model)
    run.model.eval()
    plain, quantized = run.accuracies()
    model = run.model.cpu()
    seconds = time.perf_counter() - started
    validation = run.best.accuracy if run.best.accuracy >= 0 else None
    result = TrainResult(model, plain, quantized, seconds, run.finished - first, validation)
    run.log.scalars(run.finished, {f"accuracy/{key}": value for key, value in _accuracies(result).items()})
    if run.group.leads:
        meta = {f"accuracy_{key}": value for key, value in _accuracies(result).items()}
        nn.save(model, output, {"recipe": run.recipe.to_dict()} | meta)
        checkpoint_path(output).unlink(missing_ok=True)
    run.group.from_first(None)  # no process goes on before the file is there
    return result


def _accuracies(result: TrainResult) -> dict[str, float]:
    found = {
        "float": result.accuracy,
        "quantized": result.accuracy_quantized,
        "validation": result.accuracy_validation,
    }
    return {key: value for key, value in found.items() if value is not None}


def _check_output(output: Path) -> None:
    if output.is_dir():
        raise InputError(f"Output '{output}' must be a file, not a directory; add a file name")
    if output.exists():
        try:
            nn.read_meta(output)
        except InputError as error:
            raise InputError(
                f"Output '{output}' exists and is not a spikefold model; remove it or choose another name"
            ) from error


def _check_data(recipe: Recipe, data: Dataset) -> None:
    """Refuse augmentation that the data cannot have."""
    options = recipe.training
    for key, off in (("shift", 0), ("flip", False), ("cutout", 0), ("cutmix", 0.0), ("autoaugment", None)):
        value = getattr(options, key)
        if value and data.image_shape is None:
            rule = "left out" if off is None else str(off).lower()
            raise InputError(
                f"Recipe training.{key} must be {rule} for {data.name!r}, whose samples are no "
                f"images, not {value!r}"
            )
    if options.autoaugment is not None:
        if data.image_shape is None or data.image_shape[0] != 3 or data.steps is not None:
            raise InputError(
                f"Recipe training.autoaugment must be left out for {data.name!r}, whose samples are no "
                f"images of 3 colours, not {options.autoaugment!r}"
            )
        sub_policies(options.autoaugment)
    if options.random_resized_crop and not hasattr(data.train_x, "random"):
        raise InputError(
            f"Recipe training.random_resized_crop must be false for {data.name!r}, which is no folder of "
            "images, not True"
        )


@contextmanager
def _reproducible(recipe: Recipe, processes: Group) -> Iterator[None]:
    """Seed torch and, on CPUs, use deterministic algorithms inside; restore the caller's state on leaving.

    One thread unless the recipe gives more: the matrices are so small that a second one slows training
    down, several times over where other programs run, and sums then do not depend on the number of cores.
    """
    on_cpu = processes.device.type == "cpu"
    before, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    with torch.random.fork_rng(devices=[] if on_cpu else [processes.device]):
        torch.manual_seed(recipe.training.seed)
        torch.use_deterministic_algorithms(on_cpu or before)
        torch.set_num_threads(recipe.training.threads)
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(before)


@contextmanager
def _bar(first: int, epochs: int, show: bool) -> Iterator[OnBatch]:
    """Show a bar on stderr; yields the function to call with the epochs done, in parts, and the loss."""
    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("epoch {task.fields[epoch]}/{task.total:.0f}  loss {task.fields[loss]:.4f}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), disable=not show) as bar:
        task = bar.add_task("training", total=epochs, completed=first, epoch=first, loss=math.nan)
        yield lambda done, loss: bar.update(task, completed=done, epoch=math.ceil(done - 1e-9), loss=loss)

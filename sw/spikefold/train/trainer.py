"""Train a network from a recipe: seeded, resumable, deterministic on one machine."""

import logging
import math
import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from spikefold import nn
from spikefold.errors import InputError, ModelError
from spikefold.train.augment import flip_images, shift_images
from spikefold.train.checkpoint import checkpoint_path, fingerprint, load_checkpoint, save_checkpoint
from spikefold.train.data import Dataset, load_data
from spikefold.train.networks import build_network
from spikefold.train.quantization import fake_quantized
from spikefold.train.recipe import Recipe

logger = logging.getLogger(__name__)

OnEpoch = Callable[[int, float], None]
OnBatch = Callable[[float, float], None]
_WARM_UP = 0.1  # fraction of all steps in which the learning rate rises
_PATIENCE = 60.0  # seconds of training that may get lost when a run is stopped, but for the epoch it is in


@dataclass(frozen=True)
class TrainResult:
    """What a run gave. Accuracies are fractions of the test data.

    ``accuracy`` is the float network's; ``accuracy_quantized`` the same network's with fake-quantized
    folded weights, None without ``weight_bits``. ``epochs`` counts those of this call (fewer after resuming).
    """

    model: nn.Sequential
    accuracy: float
    accuracy_quantized: float | None
    seconds: float
    epochs: int


def train(
    recipe: Recipe | str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    resume: bool = True,
    progress: bool = True,
    on_epoch: OnEpoch | None = None,
    checkpoint_every: int = 5,
) -> TrainResult:
    """Train the network of ``recipe`` (a Recipe or a TOML file) and save it to ``output``.

    AdamW with a warm-up and cosine schedule on cross-entropy. Every ``checkpoint_every`` epochs, and where
    epochs are long every minute, the state is written beside ``output``; a run that was stopped goes on from
    there and ends with the same weights as one that was not; the checkpoint is removed at the end. A run
    that diverges leaves its last one. ``progress`` shows a bar on stderr; ``on_epoch`` is called with the
    number of finished epochs and the mean loss.

    Raises
    ------
    InputError
        On a bad recipe or data set, if ``output`` is a directory or a file that is no model, or if the loss
        or a weight stops being finite.
    MissingToolError
        If a package that brings the data is missing.
    """
    recipe = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    output = Path(output)
    _check_output(output)
    data = load_data(recipe.data.name, seed=recipe.data.seed)
    _check_data(recipe, data)
    started = time.perf_counter()
    with _deterministic(recipe.training.seed):
        run = _Run(recipe, data)
        checkpoint = checkpoint_path(output)
        first = load_checkpoint(checkpoint, run.model, run.optimizer, run.digest) if resume else 0
        epochs, saved = recipe.training.epochs, started
        with _bar(first, epochs, progress) as advance:
            for done in range(first + 1, epochs + 1):
                loss = run.epoch(done - 1, advance)
                due = done % checkpoint_every == 0 or time.perf_counter() - saved > _PATIENCE
                if due and done < epochs:
                    save_checkpoint(checkpoint, run.model, run.optimizer, done, run.digest)
                    saved = time.perf_counter()
                if on_epoch is not None:
                    on_epoch(done, loss)
        result = run.result(time.perf_counter() - started, epochs - first)
    nn.save(result.model, output, _meta(recipe, result))
    checkpoint.unlink(missing_ok=True)
    return result


def accuracy(
    model: torch.nn.Module, x: np.ndarray | Tensor, y: np.ndarray | Tensor, batch: int = 256
) -> float:
    """Return the fraction of samples ``x`` [N, features...] whose largest logit is at ``y`` [N]."""
    x, y = torch.as_tensor(x), torch.as_tensor(y)
    was_training = model.training
    model.eval()
    with torch.no_grad():
        hits = sum(
            int((model(xs).argmax(dim=1) == ys).sum())
            for xs, ys in zip(x.split(batch), y.split(batch), strict=True)
        )
    model.train(was_training)
    return hits / len(y)


class _Run:
    """Model, optimizer and data of one run; ``epoch`` advances them by one epoch."""

    def __init__(self, recipe: Recipe, data: Dataset) -> None:
        self.recipe, self.data = recipe, data
        self.model = build_network(recipe.model.kind, recipe.model.keywords(), data)
        with self._quantization(recipe.training.epochs):
            pass  # a network that cannot be quantized is refused now, not after half of the epochs
        self.optimizer = torch.optim.AdamW(_parameter_groups(self.model, recipe.training.weight_decay))
        self.generator = torch.Generator()
        self.x, self.y = torch.from_numpy(data.train_x), torch.from_numpy(data.train_y)
        sizes = [list(self.x.shape), list(data.test_x.shape), float(data.train_x.sum(dtype=np.float64))]
        self.digest = fingerprint({"recipe": recipe.to_dict(), "data": sizes})

    def epoch(self, epoch: int, advance: OnBatch) -> float:
        """Train one epoch and return its mean loss; ``advance`` learns of every batch.

        All randomness is reseeded from the epoch's number, so a resumed run needs no generator state.
        """
        options = self.recipe.training
        seed = options.seed * 1_000_003 + epoch
        self.generator.manual_seed(seed)
        torch.manual_seed(seed)
        self.model.train()
        order = torch.randperm(len(self.y), generator=self.generator)
        batches = list(order.split(options.batch_size))
        if len(batches) > 1 and len(batches[-1]) < 2:
            batches.pop()  # batch norm has no statistics of a single sample
        losses = []
        try:
            with self._quantization(epoch):
                for index, chosen in enumerate(batches):
                    self._set_learning_rate((epoch + index / len(batches)) / options.epochs)
                    losses.append(self._update(chosen))
                    advance(epoch + (index + 1) / len(batches), losses[-1])
            nn.check_weights(self.model)
        except (ModelError, FloatingPointError) as error:
            raise InputError(
                f"Training diverged in epoch {epoch + 1} ({error}); "
                f"lower training.learning_rate, which is {options.learning_rate!r}"
            ) from error
        return sum(losses) / len(losses)

    def result(self, seconds: float, epochs: int) -> TrainResult:
        """Measure the trained network on the test data."""
        self.model.eval()
        plain = accuracy(self.model, self.data.test_x, self.data.test_y)
        quantized = None
        if self.recipe.training.weight_bits is not None:
            with fake_quantized(self.model, self.recipe.training.weight_bits):
                quantized = accuracy(self.model, self.data.test_x, self.data.test_y)
        return TrainResult(self.model, plain, quantized, seconds, epochs)

    def _quantization(self, epoch: int) -> AbstractContextManager[None]:
        options = self.recipe.training
        if options.weight_bits is None or epoch < options.quantize_after * options.epochs:
            return nullcontext()
        return fake_quantized(self.model, options.weight_bits)

    def _update(self, chosen: Tensor) -> float:
        options = self.recipe.training
        logits = self.model(self._augmented(self.x[chosen]))
        loss = torch.nn.functional.cross_entropy(
            logits, self.y[chosen], label_smoothing=options.label_smoothing
        )
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()!r}")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def _augmented(self, x: Tensor) -> Tensor:
        options, shape = self.recipe.training, x.shape
        if options.shift or options.flip:
            x = x.reshape(-1, *self.data.image_shape)
        if options.shift:
            x = shift_images(x, options.shift, self.generator, self.data.minimum)
        if options.flip:
            x = flip_images(x, self.generator)
        return x.reshape(shape)

    def _set_learning_rate(self, done: float) -> None:
        """Set the rate for the fraction ``done`` of the run: a linear rise, then half a cosine to 0."""
        rise = min(1.0, (done + 1e-3) / _WARM_UP)
        fall = 0.5 * (1 + math.cos(math.pi * max(0.0, done - _WARM_UP) / (1 - _WARM_UP)))
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.training.learning_rate * rise * fall


def _parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict]:
    """Decay the synapses' weights only: biases, batch norm and scales have no reason to be small."""
    decayed = [layer.weight for layer in model.modules() if isinstance(layer, nn.Dense | nn.Conv2d)]
    chosen = {id(weight) for weight in decayed}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in chosen]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]


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
    for key, off in (("shift", 0), ("flip", False)):
        value = getattr(recipe.training, key)
        if value and data.image_shape is None:
            raise InputError(
                f"Recipe training.{key} must be {str(off).lower()} for {data.name!r}, whose samples are no "
                f"images, not {value!r}"
            )


def _meta(recipe: Recipe, result: TrainResult) -> dict:
    meta = {"recipe": recipe.to_dict(), "accuracy_float": result.accuracy}
    if result.accuracy_quantized is not None:
        meta["accuracy_quantized"] = result.accuracy_quantized
    return meta


@contextmanager
def _deterministic(seed: int) -> Iterator[None]:
    """Seed torch and use deterministic algorithms inside; restore the caller's state on leaving.

    One thread: the matrices are so small that a second one slows training down, several times over where
    other programs run, and sums then do not depend on the number of cores.
    """
    before, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        torch.use_deterministic_algorithms(True)
        torch.set_num_threads(1)
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

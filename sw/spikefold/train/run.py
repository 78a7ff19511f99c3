"""One training run: model, optimizer and data, advanced epoch by epoch."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from torch import Tensor

from spikefold import nn
from spikefold.errors import InputError, ModelError
from spikefold.train.augment import augment
from spikefold.train.best import Best
from spikefold.train.checkpoint import Checkpoint, collect, fingerprint
from spikefold.train.data import Dataset
from spikefold.train.distributed import Group, shared_batch_norm
from spikefold.train.evaluation import arranged, count_hits
from spikefold.train.loading import Job, Loader, Part, default_workers
from spikefold.train.logs import Log
from spikefold.train.losses import make_loss
from spikefold.train.mix import mix
from spikefold.train.networks import build_network
from spikefold.train.quantization import fake_quantized
from spikefold.train.recipe import Recipe
from spikefold.train.schedule import learning_rate, make_optimizer
from spikefold.train.start import start_from

OnBatch = Callable[[float, float], None]
_MEASURED = 256  # samples at once, where nothing is learnt


class Run:
    """Model, optimizer and data of one run; ``epoch`` advances them by one epoch.

    ``start`` is a trained model whose tensors the network starts from. ``finished`` counts epochs.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: Dataset,
        group: Group | None = None,
        start: torch.nn.Module | None = None,
        log: Log | None = None,
    ) -> None:
        self.recipe, self.options, self.data = recipe, recipe.training, data
        self.group = group or Group(torch.device("cpu"))
        self.log = log or Log(None)
        self.model = build_network(recipe.model.kind, recipe.model.keywords(), data)
        if start is not None:
            start_from(self.model, start)
        with self._quantization(self.options.epochs):
            pass  # a network that cannot be quantized is refused now, not after half of the epochs
        self.digest = _digest(recipe, data, start)
        self.model.to(self.group.device)
        self.optimizer = make_optimizer(self.model, self.options)
        self.scaler = torch.amp.GradScaler(self.group.device.type, enabled=self.options.amp == "fp16")
        self.best, self.finished = Best(self.options), 0
        self.generator = torch.Generator()
        self.loss = make_loss(self.options)
        self.y = torch.from_numpy(data.train_y)
        self.chosen, self.held_out = self._split()
        self.loader = self._make_loader()
        self._trained: torch.nn.Module = self.model  # what is called in training

    @property
    def over(self) -> bool:
        """Whether there is nothing left to train."""
        return self.finished >= self.options.epochs or self.best.exhausted

    def initialise(self) -> None:
        """Give all processes equal tensors, set from the whole first batch where that sets any.

        A process alone needs none of this: it trains on the whole batch.
        """
        if self.group.size == 1:
            return
        whole = self._batches(0)[0]  # on every rank, since it may raise
        problem = self._see(whole) if self.group.leads else None
        problem = self.group.from_first(problem)
        if problem is not None:
            raise _diverged(1, problem, self.options.learning_rate)
        state = {key: value.cpu() for key, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.group.from_first(state if self.group.leads else None))
        self._trained = self.group.together(self.model)

    def epoch(self, advance: OnBatch) -> float:
        """Train one epoch and return its mean loss; ``advance`` learns of every batch.

        All randomness is reseeded from the epoch's number, so a resumed run needs no generator state.
        """
        epoch, options = self.finished, self.options
        batches, losses = self._batches(epoch), []
        read = zip(batches, self.loader.read(self._jobs(batches)), strict=True)
        self.model.train()
        try:
            with self._quantization(epoch), self._shared_statistics():
                for index, (chosen, x) in enumerate(read):
                    rate = learning_rate(options, (epoch + index / len(batches)) / options.epochs)
                    for parameters in self.optimizer.param_groups:
                        parameters["lr"] = rate
                    with self.log.watching(self.model, index == len(batches) - 1):
                        losses.append(self._update(chosen, x))
                    advance(epoch + (index + 1) / len(batches), losses[-1])
            self.group.average_statistics(self.model)
            nn.check_weights(self.model)
        except (ModelError, FloatingPointError) as error:
            raise _diverged(epoch + 1, error, options.learning_rate) from error
        self.finished += 1
        loss = sum(losses) / len(losses)
        self._note(epoch, loss, rate)
        return loss

    def accuracies(self) -> tuple[float, float | None]:
        """Measure the network on the test data, as it is and, with ``weight_bits``, with rounded weights."""
        plain, quantized = self._on_test(), None
        if self.options.weight_bits is not None:
            self.model.eval()
            with self._quantization(self.options.epochs):
                quantized = self._on_test()
        return plain, quantized

    def checkpoint(self) -> Checkpoint:
        """Return everything that ``resume`` needs."""
        tensors = collect(self.model, self.optimizer)
        tensors |= {f"best.{key}": value for key, value in self.best.tensors.items()}
        state = {
            "best": self.best.accuracy,
            "since": self.best.since,
            "scaler": self.scaler.state_dict(),
        }
        return Checkpoint(self.finished, tensors, state)

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go on from ``checkpoint``."""
        checkpoint.restore(self.model, self.optimizer)
        self.best.tensors = checkpoint.part("best")
        self.best.accuracy, self.best.since = checkpoint.state["best"], checkpoint.state["since"]
        if self.scaler.is_enabled():
            self.scaler.load_state_dict(checkpoint.state["scaler"])
        self.finished = checkpoint.epochs
        self._trained = self.group.together(self.model)

    def close(self) -> None:
        """End the processes that read samples."""
        self.loader.close()

    def _make_loader(self) -> Loader:
        workers = self.options.num_workers
        workers = default_workers(self.data) if workers is None else workers
        return Loader(self.data, workers, pin=self.group.device.type == "cuda")

    def _split(self) -> tuple[Tensor, Tensor]:
        """Return the indices of the training data to learn from and those held out."""
        count = round(self.options.validation * len(self.y))
        everything = torch.arange(len(self.y))
        if self.options.validation and not 0 < count < len(self.y):
            raise InputError(
                f"Recipe training.validation must hold out at least one of {len(self.y)} samples, "
                f"not {self.options.validation!r}"
            )
        if not count:
            return everything, everything[:0]
        order = np.random.default_rng(self.options.seed).permutation(len(self.y))
        chosen, held_out = (torch.from_numpy(np.sort(part)) for part in (order[count:], order[:count]))
        return chosen, held_out

    def _batches(self, epoch: int) -> list[Tensor]:
        """Seed everything for ``epoch`` and return the indices of its batches."""
        seed = self.options.seed * 1_000_003 + epoch
        self.generator.manual_seed(seed)
        order = self.chosen[torch.randperm(len(self.chosen), generator=self.generator)]
        torch.manual_seed(seed + self.group.rank * 1_000_000_007)
        if self.group.rank:
            self.generator.manual_seed(seed + self.group.rank * 1_000_000_007)
        batches = list(torch.split(order, self.options.batch_size))
        if len(batches) > 1 and len(batches[-1]) < 2 * self.group.size:
            batches.pop()  # batch norm has no statistics of a single sample
        if len(batches[-1]) < 2 * self.group.size > 2:
            raise InputError(
                f"Recipe training.batch_size must leave each of {self.group.size} processes 2 samples of a "
                f"batch, not {len(batches[-1])} for all; start fewer processes"
            )
        return batches

    def _jobs(self, batches: list[Tensor]) -> list[Job]:
        """Return what this process reads of the batches at these indices."""
        shares = [self.group.share(chosen).numpy() for chosen in batches]
        return [Job("train", rows, seed) for rows, seed in zip(shares, self._seeds(len(shares)), strict=True)]

    def _seeds(self, count: int) -> list[int | None]:
        """Return a seed for the random parts of images of so many batches, None where they are whole."""
        if not self.options.random_resized_crop:
            return [None] * count
        return [int(seed) for seed in torch.randint(2**62, (count,), generator=self.generator)]

    def _update(self, chosen: Tensor, x: Tensor) -> float:
        """Learn from ``x``, this process's share of the samples at the indices ``chosen``.

        Returns the mean loss of all of them, over all processes.
        """
        own = self.group.share(chosen)
        x, y = self._changed(x, self.y[own])
        loss, problem = self._loss(x, y)
        if self.group.size > 1:
            loss = loss * (len(own) / len(chosen))
        mean = self.group.total(loss.detach()).item()
        if not np.isfinite(mean):  # of any process, so that all of them stop
            raise problem or FloatingPointError(f"the loss is {mean!r}")
        self.optimizer.zero_grad(set_to_none=True)
        whole = loss * self.group.size  # since DDP takes the mean, and the ranks' losses are parts of a sum
        torch.autograd.backward(self.scaler.scale(whole))
        if self.options.clip_norm is not None:
            self.scaler.unscale_(self.optimizer)
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.options.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return mean

    def _loss(self, x: Tensor, y: Tensor) -> tuple[Tensor, ModelError | None]:
        """Return the loss, NaN with what was wrong where the network could not be run."""
        dtype = {"none": None, "bf16": torch.bfloat16, "fp16": torch.float16}[self.options.amp]
        try:
            with torch.autocast(self.group.device.type, dtype, enabled=dtype is not None):
                return self.loss(self._trained, arranged(self.model, x), y), None
        except ModelError as error:
            return torch.tensor(torch.nan, device=self.group.device), error

    def _samples(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        """Return samples and targets at the indices ``chosen``, changed at random as the recipe says."""
        (x,) = self.loader.read([Job("train", chosen.numpy(), *self._seeds(1))])
        return self._changed(x, self.y[chosen])

    def _changed(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return samples and targets on the device, changed at random as the recipe says."""
        options, data, device = self.options, self.data, self.group.device
        x, y, shape = x.to(device, non_blocking=True), y.to(device), x.shape
        if data.image_shape is not None:
            _, *size = data.image_shape
            images = x.reshape(len(x), -1, *size)  # frames of one sample are channels: changed alike
            x = augment(images, options, self.generator, (data.minimum, data.maximum))
        if self._mixes:
            x, y = mix(x, y, data.classes, options, self.generator)
        return x.reshape(shape), y

    @property
    def _mixes(self) -> bool:
        last = self.options.mix_off_epoch
        return bool(self.options.mixup or self.options.cutmix) and (last is None or self.finished < last)

    def _see(self, chosen: Tensor) -> str | None:
        """Let neurons set what they take from their first batch; return what was wrong, if anything."""
        norms = [layer for layer in self.model.modules() if isinstance(layer, nn.BatchNorm)]
        before = [{key: value.clone() for key, value in norm.state_dict().items()} for norm in norms]
        x, y = self._samples(chosen)
        self.model.train()
        with torch.no_grad(), self._quantization(0):
            _, problem = self._loss(x, y)
        for norm, state in zip(norms, before, strict=True):
            norm.load_state_dict(state)
        return None if problem is None else str(problem)

    def _quantization(self, epoch: int) -> AbstractContextManager[object]:
        options = self.options
        if options.weight_bits is None or epoch < options.quantize_after * options.epochs:
            return nullcontext()
        return fake_quantized(self.model, options.weight_bits, leak_terms=options.leak_terms)

    def _shared_statistics(self) -> AbstractContextManager[None]:
        wanted = self.options.sync_batch_norm and self.group.size > 1 and self.group.device.type == "cuda"
        return shared_batch_norm(self.model) if wanted else nullcontext()

    def _note(self, epoch: int, loss: float, rate: float) -> None:
        """Measure the held-out data after ``epoch`` and log what happened in it."""
        values = {"loss": loss, "learning_rate": rate}
        if len(self.held_out):
            self.model.eval()
            with self._quantization(epoch):
                accuracy = self._measured("train", self.y, self.held_out)
            self.best.note(epoch, accuracy, self.model)
            values["accuracy/validation"] = accuracy
        self.log.scalars(self.finished, values)
        self.log.neurons(self.finished, self.model)

    def _on_test(self) -> float:
        y = torch.from_numpy(self.data.test_y)
        return self._measured("test", y, torch.arange(len(y)))

    def _measured(self, part: Part, y: Tensor, chosen: Tensor) -> float:
        """Return the accuracy on the samples at the indices ``chosen``, which the processes share."""
        batches = [rows for rows in torch.split(self.group.share(chosen), _MEASURED) if len(rows)]
        samples = self.loader.read([Job(part, rows.numpy()) for rows in batches])
        labelled = ((x, y[rows]) for x, rows in zip(samples, batches, strict=True))
        return int(self.group.total(count_hits(self.model, labelled))) / len(chosen)


def _diverged(epoch: int, why: object, rate: float) -> InputError:
    return InputError(
        f"Training diverged in epoch {epoch} ({why}); lower training.learning_rate, which is {rate!r}"
    )


def _digest(recipe: Recipe, data: Dataset, start: torch.nn.Module | None) -> str:
    """Return the fingerprint of all that the result depends on."""
    table = recipe.to_dict()
    training = table["training"]
    assert isinstance(training, dict)
    for key in ("log_dir", "num_workers"):
        training.pop(key, None)
    sizes = [list(data.train_x.shape), list(data.test_x.shape), int(data.train_y.sum())]
    if isinstance(data.train_x, np.ndarray):
        sizes.append(float(data.train_x.sum(dtype=np.float64)))
    state = {} if start is None else start.state_dict()
    tensors = [[key, float(value.double().sum())] for key, value in sorted(state.items())]
    return fingerprint({"recipe": table, "data": sizes, "start": tensors})

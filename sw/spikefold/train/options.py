"""What a recipe can say: the checked tables ``[data]``, ``[model]`` and ``[training]``."""

import dataclasses
import math
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spikefold.errors import InputError
from spikefold.ir.network import MAX_STEPS
from spikefold.nn import checks
from spikefold.nn.models import NEURONS
from spikefold.train.networks import COMMON, KINDS

_LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class DataOptions:
    """Table ``[data]``: what to train on.

    ``name`` as for ``spikefold.train.load_data``; ``seed`` fixes the split into training and test data
    where the set brings none of its own. ``steps`` is the number of frames that recordings of events are cut
    into, ``split`` how: "number" for frames of equally many events, "time" for frames of equal length.
    ``size`` is the pixels a side after pooling events or resizing images.
    """

    name: str
    seed: int = 0
    steps: int | None = None
    size: int | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        checks.integer("Recipe data.seed", self.seed, 0, _LARGEST_SEED)
        for key, most in (("steps", MAX_STEPS), ("size", None)):
            if getattr(self, key) is not None:
                checks.integer(f"Recipe data.{key}", getattr(self, key), 1, most)
        if self.split is not None:
            checks.choice("Recipe data.split", self.split, ("number", "time"))

    def located(self, folder: Path) -> "DataOptions":
        """Return the same with a path in ``name`` made absolute; relative ones begin at ``folder``."""
        kind, _, path = self.name.partition(":")
        return replace(self, name=f"{kind}:{Path(os.path.abspath(folder / path))}") if path else self

    def keywords(self) -> dict[str, Any]:
        """Return the keyword arguments of ``load_data``; those left at None are left to it."""
        values = {key: getattr(self, key) for key in ("seed", "steps", "size", "split")}
        return {key: value for key, value in values.items() if value is not None}


@dataclass(frozen=True)
class ModelOptions:
    """Table ``[model]``: a network of ``spikefold.train.networks.KINDS``.

    ``kind`` names it and so decides which of the other keys there are; keys left at None are left to the
    network. For all: ``neuron`` kind, ``levels`` D (None: the neuron's default), ``steps`` T, ``leak``
    (ReverB: 0.25, else 0.5), ``rectify`` lambda of Eq. 13 (None: the neuron's default), ``input_levels``
    D_in, ``dropout``, ``neuron_options``, a table of more arguments of the neuron, and ``binary``, how
    weights are one bit.
    """

    kind: str = "mlp"
    hidden: tuple[int, ...] | None = None
    channels: tuple[int, ...] | None = None
    blocks: tuple[int, ...] | None = None
    widths: tuple[int, ...] | None = None
    width: int | None = None
    kernel: int | None = None
    pool: str | None = None
    head: str | None = None
    norm: bool | None = None
    tie: bool | None = None
    stem: str | None = None
    mean: float | tuple[float, ...] | None = None
    std: float | tuple[float, ...] | None = None
    neuron: str = "pit"
    levels: int | None = None
    steps: int = 1
    leak: float | None = None
    rectify: float | None = None
    input_levels: int = 16
    dropout: float = 0.0
    neuron_options: dict = field(default_factory=dict)  # type: ignore[type-arg]  # as recipe.py reads it
    binary: str | None = None

    def __post_init__(self) -> None:
        """Check every range."""
        checks.choice("Recipe model.kind", self.kind, tuple(KINDS))
        for key in self._own():
            if key not in KINDS[self.kind].keys:
                known = ", ".join(model_keys(self.kind))
                raise InputError(
                    f"Recipe key 'model.{key}' is unknown for the kind {self.kind!r}; known keys: {known}"
                )
        for key in KINDS[self.kind].required:
            if getattr(self, key) is None:
                raise InputError(f"Recipe must have the key 'model.{key}'")
        for key in ("hidden", "channels", "blocks", "widths"):
            for size in getattr(self, key) or ():
                checks.integer(f"Recipe model.{key} size", size, 1)
        checks.choice("Recipe model.neuron", self.neuron, NEURONS)
        if self.levels is not None:
            checks.integer("Recipe model.levels (D)", self.levels, 1, 255)
        checks.integer("Recipe model.steps (T)", self.steps, 1, MAX_STEPS)
        if self.leak is None:
            object.__setattr__(self, "leak", 0.25 if self.neuron == "reverb" else 0.5)
        checks.number("Recipe model.leak", self.leak, 0, 1)
        checks.integer("Recipe model.input_levels", self.input_levels, 1, 255)
        checks.number("Recipe model.dropout", self.dropout, 0, 0.95)
        if self.binary is not None:
            checks.choice("Recipe model.binary", self.binary, ("none", "plain", "learnable"))

    def keywords(self) -> dict[str, Any]:
        """Return the keyword arguments of the network's builder."""
        given = self._own() | {key: getattr(self, key) for key in COMMON}
        for key, unset in (("neuron_options", {}), ("binary", None)):
            if given[key] == unset:
                del given[key]
        return given

    def _own(self) -> dict[str, Any]:
        """Return the keys that not every kind has and that are not None."""
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return {
            key: value
            for key, value in values.items()
            if key != "kind" and key not in COMMON and value is not None
        }


def model_keys(kind: Any) -> tuple[str, ...]:
    """Return the keys of the table ``[model]`` for a network, all of them if there is no such network."""
    if isinstance(kind, str) and kind in KINDS:
        return ("kind", *KINDS[kind].keys, *COMMON)
    return tuple(item.name for item in dataclasses.fields(ModelOptions))


@dataclass(frozen=True)
class TrainingOptions:
    """Table ``[training]``: how to train.

    Optimizer: ``optimizer`` "adamw", or "sgd" with ``momentum`` (0.9 by default) and ``nesterov``;
    ``clip_norm`` is the largest norm of all gradients together. ``schedule`` "cosine" falls to 0, "constant"
    stays at ``learning_rate``, both after a linear rise over the fraction ``warmup`` of the run or over
    ``warmup_epochs``.

    Loss: "cross_entropy" of the mean logits, or "tet" (Deng et al., 2022): the mean cross-entropy of every
    step's logits times ``1 - tet_lambda`` (0.001 by default) plus ``tet_lambda`` times their mean squared
    distance from ``tet_target`` (1 by default). ``label_smoothing`` as in cross-entropy.

    Augmentation: ``shift`` moves images at random by up to that many pixels, which is the random crop of
    images padded by as many; ``flip`` mirrors one in two left to right; ``random_resized_crop`` reads random
    parts of image files; ``autoaugment`` names a policy ("cifar10", "imagenet", "svhn"); ``cutout`` is the
    side of a square that is blanked. ``mixup`` and ``cutmix`` are the alpha of their Beta distribution, 0 for
    off; with both each batch takes one at random; ``mix_off_epoch`` is the number of epochs that mix.

    Quantization: with ``weight_bits`` the epochs after the fraction ``quantize_after`` run with
    fake-quantized folded weights, and leaks of ``leak_terms`` shifts.

    ``validation`` is the share of the training data that is held out. With ``patience`` a run stops after so
    many epochs without a better accuracy on it, with ``keep_best`` it ends with its best weights; both look
    only at epochs with rounded weights where ``weight_bits`` is given.

    Machine: ``device`` "auto", "cpu" or "cuda"; ``threads`` of the CPU; ``num_workers`` processes that read
    samples ahead of need (by default two for samples in files, none for those in memory); ``amp`` "none",
    "bf16" or "fp16" (CUDA only); ``sync_batch_norm`` shares batch statistics between GPUs; ``log_dir`` is a
    folder for TensorBoard. ``seed`` fixes initial weights, order and augmentation.
    """

    epochs: int = 50
    batch_size: int = 128
    learning_rate: float = 0.004
    weight_decay: float = 0.01
    label_smoothing: float = 0.0
    seed: int = 0
    shift: int = 0
    flip: bool = False
    weight_bits: int | None = None
    quantize_after: float = 0.6
    leak_terms: int = 3
    optimizer: str = "adamw"
    momentum: float | None = None
    nesterov: bool = False
    clip_norm: float | None = None
    schedule: str = "cosine"
    warmup: float | None = None
    warmup_epochs: int | None = None
    loss: str = "cross_entropy"
    tet_lambda: float | None = None
    tet_target: float | None = None
    random_resized_crop: bool = False
    autoaugment: str | None = None
    cutout: int = 0
    mixup: float = 0.0
    cutmix: float = 0.0
    mix_off_epoch: int | None = None
    validation: float = 0.0
    patience: int | None = None
    keep_best: bool = False
    device: str = "auto"
    threads: int = 1
    num_workers: int | None = None
    amp: str = "none"
    sync_batch_norm: bool = False
    log_dir: str | None = None

    def __post_init__(self) -> None:
        """Check every range, and that no key is without effect."""
        for key, check, *bounds in _RANGES:
            if getattr(self, key) is not None:
                check(f"Recipe training.{key}", getattr(self, key), *bounds)
        for key, rule, holds in _RULES:
            value = getattr(self, key)
            if value is not None and value is not False and not holds(self):
                raise InputError(f"Recipe training.{key} {rule}, not {value!r}")

    @property
    def warmup_share(self) -> float:
        """The fraction of the run in which the learning rate rises."""
        if self.warmup_epochs is not None:
            return self.warmup_epochs / self.epochs
        return 0.1 if self.warmup is None else self.warmup

    @property
    def validated_epochs(self) -> range:
        """The epochs that ``patience`` and ``keep_best`` look at."""
        first = 0 if self.weight_bits is None else math.ceil(self.quantize_after * self.epochs)
        return range(first, self.epochs)


_RANGES = (
    ("epochs", checks.integer, 1),
    ("batch_size", checks.integer, 2),
    ("learning_rate", checks.positive),
    ("weight_decay", checks.number, 0),
    ("label_smoothing", checks.number, 0, 0.9),
    ("seed", checks.integer, 0, _LARGEST_SEED),
    ("shift", checks.integer, 0, 64),
    ("weight_bits", checks.integer, 2, 8),
    ("quantize_after", checks.number, 0, 1),
    ("leak_terms", checks.integer, 1, 8),
    ("optimizer", checks.choice, ("adamw", "sgd")),
    ("momentum", checks.number, 0, 0.999),
    ("clip_norm", checks.positive),
    ("schedule", checks.choice, ("cosine", "constant")),
    ("warmup", checks.number, 0, 0.9),
    ("warmup_epochs", checks.integer, 0),
    ("loss", checks.choice, ("cross_entropy", "tet")),
    ("tet_lambda", checks.number, 0, 1),
    ("tet_target", checks.number),
    ("autoaugment", checks.choice, ("cifar10", "imagenet", "svhn")),
    ("cutout", checks.integer, 0),
    ("mixup", checks.number, 0),
    ("cutmix", checks.number, 0),
    ("mix_off_epoch", checks.integer, 0),
    ("validation", checks.number, 0, 0.5),
    ("patience", checks.integer, 1),
    ("device", checks.choice, ("auto", "cpu", "cuda")),
    ("threads", checks.integer, 1, 1024),
    ("num_workers", checks.integer, 0, 256),
    ("amp", checks.choice, ("none", "bf16", "fp16")),
)
_RULES = (
    ("momentum", "must be left out unless the optimizer is 'sgd'", lambda o: o.optimizer == "sgd"),
    ("nesterov", "must be false unless the optimizer is 'sgd'", lambda o: o.optimizer == "sgd"),
    ("nesterov", "must be false where training.momentum is 0", lambda o: o.momentum != 0),
    ("warmup", "must be left out where training.warmup_epochs is given", lambda o: o.warmup_epochs is None),
    ("warmup_epochs", "must be less than training.epochs", lambda o: o.warmup_epochs < o.epochs),
    ("tet_lambda", "must be left out unless the loss is 'tet'", lambda o: o.loss == "tet"),
    ("tet_target", "must be left out unless the loss is 'tet'", lambda o: o.loss == "tet"),
    ("mix_off_epoch", "must be left out without training.mixup and cutmix", lambda o: o.mixup or o.cutmix),
    ("patience", "must be left out without training.validation", lambda o: o.validation),
    ("keep_best", "must be false without training.validation", lambda o: o.validation),
    ("amp", "must not be 'fp16' on the CPU; use 'bf16'", lambda o: (o.amp, o.device) != ("fp16", "cpu")),
)

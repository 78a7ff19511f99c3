"""The networks a recipe can name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spikefold import limits, nn
from spikefold.errors import InputError
from spikefold.nn import models
from spikefold.train.data import Dataset

COMMON = (
    *("neuron", "levels", "steps", "leak", "rectify", "input_levels", "dropout"),
    *("neuron_options", "binary"),
)


@dataclass(frozen=True)
class Kind:
    """A builder, the ``keys`` it takes beside those in ``COMMON``, and which of them are ``required``.

    ``images``: samples must be (channels, height, width).
    """

    build: Callable[..., nn.Sequential]
    keys: tuple[str, ...]
    required: tuple[str, ...] = ()
    images: bool = True


_IMAGES = ("mean", "std")
_FREE = ("blocks", "widths", "width")
KINDS = {
    "mlp": Kind(models.mlp, ("hidden",), required=("hidden",), images=False),
    "cnn": Kind(models.cnn, ("channels", "kernel", "pool", "head", *_IMAGES)),
    "lenet": Kind(models.lenet, ("width", "pool", "norm", *_IMAGES)),
    "vgg11": Kind(models.vgg11, ("width", "pool", "head", *_IMAGES)),
    "preact_resnet": Kind(models.preact_resnet, (*_FREE, *_IMAGES)),
    "preact_resnet18": Kind(models.preact_resnet18, ("widths", "width", *_IMAGES)),
    "preact_resnet34": Kind(models.preact_resnet34, ("widths", "width", *_IMAGES)),
    "resnet19": Kind(models.resnet19, ("width", *_IMAGES)),
    "resnet20": Kind(models.resnet20, ("width", *_IMAGES)),
    "sew_resnet": Kind(models.sew_resnet, (*_FREE, "tie", "stem", *_IMAGES)),
    "sew_resnet18": Kind(models.sew_resnet18, ("widths", "width", "tie", "stem", *_IMAGES)),
    "sew_resnet34": Kind(models.sew_resnet34, ("widths", "width", "tie", "stem", *_IMAGES)),
}


def build_network(kind: str, keywords: dict[str, Any], data: Dataset) -> nn.Sequential:
    """Return the untrained network ``kind`` for the samples, range and classes of ``data``.

    Where samples are frames it reads one per time step, and T is their number.

    Raises
    ------
    InputError
        If the network needs images and the samples are none, or its steps are not those of the data.
    ModelError
        On a parameter out of range, if the images are too small for the network, or it needs more memory than
        `spikefold.limits` allows.
    """
    shape, options = data.feature_shape, dict(keywords)
    if data.steps is not None:
        if options.get("steps", 1) not in (1, data.steps):
            raise InputError(
                f"Recipe model.steps (T) must be {data.steps}, one per frame of {data.name!r}, "
                f"not {options['steps']!r}; leave it out"
            )
        options |= {"static": False, "steps": data.steps}
    if KINDS[kind].images and len(shape) != 3:
        raise InputError(
            f"Recipe model.kind must be 'mlp' for {data.name!r}, whose samples have the shape {shape}, "
            f"not {kind!r}, which needs (channels, height, width)"
        )
    with limits.building("Network of the recipe"):
        return KINDS[kind].build(
            shape, classes=data.classes, minimum=data.minimum, maximum=data.maximum, **options
        )

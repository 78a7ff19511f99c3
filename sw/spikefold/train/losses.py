"""What training minimises."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, mse_loss

from spikefold import nn
from spikefold.errors import ModelError
from spikefold.train.options import TrainingOptions

Loss = Callable[[torch.nn.Module, Tensor, Tensor], Tensor]


def make_loss(options: TrainingOptions) -> Loss:
    """Return the function of model, input and target that gives the loss, a scalar.

    Targets are classes [B] or, where samples are mixed, probabilities [B, classes].
    """
    smoothing = options.label_smoothing
    if options.loss == "cross_entropy":
        return lambda model, x, y: cross_entropy(model(x).float(), y, label_smoothing=smoothing)
    share = 0.001 if options.tet_lambda is None else options.tet_lambda
    level = 1.0 if options.tet_target is None else options.tet_target
    return lambda model, x, y: tet(step_logits(model, x).float(), y, share, level, smoothing)


def tet(logits: Tensor, target: Tensor, share: float, level: float, label_smoothing: float = 0.0) -> Tensor:
    """Return the loss of temporal efficient training for ``logits`` [T, B, classes] (Deng et al., 2022).

    ``(1 - share)`` times the mean over steps of the cross-entropy, plus ``share`` times the mean squared
    distance of all logits from ``level``.
    """
    repeated = target.repeat(len(logits), *(1,) * (target.dim() - 1))
    entropy = cross_entropy(logits.flatten(0, 1), repeated, label_smoothing=label_smoothing)
    return (1 - share) * entropy + share * mse_loss(logits, torch.full_like(logits, level))


def step_logits(model: torch.nn.Module, x: Tensor) -> Tensor:
    """Run ``model`` on ``x`` and return what its readout reads, the logits of every step [T, B, classes].

    Raises
    ------
    ModelError
        If the model has not exactly one ``nn.Readout``.
    """
    readouts = [layer for layer in model.modules() if isinstance(layer, nn.Readout)]
    if len(readouts) != 1:
        raise ModelError(f"Model must have one Readout for the loss 'tet', not {len(readouts)}")
    read: list[Tensor] = []
    handle = readouts[0].register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    try:
        model(x)
    finally:
        handle.remove()
    return read[0]

"""Optimizers and the learning rate over a run."""

import math
from typing import Any

import torch

from spikefold import nn
from spikefold.train.options import TrainingOptions


def make_optimizer(model: torch.nn.Module, options: TrainingOptions) -> torch.optim.Optimizer:
    """Return the optimizer of ``options`` for all parameters of ``model``."""
    groups = parameter_groups(model, options.weight_decay)
    if options.optimizer == "adamw":
        return torch.optim.AdamW(groups)
    momentum = 0.9 if options.momentum is None else options.momentum
    return torch.optim.SGD(groups, lr=options.learning_rate, momentum=momentum, nesterov=options.nesterov)


def parameter_groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay the synapses' weights only: biases, batch norm and scales have no reason to be small."""
    decayed = [layer.weight for layer in model.modules() if isinstance(layer, nn.Dense | nn.Conv2d)]
    chosen = {id(weight) for weight in decayed}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in chosen]
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]


def learning_rate(options: TrainingOptions, done: float) -> float:
    """Return the rate for the fraction ``done`` of the run: a linear rise, then the schedule."""
    warm_up = options.warmup_share
    rise = min(1.0, (done + 1e-3) / warm_up) if warm_up else 1.0
    if options.schedule == "constant":
        return options.learning_rate * rise
    fall = 0.5 * (1 + math.cos(math.pi * max(0.0, done - warm_up) / (1 - warm_up)))
    return options.learning_rate * rise * fall

"""Layers without a window. Tensors carry a leading time axis: [T, B, features...]."""

import torch
from torch import Tensor

from spikefold.errors import InputError
from spikefold.limits import claim_tensor
from spikefold.nn import checks


class Dense(torch.nn.Linear):
    """Dense synapses: ``y = x W^T + b`` over the last axis of [T, B, in_features].

    ``weight`` is [out_features, in_features].
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        checks.integer("Dense in_features", in_features, 1)
        checks.integer("Dense out_features", out_features, 1)
        claim_tensor("Dense weight", (out_features, in_features))
        super().__init__(in_features, out_features, bias=bool(bias))


class BatchNorm(torch.nn.BatchNorm1d):
    """Batch norm of [T, B, channels] or [T, B, channels, H, W], one statistic per channel over all the rest.

    What is folded into the hardware are the running statistics used in eval mode.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        checks.integer("BatchNorm channels", channels, 1)
        claim_tensor("BatchNorm statistics", (4, channels))
        checks.positive("BatchNorm eps", eps)
        if momentum is not None:
            checks.number("BatchNorm momentum", momentum, 0, 1)
        super().__init__(channels, eps=eps, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised tensor, shape of ``x``."""
        if x.dim() not in (3, 5) or x.shape[2] != self.num_features:
            wanted = f"[time, batch, {self.num_features}], with or without height and width"
            raise InputError(f"BatchNorm input must have shape {wanted}, not {list(x.shape)}")
        samples = x.flatten(0, 1)
        return super().forward(samples if x.dim() == 3 else samples.flatten(2)).reshape(x.shape)


class Dropout(torch.nn.Dropout):
    """Dropout while training; nothing in eval mode and in hardware."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(checks.number("Dropout p", p, 0, 1))


class Flatten(torch.nn.Flatten):
    """Merge the feature axes: [T, B, ...] to [T, B, features]."""

    def __init__(self) -> None:
        super().__init__(start_dim=2)


class Add(torch.nn.Module):
    """Sum of two or more tensors of one shape."""

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return the sum, taken from left to right."""
        if len(tensors) < 2:
            raise InputError(f"Add must be given at least 2 tensors, not {len(tensors)}")
        total = tensors[0]
        for tensor in tensors[1:]:
            if tensor.shape != total.shape:
                raise InputError(
                    f"Add inputs must have one shape, not {list(total.shape)} and {list(tensor.shape)}"
                )
            total = total + tensor
        return total


class Readout(torch.nn.Module):
    """Mean of the logits over time: [T, B, classes] to [B, classes]. It emits no spikes."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean over axis 0."""
        return x.mean(dim=0)

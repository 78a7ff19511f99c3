"""Layers other than neurons. Tensors carry a leading time axis: [T, B, features...]."""

from collections.abc import Sequence

import torch
from torch import Tensor

from spikefold.errors import InputError, ModelError
from spikefold.nn import checks
from spikefold.nn.functional import encode_levels

Normalisation = float | Sequence | Tensor | None


class Input(torch.nn.Module):
    """Encode raw features as integer levels and emit their real values, [T, B, *shape].

    ``level = min(levels, max(0, floor((x - minimum) * levels / (maximum - minimum) + 1/2)))``; the emitted
    value is ``level * scale + shift``, where ``scale`` and ``shift`` undo the encoding and then apply the
    optional normalisation ``(value - mean) / std``. Training therefore sees exactly the hardware's levels.

    Parameters
    ----------
    shape : shape of one sample, without batch and time.
    levels : D_in, the largest level, 1..255.
    minimum, maximum : raw values of level 0 and level ``levels``; values outside saturate.
    mean, std : normalisation, a number or one per feature (shape ``shape``); None for none.
    steps : T.
    static : True repeats a sample [B, *shape] for T steps; False takes [T, B, *shape].

    Raises
    ------
    ModelError
        On a parameter out of range.
    InputError
        From ``encode`` and ``forward``, on a wrong shape or dtype, or on NaN or infinity.
    """

    def __init__(
        self,
        shape: Sequence[int] | int,
        levels: int = 16,
        minimum: float = 0.0,
        maximum: float = 1.0,
        mean: Normalisation = None,
        std: Normalisation = None,
        steps: int = 1,
        static: bool = True,
    ) -> None:
        super().__init__()
        self.shape = _shape(shape)
        self.levels = checks.integer("Input levels", levels, 1, 255)
        self.minimum = checks.number("Input minimum", minimum)
        self.maximum = checks.number("Input maximum", maximum)
        if not self.maximum > self.minimum:
            raise ModelError(f"Input maximum must exceed the minimum {self.minimum!r}, not {self.maximum!r}")
        self.mean = _per_feature("mean", mean, self.shape)
        self.std = _per_feature("std", std, self.shape)
        if self.std is not None and not bool((self.std > 0).all()):
            raise ModelError(f"Input std must be above 0, not {float(self.std.min())!r}")
        self.steps = checks.integer("Input steps (T)", steps, 1)
        if not isinstance(static, bool):
            raise ModelError(f"Input static must be True or False, not {static!r}")
        self.static = static
        self.register_buffer("_unit", torch.ones(()), persistent=False)  # follows the model's dtype, device

    @property
    def scale(self) -> Tensor:
        """Real value of one level, float64, scalar or of shape ``shape``."""
        one = torch.tensor((self.maximum - self.minimum) / self.levels, dtype=torch.float64)
        return one if self.std is None else one / self.std

    @property
    def shift(self) -> Tensor:
        """Real value of level 0, float64, scalar or of shape ``shape``."""
        zero = torch.tensor(self.minimum, dtype=torch.float64)
        zero = zero if self.mean is None else zero - self.mean
        return zero if self.std is None else zero / self.std

    def encode(self, x: Tensor) -> Tensor:
        """Return the levels 0..``levels`` of ``x`` as int64, same shape."""
        self._check(x)
        return encode_levels(x, self.levels, self.minimum, self.maximum)

    def forward(self, x: Tensor) -> Tensor:
        """Encode ``x`` and return the real values, [T, B, *shape], in the dtype of the model."""
        levels = self.encode(x).to(self._unit.dtype)
        value = levels * self.scale.to(self._unit) + self.shift.to(self._unit)
        return value.expand(self.steps, *value.shape) if self.static else value

    def extra_repr(self) -> str:
        """Show the parameters in the module's printed form."""
        span = f"{self.minimum:g}..{self.maximum:g}"
        return f"{self.shape}, levels={self.levels}, range={span}, steps={self.steps}"

    def _check(self, x: Tensor) -> None:
        if not isinstance(x, Tensor) or x.is_complex() or x.dtype == torch.bool:
            kind = x.dtype if isinstance(x, Tensor) else type(x).__name__
            raise InputError(f"Input must be a real-valued torch tensor, not {kind}")
        lead = () if self.static else (self.steps,)
        shape = tuple(x.shape)
        fits = len(shape) == len(lead) + 1 + len(self.shape)
        if not fits or shape[: len(lead)] != lead or shape[len(lead) + 1 :] != self.shape:
            wanted = ", ".join(map(str, (*lead, "batch", *self.shape)))
            raise InputError(f"Input must have shape [{wanted}], not {list(shape)}")
        if x.is_floating_point() and not bool(torch.isfinite(x).all()):
            raise InputError("Input must be finite, but it holds NaN or infinity; clean the data first")


class Dense(torch.nn.Linear):
    """Dense synapses: ``y = x W^T + b`` over the last axis of [T, B, in_features].

    ``weight`` is [out_features, in_features]; a weight with a leading time axis, as fake quantization
    makes it where the source's scale changes from step to step, is applied step by step.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        checks.integer("Dense in_features", in_features, 1)
        checks.integer("Dense out_features", out_features, 1)
        super().__init__(in_features, out_features, bias=bool(bias))

    def forward(self, x: Tensor) -> Tensor:
        """Return the currents, [T, B, out_features]."""
        weight = self.weight
        if weight.dim() == 2:
            return torch.nn.functional.linear(x, weight, self.bias)
        y = x @ weight.transpose(1, 2)
        return y if self.bias is None else y + self.bias


class BatchNorm(torch.nn.BatchNorm1d):
    """Batch norm of [T, B, channels] with statistics over time and batch together.

    What is folded into the hardware are the running statistics used in eval mode.
    """

    def __init__(self, channels: int, eps: float = 1e-5, momentum: float | None = 0.1) -> None:
        checks.integer("BatchNorm channels", channels, 1)
        checks.positive("BatchNorm eps", eps)
        if momentum is not None:
            checks.number("BatchNorm momentum", momentum, 0, 1)
        super().__init__(channels, eps=eps, momentum=momentum)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised tensor, shape of ``x``."""
        if x.dim() != 3 or x.shape[2] != self.num_features:
            raise InputError(
                f"BatchNorm input must have shape [time, batch, {self.num_features}], not {list(x.shape)}"
            )
        return super().forward(x.flatten(0, 1)).unflatten(0, x.shape[:2])


class Dropout(torch.nn.Dropout):
    """Dropout while training; nothing in eval mode and in hardware."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(checks.number("Dropout p", p, 0, 1))


class Flatten(torch.nn.Flatten):
    """Merge the feature axes: [T, B, ...] to [T, B, features]."""

    def __init__(self) -> None:
        super().__init__(start_dim=2)


class Readout(torch.nn.Module):
    """Mean of the logits over time: [T, B, classes] to [B, classes]. It emits no spikes."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean over axis 0."""
        return x.mean(dim=0)


class Sequential(torch.nn.Sequential):
    """A chain of layers, called in order; as ``torch.nn.Sequential``."""


def _shape(shape: Sequence[int] | int) -> tuple[int, ...]:
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if not sizes:
        raise ModelError("Input shape must have at least one axis, not ()")
    return tuple(checks.integer("Input shape axis", size, 1) for size in sizes)


def _per_feature(name: str, value: Normalisation, shape: tuple[int, ...]) -> Tensor | None:
    """Return ``value`` as a float64 scalar or tensor of ``shape``; None stays None."""
    if value is None:
        return None
    try:
        tensor = torch.as_tensor(value, dtype=torch.float64).clone()
    except (TypeError, ValueError) as error:
        raise ModelError(f"Input {name} must be a number or one number per feature: {error}") from error
    if tensor.dim() and tuple(tensor.shape) != shape:
        raise ModelError(f"Input {name} must be a number or have shape {shape}, not {tuple(tensor.shape)}")
    if not bool(torch.isfinite(tensor).all()):
        raise ModelError(f"Input {name} must be finite, but it holds NaN or infinity")
    return tensor

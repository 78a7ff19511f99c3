"""Binary synapses: one bit per weight and, if wanted, a learned amplitude alpha (ReverB-SNN).

Equation numbers refer to "ReverB-SNN: Reversing Bit of the Weight and Activation for Spiking Neural
Networks" (ICML 2025).
"""

import math
from typing import Any

import torch
from torch import Tensor

from spikefold.errors import ModelError
from spikefold.nn import checks
from spikefold.nn.convolution import Conv2d
from spikefold.nn.functional import from_log
from spikefold.nn.layers import Dense
from spikefold.nn.maps import Size, check_maps, check_window, steps_apart

ALPHAS = ("none", "output", "input", "layer")


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        one = torch.ones((), dtype=weight.dtype, device=weight.device)
        return torch.where(weight >= 0, one, -one)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        weight: Tensor = ctx.saved_tensors[0]
        return grad * (weight.abs() <= 1)


def binarize(weight: Tensor) -> Tensor:
    """Return +1 where ``weight >= 0`` and -1 elsewhere (Eq. 5), shape and dtype of ``weight``.

    The gradient passes unchanged where ``-1 <= weight <= 1`` and is 0 outside (Eq. 10).
    """
    sign: Tensor = _Sign.apply(weight)  # type: ignore[no-untyped-call]  # torch's, without types
    return sign


def over_inputs(layer: torch.nn.Module, values: Tensor) -> Tensor:
    """Shape one value per input channel, [in], to broadcast against the weight of a dense layer or Conv2d."""
    if not isinstance(layer, Conv2d):
        return values
    groups = layer.groups
    rows = values.reshape(groups, -1).repeat_interleave(layer.out_channels // groups, dim=0)
    return rows[:, :, None, None]


class BinarySynapses(torch.nn.Module):
    """What binary layers share: the sign of a latent ``weight`` times ``alpha``, for layers to inherit.

    ``weight`` is the latent real weight that is trained; it has no effect but its sign. It starts as torch
    has it, uniform within ``1 / sqrt(fan_in)`` of 0, so inside -1..1 where the gradient of Eq. 10 is alive.

    A learned alpha (Eq. 12-15) is ``exp(log_alpha)``, positive by construction, and one per output channel
    ("output"), per input channel ("input") or per layer ("layer"). It starts at ``sqrt(2 / fan_in)``, which
    gives the weights the variance of Kaiming's initialisation. With "none" the weights are +1 and -1, and
    currents are about ``sqrt(fan_in)`` times as large as the emitted values: follow with a batch norm.
    """

    alpha_mode: str
    log_alpha: torch.nn.Parameter | None
    weight: Tensor

    @property
    def alpha(self) -> Tensor:
        """The amplitude: [out] for "output", [in] for "input", else [1]; a 1 for "none".

        Raises ModelError unless it is finite and above 0.
        """
        if self.log_alpha is None:
            return self.weight.new_ones(1)
        alpha = from_log(self.log_alpha)
        bad = ~(torch.isfinite(alpha) & (alpha > 0)).detach()
        if bool(bad.any()):
            raise ModelError(
                f"{type(self).__name__} alpha must be finite and above 0, not {alpha[bad][0].item()!r} "
                f"(channel {int(bad.nonzero()[0])}); train the model again or mend its file"
            )
        return alpha

    def effective_weight(self) -> Tensor:
        """Return what ``forward`` multiplies with, ``alpha * sign(weight)`` (Eq. 12), shape of ``weight``."""
        sign = binarize(self.weight)
        if self.alpha_mode == "none":
            return sign
        if self.alpha_mode == "input":
            return sign * over_inputs(self, self.alpha)
        return sign * self.alpha.reshape(-1, *(1,) * (sign.dim() - 1))

    def remove_alpha(self) -> None:
        """Make alpha "none"."""
        self.alpha_mode, self.log_alpha = "none", None

    def extra_repr(self) -> str:
        """Show the parameters in the module's printed form."""
        return f"{super().extra_repr()}, alpha={self.alpha_mode}"

    def _start_alpha(self, mode: str, inputs: int, outputs: int) -> None:
        """Create ``log_alpha`` for a layer with so many input and output channels."""
        self.alpha_mode = checks.choice(f"{type(self).__name__} alpha", mode, ALPHAS)
        if mode == "none":
            self.register_parameter("log_alpha", None)
            return
        count = {"output": outputs, "input": inputs, "layer": 1}[mode]
        start = math.log(2 / self.weight[0].numel()) / 2
        self.log_alpha = torch.nn.Parameter(torch.full((count,), start))


def effective_weight(layer: torch.nn.Linear | torch.nn.Conv2d) -> Tensor:
    """Return what a dense layer or convolution multiplies with: its weight, or of a binary layer the signs
    times alpha."""
    return layer.effective_weight() if isinstance(layer, BinarySynapses) else layer.weight


class BinaryDense(BinarySynapses, Dense):
    """Dense synapses of one bit: ``y = x (alpha sign(W))^T + b`` over the last axis of [T, B, in_features].

    ``weight`` and alpha as in ``BinarySynapses``; alpha "input" is one per input feature.

    Parameters
    ----------
    in_features, out_features : features in and out.
    bias : whether a bias per output feature is added.
    alpha : "none", "output", "input" or "layer".

    Raises
    ------
    ModelError
        On a parameter out of range.
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, alpha: str = "none") -> None:
        super().__init__(in_features, out_features, bias)
        self._start_alpha(alpha, in_features, out_features)

    def forward(self, x: Tensor) -> Tensor:
        """Return the currents, [T, B, out_features]."""
        return torch.nn.functional.linear(x, self.effective_weight(), self.bias)


class BinaryConv2d(BinarySynapses, Conv2d):
    """Convolution of every time step with weights of one bit: ``alpha sign(W)``.

    ``weight`` and alpha as in ``BinarySynapses``, everything else as in ``Conv2d``.

    Parameters
    ----------
    in_channels, out_channels, kernel, stride, padding, groups, bias : as in ``Conv2d``.
    alpha : "none", "output", "input" or "layer".

    Raises
    ------
    ModelError
        On a parameter out of range.
    InputError
        From ``forward``, on a wrong shape or a map smaller than the kernel.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Size,
        stride: Size = 1,
        padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        alpha: str = "none",
    ) -> None:
        super().__init__(in_channels, out_channels, kernel, stride, padding, groups, bias)
        self._start_alpha(alpha, in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the currents, [T, B, out_channels, H', W']."""
        check_maps("BinaryConv2d", x, self.in_channels)
        check_window("BinaryConv2d", x, self.kernel_size, self.padding)
        return steps_apart(self._convolve(x.flatten(0, 1), self.effective_weight()), x)

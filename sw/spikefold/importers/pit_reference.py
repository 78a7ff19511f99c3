"""The network of a published checkpoint of PIT, computed from its tensors in plain torch and float64."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from spikefold.importers.imported import OUTPUT
from spikefold.importers.pit_layout import Layout

_FLOOR, _EPSILON, _POOL = 1e-3, 1e-5, 4


class PreActResNet:
    """Real-valued input [T, B, channels, height, width] to what its neurons give, [T, B, ...], by name.

    Parameters
    ----------
    found
        The tensors.
    tau, gain
        Factors of the membrane and of the current.
    hard
        Whether a neuron that fired starts from 0, rather than from what its spike leaves.
    levels
        D.
    """

    def __init__(self, found: Layout, tau: float, gain: float, hard: bool, levels: int) -> None:
        self._found, self._tau, self._gain, self._hard, self._levels = found, tau, gain, hard, levels
        self._state = {name: value.double() for name, value in found.state.items()}

    def __call__(self, x: Tensor) -> Mapping[str, Tensor]:
        """Return what every layer of neurons gives, and under `OUTPUT` the logits [T, B, classes]."""
        given: dict[str, Tensor] = {}
        shape = x.shape[:2]
        y = functional.conv2d(x.double().flatten(0, 1), self._state["conv1.weight"], padding=1)
        for name, _, stride in self._found.each_block():
            y = self._block(name, y, stride, shape, given)
        given["relu1"] = self._fire("relu1", self._norm("bn1", y), shape)
        flat = functional.avg_pool2d(given["relu1"].flatten(0, 1), _POOL).flatten(1)
        logits = functional.linear(flat, self._state["linear.weight"], self._state["linear.bias"])
        return given | {OUTPUT: logits.unflatten(0, shape)}

    def _block(
        self, name: str, x: Tensor, stride: int, shape: torch.Size, given: dict[str, Tensor]
    ) -> Tensor:
        """A block: neurons first, currents added at its end."""
        first, second = f"{name}.relu1", f"{name}.relu2"
        given[first] = self._fire(first, self._norm(f"{name}.bn1", x), shape)
        spikes = given[first].flatten(0, 1)
        y = self._convolve(f"{name}.conv1", spikes, stride, 1)
        given[second] = self._fire(second, self._norm(f"{name}.bn2", y), shape)
        y = self._convolve(f"{name}.conv2", given[second].flatten(0, 1), 1, 1)
        if f"{name}.shortcut.weight" in self._state:
            return y + self._convolve(f"{name}.shortcut", spikes, stride, 0)
        return y + spikes

    def _convolve(self, name: str, x: Tensor, stride: int, padding: int) -> Tensor:
        weight, bias = self._state[f"{name}.weight"], self._state[f"{name}.bias"]
        return functional.conv2d(x, weight, bias, stride, padding)

    def _norm(self, name: str, x: Tensor) -> Tensor:
        mean, variance, weight, bias = (
            self._state[f"{name}.{one}"] for one in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(x, mean, variance, weight, bias, eps=_EPSILON)

    def _fire(self, name: str, x: Tensor, shape: torch.Size) -> Tensor:
        """Spikes [T, B, C, ..] of currents [T · B, C, ..]."""
        v, given = None, []
        for t, current in enumerate(x.unflatten(0, shape)):
            u = self._gain * current if v is None else self._tau * v + self._gain * current
            a = (self._state[f"{name}.alpha.{t}"] * self._state[f"{name}.p.{t}"]).clamp_min(_FLOOR)
            a = a.reshape(-1, *(1,) * (u.dim() - 2))
            spike = torch.round((u / a).clamp(0, self._levels)) * a
            v = torch.where(spike != 0, 0.0, u) if self._hard else u - spike
            given.append(spike)
        return torch.stack(given)

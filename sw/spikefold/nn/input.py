"""The input layer: raw features become integer levels, as the hardware sees them."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from spikefold.errors import InputError, ModelError
from spikefold.limits import claim_tensor
from spikefold.nn import checks
from spikefold.nn.functional import encode_levels

_BYTES_A_FEATURE = 32  # of a sample: as a feature, as a level and as a real value
Normalisation = float | Sequence[Any] | Tensor | None  # sequences of numbers, nested as the shape is


class Input(torch.nn.Module):
    """Encode raw features as integer levels and emit their real values, [T, B, *out_shape].

    ``level = min(levels, max(0, floor((x - minimum) * levels / (maximum - minimum) + 1/2)))``; the emitted
    value is ``level * scale + shift``, where ``scale`` and ``shift`` undo the encoding and then apply the
    optional normalisation ``(value - mean) / std``. Training therefore sees exactly the hardware's levels.

    With ``pad``, the levels of a map are framed by ``pad_levels``, those nearest the real value 0. That is
    how a zero-padded convolution of normalised pixels is expressed exactly: its padding must be levels too.

    Parameters
    ----------
    shape : shape of one sample, without batch and time.
    levels : D_in, the largest level, 1..255.
    minimum, maximum : raw values of level 0 and level ``levels``; values outside saturate.
    mean, std : normalisation, a number, one per feature (shape ``shape``) or, of a (C, H, W) sample, one
        per channel (shape (C,)); None for none.
    steps : T.
    static : True repeats a sample [B, *shape] for T steps; False takes [T, B, *shape].
    pad : positions added on each side of a (C, H, W) sample, a number or (rows, columns).

    Raises
    ------
    ModelError
        On a parameter out of range.
    InputError
        From ``encode`` and ``forward``, on a wrong shape or dtype, or on NaN or infinity.
    """

    _unit: Tensor

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
        pad: int | Sequence[int] = 0,
    ) -> None:
        super().__init__()
        self.shape = _shape(shape)
        self.levels = checks.integer("Input levels", levels, 1, 255)
        self.minimum = checks.number("Input minimum", minimum)
        self.maximum = checks.number("Input maximum", maximum)
        if not self.maximum > self.minimum:
            raise ModelError(f"Input maximum must exceed the minimum {self.minimum!r}, not {self.maximum!r}")
        self.mean = _normalisation("mean", mean, self.shape)
        self.std = _normalisation("std", std, self.shape)
        if self.std is not None and not bool((self.std > 0).all()):
            raise ModelError(f"Input std must be above 0, not {float(self.std.min())!r}")
        self.steps = checks.steps("Input", steps)
        if not isinstance(static, bool):
            raise ModelError(f"Input static must be True or False, not {static!r}")
        self.static = static
        self.pad = checks.pair("Input pad", pad, 0)
        self._check_pad()
        claim_tensor("Input sample", self.out_shape, item=_BYTES_A_FEATURE)
        self.register_buffer("_unit", torch.ones(()), persistent=False)  # follows the model's dtype, device

    @property
    def scale(self) -> Tensor:
        """Real value of one level, float64, broadcasting against ``out_shape``."""
        one = torch.tensor((self.maximum - self.minimum) / self.levels, dtype=torch.float64)
        return one if self.std is None else one / self._spread(self.std)

    @property
    def shift(self) -> Tensor:
        """Real value of level 0, float64, broadcasting against ``out_shape``."""
        zero = torch.tensor(self.minimum, dtype=torch.float64)
        zero = zero if self.mean is None else zero - self._spread(self.mean)
        return zero if self.std is None else zero / self._spread(self.std)

    @property
    def out_shape(self) -> tuple[int, ...]:
        """Shape of one emitted sample: ``shape`` with its padding."""
        if self.pad == (0, 0):
            return self.shape
        channels, height, width = self.shape
        return (channels, height + 2 * self.pad[0], width + 2 * self.pad[1])

    @property
    def pad_levels(self) -> tuple[int, ...]:
        """The level nearest the real value 0 in each channel; empty without padding."""
        if self.pad == (0, 0):
            return ()
        zero = torch.zeros((), dtype=torch.float64) if self.mean is None else self.mean
        return tuple(encode_levels(zero.expand(self.shape[0]), *self._range).tolist())

    def encode(self, x: Tensor) -> Tensor:
        """Return the levels 0..``levels`` of ``x`` as int64, ``x``'s leading axes and ``out_shape``."""
        self._check(x)
        levels = encode_levels(x, *self._range)
        if self.pad == (0, 0):
            return levels
        (rows, columns), (height, width) = self.pad, self.shape[1:]
        frame = torch.tensor(self.pad_levels, device=x.device)[:, None, None]
        padded = frame.expand(*levels.shape[:-3], *self.out_shape).clone()
        padded[..., rows : rows + height, columns : columns + width] = levels
        return padded

    def forward(self, x: Tensor) -> Tensor:
        """Encode ``x`` and return the real values, [T, B, *out_shape], in the dtype of the model."""
        levels = self.encode(x).to(self._unit.dtype)
        value = levels * self.scale.to(self._unit) + self.shift.to(self._unit)
        return value.expand(self.steps, *value.shape) if self.static else value

    def extra_repr(self) -> str:
        """Show the parameters in the module's printed form."""
        span = f"{self.minimum:g}..{self.maximum:g}"
        pad = "" if self.pad == (0, 0) else f", pad={self.pad}"
        return f"{self.shape}, levels={self.levels}, range={span}, steps={self.steps}{pad}"

    @property
    def _range(self) -> tuple[int, float, float]:
        return self.levels, self.minimum, self.maximum

    def _spread(self, value: Tensor) -> Tensor:
        """Shape a value per channel so that it broadcasts over the rows and columns of a map."""
        return value[:, None, None] if value.dim() == 1 and len(self.shape) == 3 else value

    def _check_pad(self) -> None:
        if self.pad == (0, 0):
            return
        if len(self.shape) != 3:
            raise ModelError(
                f"Input pad must be 0 unless the shape is (channels, height, width), not {self.pad} "
                f"with the shape {self.shape}"
            )
        for name, value in (("mean", self.mean), ("std", self.std)):
            if value is not None and value.dim() > 1:
                raise ModelError(
                    f"Input {name} must be a number or one per channel where the input is padded, "
                    f"not of shape {tuple(value.shape)}; the padding has no pixels of its own"
                )

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


def _shape(shape: Sequence[int] | int) -> tuple[int, ...]:
    sizes = (shape,) if isinstance(shape, int) else tuple(shape)
    if not sizes:
        raise ModelError("Input shape must have at least one axis, not ()")
    return tuple(checks.integer("Input shape axis", size, 1) for size in sizes)


def _normalisation(name: str, value: Normalisation, shape: tuple[int, ...]) -> Tensor | None:
    """Return ``value`` as a float64 scalar or tensor, per feature or channel; None stays None."""
    if value is None:
        return None
    try:
        tensor = torch.as_tensor(value, dtype=torch.float64).clone()
    except (TypeError, ValueError) as error:
        raise ModelError(f"Input {name} must be a number or one number per feature: {error}") from error
    allowed = [shape, shape[:1]] if len(shape) == 3 else [shape]
    if tensor.dim() and tuple(tensor.shape) not in allowed:
        rule = " or ".join(map(str, allowed))
        raise ModelError(f"Input {name} must be a number or have shape {rule}, not {tuple(tensor.shape)}")
    if not bool(torch.isfinite(tensor).all()):
        raise ModelError(f"Input {name} must be finite, but it holds NaN or infinity")
    return tensor

"""Convolutional synapses over [T, B, C, H, W]."""

import torch
from torch import Tensor

from spikefold.errors import ModelError
from spikefold.limits import claim_tensor
from spikefold.nn import checks
from spikefold.nn.maps import Pair, Size, check_maps, check_window, steps_apart


class Conv2d(torch.nn.Conv2d):
    """Convolution of every time step, [T, B, in_channels, H, W] to [T, B, out_channels, H', W'].

    ``weight`` is [out_channels, in_channels / groups, rows, columns].

    Parameters
    ----------
    in_channels, out_channels : feature maps in and out.
    kernel, stride, padding : a number, or (rows, columns); the padding is zeros.
    groups : every output channel sees ``in_channels / groups`` input channels; divides both.
    bias : whether a bias per output channel is added.
    dilation, padding_mode : torch's other settings; anything but 1 and "zeros" is refused.

    Raises
    ------
    ModelError
        On a parameter out of range.
    InputError
        From ``forward``, on a wrong shape or a map smaller than the kernel.
    """

    kernel_size: Pair
    stride: Pair
    padding: Pair

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: Size,
        stride: Size = 1,
        padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        *,
        dilation: Size = 1,
        padding_mode: str = "zeros",
    ) -> None:
        checks.integer("Conv2d in_channels", in_channels, 1)
        checks.integer("Conv2d out_channels", out_channels, 1)
        checks.integer("Conv2d groups", groups, 1)
        if in_channels % groups or out_channels % groups:
            raise ModelError(
                f"Conv2d groups must divide the channels ({in_channels} in, {out_channels} out), not {groups}"
            )
        checks.only("Conv2d dilation", checks.pair("Conv2d dilation", dilation, 1), (1, 1))
        checks.only("Conv2d padding_mode", padding_mode, "zeros")
        rows, columns = checks.pair("Conv2d kernel", kernel, 1)
        claim_tensor("Conv2d weight", (out_channels, in_channels // groups, rows, columns))
        super().__init__(
            in_channels,
            out_channels,
            (rows, columns),
            checks.pair("Conv2d stride", stride, 1),
            checks.pair("Conv2d padding", padding, 0),
            groups=groups,
            bias=bool(bias),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the currents, [T, B, out_channels, H', W']."""
        check_maps("Conv2d", x, self.in_channels)
        check_window("Conv2d", x, self.kernel_size, self.padding)
        return steps_apart(self._convolve(x.flatten(0, 1), self.weight), x)

    def _convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(x, weight, self.bias, self.stride, self.padding, 1, self.groups)

"""Pooling of feature maps, [T, B, C, H, W]."""

import torch
from torch import Tensor

from spikefold.errors import ModelError
from spikefold.nn import checks
from spikefold.nn.maps import Size, check_maps, check_window, steps_apart


class _Pool2d(torch.nn.Module):
    """A window that slides over every map: the arguments and checks that both poolings share."""

    def __init__(self, kernel: Size, stride: Size | None, padding: Size, ceil_mode: bool) -> None:
        super().__init__()
        name = type(self).__name__
        self.kernel_size = checks.pair(f"{name} kernel", kernel, 1)
        self.stride = self.kernel_size if stride is None else checks.pair(f"{name} stride", stride, 1)
        self.padding = checks.pair(f"{name} padding", padding, 0)
        if any(2 * pad > size for pad, size in zip(self.padding, self.kernel_size, strict=True)):
            raise ModelError(
                f"{name} padding must be at most half the kernel {self.kernel_size}, not {self.padding}"
            )
        checks.only(f"{name} ceil_mode", ceil_mode, False)

    def forward(self, x: Tensor) -> Tensor:
        """Pool every map: [T, B, C, H, W] to [T, B, C, H', W']."""
        name = type(self).__name__
        check_maps(name, x)
        check_window(name, x, self.kernel_size, self.padding)
        return steps_apart(self._pool(x.flatten(0, 1)), x)

    def extra_repr(self) -> str:
        """Show the parameters in the module's printed form."""
        return f"kernel={self.kernel_size}, stride={self.stride}, padding={self.padding}"

    def _pool(self, maps: Tensor) -> Tensor:
        """Pool [N, C, H, W]."""
        raise NotImplementedError


class AvgPool2d(_Pool2d):
    """Mean of each window; padding counts as zeros.

    Parameters
    ----------
    kernel, stride, padding : a number, or (rows, columns); the stride is the kernel by default, the padding
        at most half of it.
    ceil_mode, count_include_pad : torch's other settings; anything but False and True is refused.

    Raises
    ------
    ModelError
        On a parameter out of range.
    InputError
        From ``forward``, on a wrong shape or a map smaller than the kernel.
    """

    def __init__(
        self,
        kernel: Size,
        stride: Size | None = None,
        padding: Size = 0,
        *,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel, stride, padding, ceil_mode)
        reason = "; every window is divided by the same number of positions"
        checks.only("AvgPool2d count_include_pad", count_include_pad, True, reason)

    def _pool(self, maps: Tensor) -> Tensor:
        return torch.nn.functional.avg_pool2d(maps, self.kernel_size, self.stride, self.padding)


class MaxPool2d(_Pool2d):
    """Largest value of each window; padding is never the largest.

    Parameters
    ----------
    kernel, stride, padding : a number, or (rows, columns); the stride is the kernel by default, the padding
        at most half of it.
    ceil_mode, dilation : torch's other settings; anything but False and 1 is refused.

    Raises
    ------
    ModelError
        On a parameter out of range.
    InputError
        From ``forward``, on a wrong shape or a map smaller than the kernel.
    """

    def __init__(
        self,
        kernel: Size,
        stride: Size | None = None,
        padding: Size = 0,
        *,
        ceil_mode: bool = False,
        dilation: Size = 1,
    ) -> None:
        super().__init__(kernel, stride, padding, ceil_mode)
        checks.only("MaxPool2d dilation", checks.pair("MaxPool2d dilation", dilation, 1), (1, 1))

    def _pool(self, maps: Tensor) -> Tensor:
        return torch.nn.functional.max_pool2d(maps, self.kernel_size, self.stride, self.padding)


class GlobalAvgPool(torch.nn.Module):
    """Mean of every map: [T, B, C, H, W] to [T, B, C, 1, 1]."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean over rows and columns."""
        check_maps("GlobalAvgPool", x)
        return x.mean(dim=(3, 4), keepdim=True)

"""Samples that are made when they are asked for."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


class LazyArray:
    """An array-like, float32 [N, features...], whose samples are read anew at every indexing.

    ``x[index]`` takes what a NumPy array takes for its first axis (number, slice, numbers, mask) and returns
    a new array. Subclasses define ``read``.

    Parameters
    ----------
    count : N.
    sample_shape : shape of one sample.

    Attributes
    ----------
    from_files : whether ``read`` opens files, so that it pays to let other processes read ahead.
    """

    from_files = False
    dtype = np.dtype(np.float32)

    def __init__(self, count: int, sample_shape: tuple[int, ...]) -> None:
        self.shape = (count, *sample_shape)
        self.ndim = len(self.shape)

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the samples at ``rows`` [K], numbers from 0 to N - 1, as a new array [K, features...]."""
        raise NotImplementedError

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> NDArray[np.float32]:
        rows = np.arange(len(self))[index]
        return self.read(rows.reshape(-1)).reshape(rows.shape + self.shape[1:])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return self[:].astype(self.dtype if dtype is None else dtype, copy=False)

"""Numbers of NIR nodes, checked: arrays of the shape of the neurons become numbers per channel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.errors import ImportRefusal

Reals = NDArray[np.float64]
Shape = tuple[int, ...]
_SAME = 1e-6  # relative: parameters are often float32


def reals(name: str, field: str, value: Any, dimensions: int | None = None) -> NDArray[Any]:
    """An array of finite real numbers, in its own type if that is float32 or float64, else float64.

    Raises
    ------
    ImportRefusal
        If it is none, or has not so many dimensions.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        raise ImportRefusal(name, f"its {field} holds values that are no finite numbers", "finite numbers")
    if dimensions is not None and array.ndim != dimensions:
        raise ImportRefusal(
            name, f"its {field} has shape {list(array.shape)}", f"an array of {dimensions} dimensions"
        )
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def per_channel(name: str, field: str, value: Any, shape: Shape) -> Reals:
    """A parameter of neurons of this shape as one number for each channel.

    Raises
    ------
    ImportRefusal
        If it does not fit the shape, or differs between the positions of a channel.
    """
    array = reals(name, field, value).astype(np.float64)
    try:
        full = np.broadcast_to(array, shape).reshape(shape[0], -1)
    except ValueError:
        raise ImportRefusal(
            name,
            f"its {field} has shape {list(array.shape)} where its input has {list(shape)}",
            "one number, or one for each neuron",
        ) from None
    if not (full == full[:, :1]).all():
        raise ImportRefusal(
            name,
            f"its {field} differs between the positions of a channel",
            f"one {field} for each channel",
        )
    return np.ascontiguousarray(full[:, 0])


def alike(values: Reals) -> Reals:
    """Numbers of channels; the first for all where they differ by no more than float32 rounds."""
    return np.full_like(values, values[0]) if np.allclose(values, values[0], rtol=_SAME, atol=0) else values


def one(name: str, field: str, values: Reals) -> float:
    """The one number that all channels share.

    Raises
    ------
    ImportRefusal
        If they differ by more than float32 rounds.
    """
    first = float(values[0])
    if not np.allclose(values, first, rtol=_SAME, atol=0):
        raise ImportRefusal(
            name,
            f"its {field} differs between channels, from {values.min():.6g} to {values.max():.6g}",
            f"one {field} for all of its channels, or a layer for each",
        )
    return first


def whole(name: str, field: str, value: Any, low: int) -> int:
    """An integer of at least `low`."""
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "iuf" or array.item() != int(array.item()):
        raise ImportRefusal(name, f"its {field} is {value!r}", f"an integer of at least {low}")
    if (number := int(array.item())) < low:
        raise ImportRefusal(name, f"its {field} is {number}", f"an integer of at least {low}")
    return number


def pair(name: str, field: str, value: Any, low: int) -> tuple[int, int]:
    """An integer of at least `low`, or two of them (rows, columns), as the two."""
    array = np.asarray(value)
    if array.size not in (1, 2) or array.dtype.kind not in "iuf":
        raise ImportRefusal(name, f"its {field} is {value!r}", "an integer or two (rows, columns)")
    first, last = array.flatten()[[0, -1]]
    return whole(name, field, first, low), whole(name, field, last, low)

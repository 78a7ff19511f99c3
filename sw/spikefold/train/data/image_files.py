"""Image files as arrays: decoding, crops, and a folder of them that is read when indexed."""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import get_worker_info

from spikefold.errors import InputError, MissingToolError
from spikefold.limits import claim
from spikefold.train.data.lazy import LazyArray

if TYPE_CHECKING:
    from PIL.Image import Image

Crop = Callable[["Image", int], "Image"]
_TRIES = 10  # random windows, before the largest in the middle is taken
_BROKEN = (OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError, OverflowError)
_BYTES_A_PIXEL = 8  # decoded, and once more in red, green and blue
_SCALE = (0.08, 1.0)  # share of the image's area
_LOG_RATIO = (math.log(3 / 4), math.log(4 / 3))  # of width to height
_THREADS = min(16, os.cpu_count() or 1)


def require_pillow() -> None:
    """Raise MissingToolError unless Pillow is installed."""
    try:
        import PIL  # noqa: F401
    except ImportError as error:
        raise MissingToolError(
            "Image files need the package Pillow; install it with: pip install 'spikefold[images]'"
        ) from error


class ImageFiles(LazyArray):
    """Image files as float32 [N, 3, size, size] from 0 to 1, decoded by several threads at every indexing.

    Indexing takes the middle: the shorter side is resized to ``size * 256 / 224`` pixels and a square cut
    out. ``random`` takes random parts.

    Parameters
    ----------
    paths : N image files that Pillow can read.
    size : pixels a side.

    Raises
    ------
    InputError
        When a file is read that is no whole image.
    """

    from_files = True

    def __init__(self, paths: Sequence[Path], size: int) -> None:
        super().__init__(len(paths), (3, size, size))
        self.paths = [str(path) for path in paths]  # half the size of Path objects, on their way to workers
        self.size = size

    def read(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the middle of the images at ``rows``."""
        return self._decoded(rows, [centre_crop] * len(rows))

    def random(self, indices: NDArray[np.int64], generator: torch.Generator) -> NDArray[np.float32]:
        """Return random parts of the images at ``indices``, resized to ``size``: no two calls give the same.

        A part has 0.08 to 1 of the image's area and sides of 3:4 to 4:3. Equal states of ``generator`` give
        equal parts, whatever the threads do.
        """
        rows = np.arange(len(self))[indices].reshape(-1)
        numbers = torch.rand(len(rows), _TRIES, 4, generator=generator, dtype=torch.float64).numpy()
        return self._decoded(rows, [RandomCrop(own) for own in numbers])

    def _decoded(self, rows: NDArray[np.int64], crops: Sequence[Crop]) -> NDArray[np.float32]:
        x = np.empty((len(rows), *self.shape[1:]), np.float32)

        def decode(place: int) -> None:
            pixels = read_image(self.paths[rows[place]], self.size, crops[place])
            np.divide(pixels.transpose(2, 0, 1), np.float32(255), out=x[place])

        worker = get_worker_info()
        threads = _THREADS if worker is None else max(1, _THREADS // worker.num_workers)
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(decode, range(len(rows))))  # a list, so that errors come out
        return x


def read_image(path: str, size: int, crop: Crop) -> NDArray[np.uint8]:
    """Return the part of an image file that ``crop`` takes, as uint8 [size, size, 3], red, green and blue.

    Raises
    ------
    InputError
        If the file cannot be read, is no whole image or is above the memory limit.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            claim(f"Image file '{path}'", _BYTES_A_PIXEL * image.width * image.height)
            return np.asarray(crop(image.convert("RGB"), size))
    except InputError:
        raise
    except (*_BROKEN, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"Image file '{path}' must be a whole image: {error}; fetch it again") from error


def centre_crop(image: "Image", size: int) -> "Image":
    """Resize the shorter side to ``size * 256 / 224`` and cut the square of ``size`` out of the middle."""
    width, height = image.size
    short = round(size * 256 / 224)
    shorter = min(width, height)
    width, height = (short * width // shorter, short * height // shorter)
    image = image.resize((width, height), _bilinear())
    left, top = round((width - size) / 2), round((height - size) / 2)
    return image.crop((left, top, left + size, top + size))


class RandomCrop:
    """Cut a random part out of an image and resize it.

    Parameters
    ----------
    numbers : [tries, 4] from 0 to 1: area, ratio of the sides, top and left of every try.
    """

    def __init__(self, numbers: NDArray[np.float64]) -> None:
        self._numbers = numbers

    def __call__(self, image: "Image", size: int) -> "Image":
        left, top, width, height = self.window(*image.size)
        return image.crop((left, top, left + width, top + height)).resize((size, size), _bilinear())

    def window(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return left, top, width and height of the first try that fits an image, else of its middle."""
        for area, ratio, top, left in self._numbers:
            pixels = width * height * (_SCALE[0] + area * (_SCALE[1] - _SCALE[0]))
            shape = math.exp(_LOG_RATIO[0] + ratio * (_LOG_RATIO[1] - _LOG_RATIO[0]))
            w, h = round(math.sqrt(pixels * shape)), round(math.sqrt(pixels / shape))
            if 0 < w <= width and 0 < h <= height:
                return int(left * (width - w + 1)), int(top * (height - h + 1)), w, h
        low, high = (math.exp(bound) for bound in _LOG_RATIO)
        w = min(width, max(1, round(height * high)))
        h = min(height, max(1, round(width / low)))
        return (width - w) // 2, (height - h) // 2, w, h


def _bilinear() -> int:
    from PIL import Image

    return Image.Resampling.BILINEAR

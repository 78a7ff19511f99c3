"""Where the samples of `verify` and `simulate` come from."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spikefold.cli.data import load_source
from spikefold.errors import InputError, SpikefoldError
from spikefold.formats.arrays import read_npy

if TYPE_CHECKING:
    from PIL.Image import Image

    from spikefold.design import Design
    from spikefold.ir import Network
    from spikefold.train import DataOptions
    from spikefold.train.data import LazyArray

Samples = NDArray[np.generic]
DEFAULT_COUNT = 100


def read_samples(path: Path) -> Samples:
    """Read a `.npy` file.

    Raises
    ------
    InputError
        If it is missing, truncated, a pickle, no `.npy` file, or above the memory limit.
    """
    return read_npy(path, f"Sample file {str(path)!r}")


def read_understood(path: Path, levels: bool | None, network: "Network") -> tuple[Samples, str]:
    """Read a `.npy` file as `Design.encode` takes it; in words, what its numbers were taken as.

    Parameters
    ----------
    levels
        True for input levels, False for features, None for what the type says: integers are levels.

    Raises
    ------
    InputError
        As `read_samples`, or if levels are asked for and a number is no whole one.
    """
    x = read_samples(path)
    if x.dtype.kind not in "iuf":
        return x, f"{x.dtype}"
    if levels is None:
        levels = x.dtype.kind != "f"
    if not levels:
        low, high = network.input.minimum, network.input.maximum
        return x.astype(np.float64) if x.dtype.kind != "f" else x, (
            f"{x.dtype} as features, {low:g}..{high:g} become levels 0..{network.input.levels}"
        )
    if x.dtype.kind == "f":
        if not (np.isfinite(x).all() and (x == np.floor(x)).all()):
            raise InputError(f"Sample file {str(path)!r} must hold whole numbers to be levels, not others")
        x = np.clip(x, -1, 256).astype(np.int64)
    return x, f"{x.dtype} as input levels 0..{network.input.levels}"


def read_picture(path: Path, network: "Network") -> Samples:
    """Read an image file as one sample: resized to the input, black its least feature and white its largest.

    An input of one channel takes how light a pixel is, one of three red, green and blue. An input without
    positions takes the pixels of a square.

    Raises
    ------
    InputError
        If it is no whole image, or the input is none that takes a picture.
    MissingToolError
        If Pillow is not installed.
    """
    from spikefold.train.data.image_files import read_image, require_pillow

    require_pillow()
    shape = network.input.sample_shape(network.steps)
    side = math.isqrt(math.prod(shape))
    channels, height, width = shape if len(shape) == 3 else (1, side, side)
    if channels not in (1, 3) or channels * height * width != math.prod(shape) or not network.input.static:
        raise InputError(f"Image {str(path)!r} needs an input of 1 or 3 channels, not one of shape {shape}")

    def resized(image: "Image", _: int) -> "Image":
        plain = image if channels == 3 else image.convert("L").convert("RGB")
        return plain.resize((width, height))

    pixels = read_image(str(path), 0, resized)[..., :channels].transpose(2, 0, 1)
    low, high = network.input.minimum, network.input.maximum
    return (low + pixels.reshape(1, *shape) * ((high - low) / 255)).astype(np.float64)


def choose_samples(
    design: "Design", count: int | None, path: Path | None, seed: int, levels: bool | None = None
) -> tuple[Samples, str, str | None]:
    """Samples to verify with, in words where they are from, and what the numbers of a file were taken as.

    From the file, all of them unless counted; else from the test part of the build's data; else random.
    A smaller set is repeated. `levels` as for `read_understood`.

    Raises
    ------
    InputError
        If the count is not positive, the seed negative, or the file bad or empty.
    """
    if seed < 0:
        raise InputError(f"Seed must be a non-negative integer, not {seed!r}")
    if count is not None and count < 1:
        raise InputError(f"Number of samples must be a positive integer, not {count!r}")
    if path is not None:
        x, understood = read_understood(path, levels, design.network)
        if x.ndim == 0 or not len(x):
            raise InputError(f"Sample file {str(path)!r} must hold at least one sample, not none")
        return _repeated(x, len(x) if count is None else count), str(path), understood
    count = DEFAULT_COUNT if count is None else count
    source = design.info.get("data")
    why = "the build names no data"
    if source is not None:
        try:
            options = _data_options(source)
            return _test_data(design, options, count), f"test data of {options.name}", None
        except SpikefoldError as error:
            why = f"the build's data fails: {error}"
    return random_levels(design.network, count, seed), f"random levels, as {why}", None


def random_levels(network: "Network", count: int, seed: int) -> Samples:
    """Seeded levels over the input's whole range, every sample of another density.

    The first sample is silent and the second at the maximum throughout.
    """
    rng = np.random.default_rng(seed)
    shape = network.input.sample_shape(network.steps)
    levels = rng.integers(1, network.input.levels + 1, (count, *shape))
    density = rng.random((count, *(1 for _ in shape)))
    levels *= rng.random(levels.shape) < density
    levels[:1], levels[1:2] = 0, network.input.levels
    return levels


def _data_options(source: object) -> "DataOptions":
    """What a manifest says of its data, which may be anything."""
    from spikefold.codec import decode
    from spikefold.train import DataOptions

    return decode(DataOptions, source, "Data of the build", defaults=True)


def _test_data(design: "Design", options: "DataOptions", count: int) -> Samples:
    x = _repeated(load_source({"name": options.name, **options.keywords()}).test_x, count)
    design.encode(x)
    return x


def _repeated(x: "Samples | LazyArray", count: int) -> Samples:
    return x[np.arange(count) % len(x)]

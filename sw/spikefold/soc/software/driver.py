"""A driver for Python on the processor beside the fabric: PYNQ, or anything with its registers and DMA.

With PYNQ::

    from pynq import Overlay, allocate
    from digits_axi.driver import Accelerator
    overlay = Overlay("design.bit")
    device = Accelerator(overlay.digits_axi_0, overlay.axi_dma_0, allocate)
    print(device.infer(levels).classes)

Samples are levels, as `spikefold.Design.encode` makes them of features: integers from 0 to the largest level.
"""

import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from . import registers

INDEX_BITS = 16
WORD_BYTES = 4
PATIENCE = 5.0
"""Seconds to wait for a word of a load frame to be taken, or for the weights to be there."""


class DeviceError(Exception):
    """The device is another one, or does not do what it should."""


class Results(NamedTuple):
    """What came back for each sample.

    Attributes
    ----------
    classes
        Of each sample, (samples,).
    errors
        Whether the device calls a sample broken, (samples,).
    logits
        Of each class, (samples, classes); without columns if the design does not send them.
    """

    classes: NDArray[np.int64]
    errors: NDArray[np.bool_]
    logits: NDArray[np.int64]


class Accelerator:
    """A design on AXI.

    Parameters
    ----------
    control
        Its registers: `read(offset)` and `write(offset, value)`, as PYNQ's `DefaultIP` and `MMIO` have them.
    dma
        Its DMA engine: `sendchannel` and `recvchannel` with `transfer(buffer)` and `wait()`, as PYNQ's `DMA`.
    allocate
        Makes a buffer for it: `allocate(shape=.., dtype=..)`, as `pynq.allocate`.

    Raises
    ------
    DeviceError
        If the registers are not those of this design.
    """

    def __init__(self, control: Any, dma: Any, allocate: Any) -> None:
        self._control, self._dma, self._allocate = control, dma, allocate
        for name, value in registers.CONSTANTS.items():
            found = self.read(name)
            if found != value:
                raise DeviceError(
                    f"Register {name!r} of {registers.NAME} must hold {value}, not {found}; is it another "
                    "design?"
                )

    def read(self, name: str) -> int:
        """A register by its name."""
        return int(self._control.read(registers.OFFSETS[name]))

    def write(self, name: str, value: int) -> None:
        """Write a register."""
        self._control.write(registers.OFFSETS[name], value)

    def status(self) -> dict[str, bool]:
        """The bits of the status by name."""
        value = self.read("status")
        return {name: bool(value >> bit & 1) for name, bit in registers.FIELDS["status"].items()}

    def counters(self) -> dict[str, int]:
        """Every counter by name."""
        return {name: self.read(name) for name in registers.COUNTERS}

    def reset(self) -> None:
        """Reset the block: what is under way is lost, counters start at 0, loaded weights must come again.

        A DMA engine in the middle of a packet must be reset too.
        """
        self.write("control", 1 << registers.FIELDS["control"]["reset"])

    def load(self, frame: bytes) -> None:
        """Load weights: `frame` is what the build has in `mem/load.bin`.

        Raises
        ------
        DeviceError
            If the design has its weights already, takes no bytes, or calls the frame wrong.
        """
        if not registers.LOADED:
            raise DeviceError(f"Weights of {registers.NAME} must come with the design: it loads none")
        padded = bytes(-len(frame) % WORD_BYTES) + frame  # what is before a frame is skipped
        for word in np.frombuffer(padded, "<u4").tolist():
            self._wait("load_free", 1)
            self.write("load", word)
        self._wait("load_free", 1)
        bits = registers.FIELDS["status"]
        self._wait("status", 1 << bits["loaded"] | 1 << bits["load_error"])
        if self.status()["load_error"]:
            raise DeviceError("Load frame must be whole, but its checksum or length is wrong")

    def infer(self, samples: NDArray[np.integer[Any]]) -> Results:
        """Run samples.

        Parameters
        ----------
        samples
            Levels, (samples, steps or 1, channels, height, width); with one step they are presented in every
            step. The axes behind the steps may have any shape of that size where there is one position.

        Raises
        ------
        DeviceError
            If the design takes events, or the samples do not fit.
        """
        rows = in_order(samples)
        words = registers.SIZES["result_words"]
        given = self._allocate(shape=(rows.shape[1],), dtype=np.uint8)
        found = self._allocate(shape=(words,), dtype=np.uint32)
        results = np.zeros((len(rows), words), np.uint32)
        for k, row in enumerate(rows):
            given[:] = row
            self._dma.recvchannel.transfer(found)
            self._dma.sendchannel.transfer(given)
            self._dma.sendchannel.wait()
            self._dma.recvchannel.wait()
            results[k] = found
        last = results[:, -1]
        logits = registers.CONSTANTS["classes"] if registers.LOGITS else 0
        return Results(
            (last & (1 << INDEX_BITS) - 1).astype(np.int64),
            (last >> INDEX_BITS & 1).astype(np.bool_),
            results[:, :logits].view(np.int32).astype(np.int64),
        )

    def _wait(self, name: str, mask: int) -> None:
        end = time.monotonic() + PATIENCE
        while not self.read(name) & mask:
            if time.monotonic() > end:
                raise DeviceError(
                    f"Register {name!r} of {registers.NAME} must have a bit of {mask} within {PATIENCE} "
                    "seconds while weights are loaded; is half a sample under way?"
                )


def in_order(samples: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
    """Levels as the packets bring them: cell by cell, in each all channels; (samples, bytes of a packet)."""
    if registers.INPUT != "dense":
        raise DeviceError(f"Samples of {registers.NAME} must be packets of events, which this driver has not")
    array = np.asarray(samples)
    channels, height, width = registers.SHAPE
    steps = registers.STEPS
    size = channels * height * width
    if array.ndim < 3 or array.shape[1] not in (1, steps) or array[:1, :1].size not in (0, size):
        raise DeviceError(
            f"Samples must have the shape (samples, {steps}, {channels}, {height}, {width}), not "
            f"{array.shape}"
        )
    if array.size and not 0 <= array.min() <= array.max() <= registers.CONSTANTS["largest_level"]:
        raise DeviceError(
            f"Levels must be 0 to {registers.CONSTANTS['largest_level']}, not {array.min()}..{array.max()}"
        )
    cells = array.reshape(*array.shape[:2], channels, height * width).swapaxes(2, 3)
    cells = np.broadcast_to(cells, (len(array), steps, height * width, channels))
    if registers.ORDER == "position_major":
        cells = cells.swapaxes(1, 2)
    return cells.reshape(len(array), -1).astype(np.uint8)

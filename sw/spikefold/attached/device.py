"""A device that is attached: the methods of a design, answered by the hardware."""

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spikefold.attached.batch import Batch
from spikefold.attached.gateware import BAUD, device_registers
from spikefold.attached.port import Port
from spikefold.attached.results import Comparison, Inference, Results
from spikefold.attached.session import Session, SessionLostError
from spikefold.attached.tally import Tally
from spikefold.contents import load_frame
from spikefold.errors import InputError, LinkError
from spikefold_hw.host.dense import dense_levels
from spikefold_hw.host.registers import CONSTANT_NAMES, COUNTERS
from spikefold_hw.host.uart.hello import Hello, Trait
from spikefold_hw.host.uart.levels import pack_levels
from spikefold_hw.host.uart.link import LINK_COUNTERS
from spikefold_hw.host.uart.protocol import Command, Flag, Mode, command

if TYPE_CHECKING:
    from spikefold.design import Design
    from spikefold.golden import Run

Progress = Callable[[int, int], None]

_PATIENCE = 600.0
"""Seconds without a result, though the device answers, after which it is taken to hang."""

_LOADS = 3
"""Times that weights are sent until the device has them."""


class Device:
    """A device on a serial port.

    Whatever the wire does to a byte, a result that is handed over is that of its sample: what was damaged or
    lost is sent again. A device that was reset is found again, and its weights are loaded again.

    Parameters
    ----------
    port
        A serial port as /dev/ttyUSB0 or COM3, or a URL of pyserial.
    design
        The design that the device must hold; without one samples are input levels, and nobody checks what
        network answers.
    baud
        Bits a second.
    timeout
        Seconds without an answer after which the device is taken to be gone.

    Raises
    ------
    LinkError
        The port cannot be opened, nobody answers, or the device holds another network.
    MissingToolError
        pyserial is not installed.
    """

    def __init__(
        self, port: str, design: "Design | None" = None, *, baud: int = BAUD, timeout: float = 5.0
    ) -> None:
        self._given, self._timeout = design, timeout
        self._frame = load_frame(design.images) if design is not None and design.interface.loaded else b""
        self.mended = Tally()
        self._port = Port(port, baud, self.mended)
        self._mode = 0
        try:
            self._session: Session | None = self._begin(0)
        except BaseException:
            self._port.close()
            raise

    def __enter__(self) -> "Device":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the port."""
        self._port.close()

    @property
    def hello(self) -> Hello:
        """What the device says of itself."""
        session = self._in_session(self._mode)
        self._keep(session)
        return session.hello

    @property
    def design(self) -> "Design":
        """The design that it holds.

        Raises
        ------
        InputError
            If none was given.
        """
        if self._given is None:
            raise InputError("Device must be given its design for this, as Device(port, design), not None")
        return self._given

    def encode(self, x: NDArray[np.generic]) -> NDArray[np.int64]:
        """As `Design.encode`; without a design integers are levels, shape (samples, .. those of a sample)."""
        return self.hello.levels_of(x) if self._given is None else self._given.encode(x)

    def golden(self, x: NDArray[np.generic]) -> "Run":
        """As `Design.golden`."""
        return self.design.golden(x)

    def classify(self, x: NDArray[np.generic], *, progress: Progress | None = None) -> NDArray[np.int64]:
        """Classes of samples, shape (samples,). Raises as `simulate`."""
        return self.simulate(x, logits=False, progress=progress).classes

    def simulate(
        self, x: NDArray[np.generic], *, logits: bool = True, progress: Progress | None = None
    ) -> Inference:
        """Run samples on the device.

        Parameters
        ----------
        x
            Samples, as `encode`.
        logits
            Whether to ask for logits, too.
        progress
            Called with samples done and samples in all.

        Raises
        ------
        InputError
            If the samples do not fit, or there is none.
        LinkError
            If the device stops answering, its port is gone, or it has no weights and no design was given.
        """
        levels = self.encode(x)
        if not len(levels):
            raise InputError("Samples must be at least one, not 0")
        session = self._in_session(Mode.LOGITS if logits else 0)
        if not session.loaded:
            raise LinkError(
                f"Device on {self._port.url!r} must have its weights before samples: load() them first"
            )
        dense, largest = dense_levels(session.hello.events, levels), session.hello.register("largest_level")
        results = Results(len(dense), session.hello, logits)
        batch = Batch(len(dense), lambda k: pack_levels(dense[k], largest), session.first, self.mended)
        before, began, done = self.mended.copy(), time.perf_counter(), 0
        heard = began
        while not batch.over:
            try:
                sample = self._step(session, batch, results)
            except SessionLostError:
                session = self._again()
                batch.restart(session.first)
                continue
            if time.perf_counter() - heard > _PATIENCE:
                raise LinkError(
                    f"Device on {self._port.url!r} must give a result in {_PATIENCE:g} s, but only answers"
                )
            if sample:
                done, heard = done + 1, time.perf_counter()
                if progress is not None:
                    progress(done, len(dense))
        self._keep(session, batch)
        return Inference(
            results.classes, results.logits, time.perf_counter() - began, self.mended.since(before)
        )

    def verify(self, x: NDArray[np.generic], *, progress: Progress | None = None) -> Comparison:
        """Run samples on the device, and hold every answer against the golden model.

        Raises
        ------
        InputError
            If no design was given, or as `simulate`.
        LinkError
            As `simulate`.
        """
        golden, found = self.golden(x), self.simulate(x, progress=progress)
        return Comparison(len(found.classes), found.differ_from(golden), found.seconds)

    def counters(self) -> dict[str, int]:
        """The device's counters by name; without a design those of the block by number.

        The last three tell what came damaged over the wire, and what was not taken.
        """
        session = self._in_session(self._mode)
        count = session.hello.register("counters")
        names = [f"counter_{k}" for k in range(count)]
        if self._given is not None:
            names = [counter.name for counter in self._given.interface.counters]
        while True:
            try:
                found = {name: session.read(COUNTERS + k) for k, name in enumerate((*names, *LINK_COUNTERS))}
                self._keep(session)
                return found
            except SessionLostError:
                session = self._again()

    def load(self, frame: bytes = b"") -> None:
        """Fill the memories of a design whose weights are loaded; `frame` is that of `mem/load.bin`.

        Without a frame it is that of the design. It is sent again when the device has forgotten it.

        Raises
        ------
        InputError
            If the device has its weights in read-only memories, or there is no frame.
        LinkError
            If the device stops answering, or will not take it.
        """
        self._frame = frame or self._frame
        mode = self._mode
        if not self.hello.has(Trait.LOADED):
            raise InputError("Device must have memories to load, but its weights came with its bitstream")
        if not self._frame:
            raise InputError("Device must be given a frame to load, or its design")
        self._load()
        self._session = self._begin(mode)

    def reset(self) -> None:
        """Reset the device; what was under way is lost, its counters start at 0."""
        self._port.send(command(Command.RESET))
        self._session = self._begin(self._mode)

    def _in_session(self, mode: int) -> Session:
        """A session of a mode; nobody has it until it is kept, as an error may leave it half way."""
        session, self._session = self._session, None
        return session if session is not None and mode == self._mode else self._begin(mode)

    def _keep(self, session: Session, batch: Batch | None = None) -> None:
        self._session = session
        if batch is not None:
            session.first = batch.next

    def _again(self) -> Session:
        """A new session with a device that has forgotten the last one."""
        self.mended.restarts += 1
        return self._begin(self._mode)

    def _begin(self, mode: int) -> Session:
        """A session with a device that holds the right network, and weights."""
        session = Session(self._port, mode, self._timeout, self.mended)
        self._check(session.hello)
        if session.hello.has(Trait.LOADED) and not session.loaded and self._frame:
            self._load()
            session = Session(self._port, mode, self._timeout, self.mended)
        self._mode = mode
        return session

    def _check(self, hello: Hello) -> None:
        if self._given is None:
            return
        expected = device_registers(self._given).identification
        if hello.identification != expected:
            theirs, ours = hello.register("network"), expected[CONSTANT_NAMES.index("network")]
            raise LinkError(
                f"Device on {self._port.url!r} must hold network {ours:08x} of design {self._given.name!r}, "
                f"but holds {theirs:08x}; write the bitstream of this build to it, or name its own build"
            )

    def _load(self) -> None:
        """Send the frame until the device has it; zeros before another try end what is left of the last."""
        for attempt in range(_LOADS):
            try:
                if self._sent(bytes(len(self._frame)) * bool(attempt) + self._frame):
                    return
            except SessionLostError:
                continue
        raise LinkError(
            f"Device on {self._port.url!r} must take its weights, but did not in {_LOADS} attempts; is the "
            "frame that of its build?"
        )

    def _sent(self, data: bytes) -> bool:
        """Send bytes to the memories; whether the device then says that it has them."""
        session = Session(self._port, Mode.LOAD, self._timeout, self.mended)
        given = [data]
        while given or not session.stream.drained:
            session.stream.push(lambda: given.pop() if given else b"")
            session.answer()
        end = time.monotonic() + self._timeout
        while time.monotonic() < end:
            answer = session.answer()
            if answer is not None and answer.has(Flag.LOADED) != answer.has(Flag.LOAD_ERROR):
                return answer.has(Flag.LOADED)
        return False

    def _step(self, session: Session, batch: Batch, results: Results) -> bool:
        """Send what there is room for, and hear an answer; whether it was the result of a sample."""
        session.stream.push(batch.more)
        answer = session.answer()
        if answer is None or not results.fits(answer):
            return False
        sample = batch.hear(answer)
        if sample is not None:
            results.take(sample, answer)
        return sample is not None

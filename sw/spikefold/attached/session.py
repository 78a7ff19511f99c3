"""A session with a device: it begins with a hello, and every answer of another one is of no interest."""

import time
from random import SystemRandom

from spikefold.attached.port import Port
from spikefold.attached.stream import Mark, Stream
from spikefold.attached.tally import Tally
from spikefold.errors import LinkError
from spikefold_hw.host.registers import MAGIC
from spikefold_hw.host.uart.hello import Hello
from spikefold_hw.host.uart.protocol import (
    END,
    NO_SESSION,
    VERSION,
    Answer,
    Command,
    Flag,
    Kind,
    command,
)

_SHORTEST_WAIT, _LONGEST_WAIT = 0.05, 1.0
"""Seconds of silence after which the device is asked again."""


class SessionLostError(Exception):
    """The device was reset: it knows nothing of this session."""


class Session:
    """A session with a device.

    Parameters
    ----------
    port
        Where it is attached.
    mode
        `Mode` bits.
    timeout
        Seconds without a good answer after which the device is taken to be gone.
    tally
        Where it is counted what was sent again.

    Attributes
    ----------
    hello
        What the device says of itself.
    first
        Number of the next sample's result.
    loaded
        Whether the memories hold weights, as it was at the beginning.
    stream
        Data to the device.

    Raises
    ------
    LinkError
        There is no answer, or it is none of a device of this protocol.
    """

    def __init__(self, port: Port, mode: int, timeout: float, tally: Tally) -> None:
        self._port, self._timeout = port, timeout
        self._number = SystemRandom().randrange(NO_SESSION + 1, 256)
        self._wait, self._pace = _SHORTEST_WAIT, 0.0  # seconds until it is asked again, and that it takes
        self._heard = time.monotonic()
        self._asked, self._marks = 0, dict[int, Mark]()
        port.forget()
        began = self._begin(mode)
        hello = Hello.of(began.body)
        if hello is None or hello.identification[0] != MAGIC or hello.version != VERSION:
            raise LinkError(
                f"Device on {port.url!r} must speak version {VERSION} of the protocol, but says "
                f"{began.body.hex()}; build its bitstream with this version of spikefold"
            )
        self.hello, self.first, self.loaded = hello, began.number, began.has(Flag.LOADED)
        self.stream = Stream(port.send, began, hello.buffer_bits, tally)

    def answer(self) -> Answer | None:
        """The next answer of this session; None after a silence, when the device is asked where it is.

        Raises
        ------
        SessionLostError
            The device was reset.
        LinkError
            It has not answered for too long, or its port is gone.
        """
        began = time.monotonic()
        found = self._port.answer(self._wait)
        if found is None:
            if time.monotonic() - self._heard > self._timeout:
                raise self._silent()
            self._wait = min(2 * self._wait, _LONGEST_WAIT)
            self._ask()
            return None
        self._heard = time.monotonic()
        self._pace += (self._heard - began - self._pace) / 8
        self._wait = min(max(_SHORTEST_WAIT, 4 * self._pace), _LONGEST_WAIT)
        if found.session != self._number:
            raise SessionLostError
        self.stream.hear(found)
        if found.kind == Kind.VALUE and found.number in self._marks:
            self.stream.seen(self._marks.pop(found.number))
        return found

    def _ask(self) -> None:
        """Ask for some register: when its value comes, the device has seen all that was sent before."""
        self._asked = (self._asked + 1) % 256
        self._marks[self._asked] = self.stream.mark()
        self._port.send(command(Command.READ, self._asked))

    def read(self, address: int) -> int:
        """The register at an address. Raises as `answer`."""
        request = command(Command.READ, address)
        self._port.send(request)
        while True:
            found = self.answer()
            if found is None:
                self._port.send(request)
            elif found.kind == Kind.VALUE and found.number == address:
                return int.from_bytes(found.body, "little")

    def _begin(self, mode: int) -> Answer:
        """Send a start until its hello comes."""
        end, wait = time.monotonic() + self._timeout, 2 * _SHORTEST_WAIT
        while time.monotonic() < end:
            self._port.send(END + command(Command.START, self._number, mode))
            until = time.monotonic() + wait
            while (left := until - time.monotonic()) > 0:
                found = self._port.answer(left)
                if found is not None and found.kind == Kind.HELLO and found.session == self._number:
                    return found
            wait = min(2 * wait, _LONGEST_WAIT)
        raise self._silent()

    def _silent(self) -> LinkError:
        return LinkError(
            f"Device on {self._port.url!r} must answer within {self._timeout:g} s, but does not; look at its "
            "power, its wiring, its bitstream, the port and the baud rate"
        )

"""The port that a device is attached to: frames out, answers in."""

import time
from collections import deque
from typing import Any

from spikefold.attached.tally import Tally
from spikefold.errors import LinkError
from spikefold.packages import check_installed
from spikefold_hw.host.uart.protocol import END, Answer

_INSTALL = 'pip install "spikefold[link]"'
_MOST_WAITING = 1 << 16
"""Bytes without an end that are kept: no answer is as long."""


class Port:
    """A serial port with frames on it.

    Parameters
    ----------
    url
        What pyserial opens: a device as /dev/ttyUSB0 or COM3, or a URL as socket://host:port.
    baud
        Bits a second.
    tally
        Where it is counted what came damaged.

    Raises
    ------
    LinkError
        If it cannot be opened.
    MissingToolError
        If pyserial is not installed.
    """

    def __init__(self, url: str, baud: int, tally: Tally) -> None:
        check_installed("serial", "An attached device", _INSTALL)
        import serial

        self.url, self._tally = url, tally
        self._failures: tuple[type[Exception], ...] = (serial.SerialException, OSError, ValueError)
        self._answers: deque[Answer] = deque()
        self._waiting = b""
        try:
            self._serial: Any = serial.serial_for_url(url, baudrate=baud, timeout=0, write_timeout=None)
        except self._failures as error:
            raise LinkError(f"Port {url!r} must be one that opens at {baud} baud: {error}") from None

    def send(self, data: bytes) -> None:
        """Write bytes. Raises LinkError where the port is gone."""
        try:
            self._serial.write(data)
        except self._failures as error:
            raise self._gone(error) from None

    def answer(self, seconds: float) -> Answer | None:
        """The next good answer, or None if none came in so many seconds. Raises LinkError as `send`."""
        end = time.monotonic() + seconds
        while not self._answers:
            left = end - time.monotonic()
            if not self._read(max(left, 0.0)) and left <= 0:
                return None
        return self._answers.popleft()

    def forget(self) -> None:
        """Drop what has come until now."""
        while self._read(0.0):
            pass
        self._answers.clear()
        self._waiting = b""

    def close(self) -> None:
        """Close the port; nothing happens if it is closed."""
        self._serial.close()

    def _read(self, seconds: float) -> bool:
        """Take what has come, waiting for a first byte at most so long; whether there was any."""
        try:
            self._serial.timeout = seconds
            data = self._serial.read(max(1, self._serial.in_waiting))
        except self._failures as error:
            raise self._gone(error) from None
        *frames, self._waiting = (self._waiting + data).split(END)
        self._waiting = self._waiting[-_MOST_WAITING:]
        for frame in frames:
            answer = Answer.of(frame)
            if answer is not None:
                self._answers.append(answer)
            elif frame:
                self._tally.damaged += 1
        return bool(data)

    def _gone(self, error: Exception) -> LinkError:
        return LinkError(
            f"Port {self.url!r} must stay open, but is gone: {error}; was the device unplugged? Results "
            "that were not handed over are lost"
        )

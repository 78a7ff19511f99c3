"""A wire that does what it wants with bytes, between a driver and a port."""

import numpy as np


class BadWire:
    """In place of the serial port of a `Port`: bytes of both directions are flipped, lost, doubled, invented.

    Parameters
    ----------
    serial
        The port.
    chance
        Of each byte to meet something.
    kinds
        What may happen.
    """

    KINDS = ("flip", "drop", "double", "insert")

    def __init__(self, serial, chance, kinds=KINDS, seed=0):
        self._serial, self._chance, self._kinds = serial, chance, kinds
        self._rng = np.random.default_rng(seed)
        self._came = b""

    def write(self, data):
        self._serial.write(self._mangled(data))

    def read(self, count):
        self._came += self._mangled(self._serial.read(count))
        found, self._came = self._came[:count], self._came[count:]
        return found

    @property
    def in_waiting(self):
        return len(self._came) + self._serial.in_waiting

    @property
    def timeout(self):
        return self._serial.timeout

    @timeout.setter
    def timeout(self, seconds):
        self._serial.timeout = 0 if self._came else seconds

    def close(self):
        self._serial.close()

    def _mangled(self, data):
        out = bytearray()
        for byte in data:
            if self._rng.random() >= self._chance:
                out.append(byte)
                continue
            match self._rng.choice(self._kinds):
                case "flip":
                    out.append(byte ^ int(self._rng.integers(1, 256)))
                case "double":
                    out += bytes([byte, byte])
                case "insert":
                    out += bytes([byte, int(self._rng.integers(256))])
        return bytes(out)

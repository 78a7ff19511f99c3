"""Writers of AEDAT 2.0 and 3.1 files, event by event, and folders of them as published."""

import struct
from pathlib import Path

import numpy as np

CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
HEADER2 = b"#!AER-DAT2.0\r\n# This is a raw AE data file - do not edit\r\n# Timestamps tick is 1 us\r\n"
HEADER3 = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#Start-Time: 2016-12-15 14:00:00\r\n"
END3 = b"#!END-HEADER\r\n"

Event = tuple[int, int, int, int]  # time, x, y, polarity


def random_events(count: int, seed: int, start: int = 0, length: int = 1000) -> list[Event]:
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(start, start + length, count))
    return [(int(t), *map(int, rng.integers(0, 128, 2)), int(rng.integers(2))) for t in times]


def aedat2(events: list[Event], header: bytes = HEADER2) -> bytes:
    return header + b"".join(struct.pack(">II", p | x << 1 | y << 8, t) for t, x, y, p in events)


def packet(
    events: list[Event],
    kind: int = 1,
    size: int = 8,
    offset: int = 4,
    capacity: int | None = None,
    number: int | None = None,
    valid: int = 1,
) -> bytes:
    """One packet; the upper bits of the events' times are the packet's overflow count."""
    overflow = events[0][0] >> 31 if events else 0
    number = len(events) if number is None else number
    capacity = len(events) if capacity is None else capacity
    data = b"".join(
        struct.pack("<II", valid | p << 1 | y << 2 | x << 17, t & 0x7FFFFFFF) for t, x, y, p in events
    )
    return struct.pack("<HHIIIIII", kind, 1, size, offset, overflow, capacity, number, number) + data


def aedat3(*packets: bytes, header: bytes = HEADER3 + END3) -> bytes:
    return header + b"".join(packets)


def cifar10dvs(root: Path, count: int = 10, events: int = 60) -> Path:
    """Write ``count`` recordings a class; i of class c holds ``random_events(events, 1000 * c + i)``."""
    for label, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for number in range(count):
            content = aedat2(random_events(events, 1000 * label + number))
            (root / name / f"cifar10_{name}_{number}.aedat").write_bytes(content)
    return root


GESTURES = {
    "user01_led": [(1, 100, 200), (11, 300, 450), (8, 440, 600)],
    "user02_lab": [(2, 0, 500)],
    "user24_led": [(3, 500, 900), (3, 0, 90)],
}


def gesture_events(name: str) -> list[Event]:
    return random_events(600, sum(map(ord, name)))


def dvsgesture(root: Path) -> Path:
    """Write two recordings for training and one for test."""
    root.mkdir(parents=True)
    for name, rows in GESTURES.items():
        events = gesture_events(name)
        packets = [packet(events[i : i + 64]) for i in range(0, len(events), 64)]
        (root / f"{name}.aedat").write_bytes(aedat3(*packets))
        lines = ["class,startTime_usec,endTime_usec", *(",".join(map(str, row)) for row in rows)]
        (root / f"{name}_labels.csv").write_text("\n".join(lines) + "\n")
    (root / "trials_to_train.txt").write_text("user01_led.aedat\nuser02_lab.aedat\n\n")
    (root / "trials_to_test.txt").write_text("user24_led.aedat\n")
    return root


def frames(events: list[Event], steps: int, size: int, split: str = "number") -> np.ndarray:
    """Count one event after the other; counts as they are."""
    counts = np.zeros((steps, 2, size, size), int)
    first, last = events[0][0], events[-1][0]
    for place, (t, x, y, p) in enumerate(events):
        if split == "number":
            step = min(steps - 1, place // (len(events) // steps))
        else:
            step = next((k for k in range(steps - 1) if t - first < (k + 1) * ((last - first) // steps)), -1)
        counts[step, p, y * size // 128, x * size // 128] += 1
    return counts


def upright(events: list[Event]) -> list[Event]:
    """Turn events of a file of CIFAR10-DVS as SpikingJelly does."""
    return [(t, 127 - y, 127 - x, 1 - p) for t, x, y, p in events]

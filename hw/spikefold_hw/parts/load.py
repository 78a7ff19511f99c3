"""Memories that are written by a stream of bytes after a reset, instead of read from files."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from amaranth.hdl import Cat, Elaboratable, Module, Mux, Shape, ShapeLike, Signal, Value
from amaranth.lib import stream
from amaranth.lib.wiring import In, Out

from spikefold.errors import InputError
from spikefold_hw.parts.images import ImageSize
from spikefold_hw.parts.memory import AnyMemory, Contents, Rom
from spikefold_hw.streams import connect
from spikefold_hw.typed import Component

_FAN_OUT = 32
"""Memories that share a segment's data and address registers."""


class LoadSegment(Component):
    """Fills a few memories of one size, one after another, and passes all later bytes on.

    They share data and address; a token, one flip-flop per memory, says whose turn it is.

    Parameters
    ----------
    width, depth
        Bits of a row, and rows.
    count
        Memories.

    Members
    -------
    i : In(stream(8))
        Rows one after another, each padded to whole bytes, least significant byte first.
    o : Out(stream(8))
        The bytes that follow, one cycle later.
    address, data, enables : Out
        The write port of the memories, an enable for each.
    restart : In(1)
        The first row of the first memory comes next.
    full : Out(1)
        All rows have been written.
    """

    i: stream.Interface
    o: stream.Interface
    restart: Signal
    address: Signal
    data: Signal
    enables: Signal
    full: Signal

    def __init__(self, width: int, depth: int, count: int):
        self._row_bytes = -(-width // 8)
        self._depth = depth
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "o": Out(stream.Signature(8, always_ready=True)),
                "address": Out(range(depth)),
                "data": Out(width),
                "enables": Out(count),
                "restart": In(1),
                "full": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        byte = Signal(8, reset_less=True)
        valid = Signal()
        kept = Signal(8 * (self._row_bytes - 1), reset_less=True)
        place = Signal(range(self._row_bytes))
        token = Signal(len(self.enables) + 1, init=1)
        take = Signal()
        write = Signal()
        last_row = self.address == self._depth - 1
        row = Cat(kept, byte)
        m.d.comb += [
            self.full.eq(token[-1]),
            self.o.valid.eq(valid & self.full),
            self.o.payload.eq(byte),
            take.eq(valid & ~self.full),
            write.eq(take & (place == self._row_bytes - 1)),
            self.data.eq(row[: len(self.data)]),
            # In every cycle, so straight from flip-flops: what is not yet the whole row is overwritten.
            self.enables.eq(token[:-1]),
        ]
        m.d.sync += [valid.eq(self.i.valid), byte.eq(self.i.payload)]
        with m.If(take):
            m.d.sync += [kept.eq(row[8:]), place.eq(Mux(write, 0, place + 1))]
        with m.If(write):
            m.d.sync += self.address.eq(Mux(last_row, 0, self.address + 1))
            with m.If(last_row):
                m.d.sync += token.eq(token << 1)
        with m.If(self.restart):
            m.d.sync += token.eq(1)
        return m


@dataclass(frozen=True)
class LoadPort:
    """What writes one memory."""

    address: Value
    data: Value
    enable: Value


class LoadChain(Component):
    """Takes the bytes of all images, one per cycle, and hands each to its memory.

    A chain of segments with a register between them: however many memories there are, no path gets
    longer. After the last byte none may come until a restart, as `LoadFrame` sees to it.

    Parameters
    ----------
    images
        The memories in the order of their bytes, which are those of their `.bin` files.

    Members
    -------
    i : In(stream(8))
        The bytes, always taken.
    restart : In(1)
        The first byte of the first memory comes next; only before a load or after a whole one.
    full : Out(1)
        All memories are full.
    ports : dict[str, LoadPort]
        What a `Loadable` connects to, by name.

    Raises
    ------
    InputError
        If there is no image, one has no bits, or two have one name.
    """

    i: stream.Interface
    restart: Signal
    full: Signal

    def __init__(self, images: Iterable[ImageSize]):
        self.sizes: dict[str, tuple[int, int]] = {}
        for image in images:
            if image.name in self.sizes:
                raise InputError(f"Loaded memories must have different names, but {image.name!r} comes twice")
            if image.width < 1 or image.depth < 1:
                raise InputError(f"Loaded memory {image.name!r} must have bits and rows, not {image!r}")
            self.sizes[image.name] = (image.width, image.depth)
        if not self.sizes:
            raise InputError("Loaded memories must be at least one, but there is none")
        self._segments: list[LoadSegment] = []
        self.ports: dict[str, LoadPort] = {}
        for size, group in groupby(self.sizes, self.sizes.__getitem__):
            names = list(group)
            for k in range(0, len(names), _FAN_OUT):
                self._append(size, names[k : k + _FAN_OUT])
        super().__init__({"i": In(stream.Signature(8, always_ready=True)), "restart": In(1), "full": Out(1)})

    @property
    def length(self) -> int:
        """Bytes of all images."""
        return sum(-(-width // 8) * depth for width, depth in self.sizes.values())

    def _append(self, size: tuple[int, int], names: list[str]) -> None:
        segment = LoadSegment(*size, len(names))
        self._segments.append(segment)
        for name, enable in zip(names, segment.enables, strict=True):
            self.ports[name] = LoadPort(segment.address, segment.data, enable)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        first, last = self._segments[0], self._segments[-1]
        m.d.comb += [
            self.full.eq(last.full),
            first.i.valid.eq(self.i.valid),
            first.i.payload.eq(self.i.payload),
        ]
        for k, segment in enumerate(self._segments):
            m.submodules[f"segment{k}"] = segment
            m.d.comb += segment.restart.eq(self.restart)
            if k:
                connect(m, self._segments[k - 1].o, segment.i)
        return m


class Loadable(AnyMemory):
    """A memory with one read port, as `Rom`, whose rows a `LoadChain` writes before anything is read.

    Attributes
    ----------
    port
        What writes it.

    Raises
    ------
    InputError
        If the chain loads no such memory.
    """

    def __init__(self, name: str, shape: ShapeLike, depth: int, chain: LoadChain):
        size = Shape.cast(shape).width, depth
        if chain.sizes.get(name) != size:
            raise InputError(
                f"Memory {name!r} must be loaded with its size {size}, not {chain.sizes.get(name)}"
            )
        # As plain bits, as a `Rom`.
        super().__init__(shape=size[0], depth=depth, init=[])
        self.name = name
        self.port = chain.ports[name]
        self._write = self.write_port()

    def elaborate(self, platform: Any) -> Elaboratable:  # type: ignore[override]
        if hasattr(platform, "get_memory"):
            return platform.get_memory(self)  # type: ignore[no-any-return]
        m = Module()
        m.submodules.rows = super().elaborate(platform)
        m.d.comb += [
            self._write.addr.eq(self.port.address),
            self._write.data.eq(self.port.data),
            self._write.en.eq(self.port.enable),
        ]
        return m


Images = Contents | LoadChain
"""What fills memories: a chain that loads them, or the rows of their files for simulation in Amaranth."""


def image_memory(name: str, shape: ShapeLike, depth: int, images: Images | None) -> AnyMemory:
    """The memory of an image: a `Loadable` of a chain, else a `Rom`."""
    if isinstance(images, LoadChain):
        return Loadable(name, shape, depth, images)
    return Rom(name, shape, depth, images)

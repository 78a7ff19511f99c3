"""What a device answers: frames, byte by byte, from results and from what is asked for."""

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from spikefold_hw.host.uart.cobs import LONGEST
from spikefold_hw.host.uart.hello import HELLO_BYTES
from spikefold_hw.host.uart.protocol import ANSWER_HEAD, CHECK_BYTES, Kind
from spikefold_hw.parts.counters import VALUE_BITS
from spikefold_hw.parts.memory import Contents, Rom
from spikefold_hw.typed import Component


def logit_bytes(classes: int, logit_bits: int) -> int:
    """Bytes of a logit in a result; 0 where the logits of all classes do not fit in a frame."""
    each = -(-logit_bits // 8)
    room = LONGEST - 1 - ANSWER_HEAD - CHECK_BYTES - class_bytes(classes)
    return each if classes * each <= room else 0


def class_bytes(classes: int) -> int:
    """Bytes of a class in a result."""
    return -(-max((classes - 1).bit_length(), 1) // 8)


class Answers(Component):
    """Sends frames, one at a time: results first, then a hello, the value of a register, the status.

    What is asked for while it is under way is answered once more. Results wait in the block: their stream is
    taken when a frame of theirs is sent, but for logits that nobody asked for.

    Parameters
    ----------
    classes
        Of a result.
    result
        Layout of a beat of the result stream, a `Logit`.
    hello
        Name of the memory with the body of a hello.
    contents
        Its bytes, for simulation in Amaranth.

    Members
    -------
    results : In(stream(Logit))
        The block's.
    o : Out(stream(StructLayout))
        Bytes of frames without checksum, as `Framer` takes them.
    hello, read, status, refused, accepted : In(1)
        Strobes: what is to be answered, and what `Flag.REFUSED` tells since the last answer.
    with_logits : In(1)
        Results have their logits.
    loaded, load_error : In(1)
        Flags.
    session, consumed, expected, round, address, begun : In(8)
        Numbers of the head; `begun` is that of a hello.
    value : In(32)
        Of the register `chosen`.
    chosen : Out(8)
        Address of the register that is answered, or was.
    done : Out(8)
        Results since the reset.
    """

    results: stream.Interface
    o: stream.Interface
    hello: Signal
    read: Signal
    status: Signal
    refused: Signal
    accepted: Signal
    with_logits: Signal
    loaded: Signal
    load_error: Signal
    session: Signal
    consumed: Signal
    expected: Signal
    round: Signal
    address: Signal
    begun: Signal
    value: Signal
    chosen: Signal
    done: Signal

    def __init__(self, classes: int, result: data.StructLayout, hello: str, contents: Contents | None = None):
        self._result, self._hello, self._contents = result, hello, contents
        self._classes, self._class_bytes = classes, class_bytes(classes)
        self._logit_bytes = logit_bytes(classes, result.members["logit"].width)
        bits = ("hello", "read", "status", "refused", "accepted", "with_logits", "loaded", "load_error")
        numbers = ("session", "consumed", "expected", "round", "address", "begun")
        super().__init__(
            {
                "results": In(stream.Signature(result)),
                "o": Out(stream.Signature(data.StructLayout({"byte": 8, "last": 1}))),
                "value": In(VALUE_BITS),
                "chosen": Out(8),
                "done": Out(8),
                **{name: In(1) for name in bits},
                **{name: In(8) for name in numbers},
            }
        )

    @property
    def longest(self) -> int:
        """Bytes of the longest frame, with its checksum."""
        classes = self._classes if self._logit_bytes else 0
        return ANSWER_HEAD + max(HELLO_BYTES, self._logit_bytes * classes + self._class_bytes) + CHECK_BYTES

    def elaborate(self, platform: object) -> Module:
        m = Module()
        place, free, begins = Signal(range(HELLO_BYTES)), Signal(), Signal()
        kind = Signal(3)
        due, status_due, was_refused = self._due(m, kind, begins)
        head, body = self._head(kind, was_refused), _Body()
        self._choose(m, kind, place, body)
        m.d.comb += free.eq(~self.o.valid | self.o.ready)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("idle"):
                m.d.sync += [kind.eq(due), place.eq(0)]
                with m.If(due.any() | status_due):
                    m.d.comb += begins.eq(1)
                    m.next = "head"
            with m.State("head"), m.If(free):
                ends = place == ANSWER_HEAD - 1
                self._put(m, head[place[:3]], ends & ~kind.any())
                m.d.sync += place.eq(place + 1)
                with m.If(ends):
                    m.d.sync += place.eq(0)
                    m.next = "body"
                    with m.If(~kind.any()):
                        m.next = "idle"
                with m.Else():
                    m.d.comb += body.first.eq(1)
            with m.State("body"), m.If(free & body.there):
                m.d.comb += body.taken.eq(1)
                self._put(m, body.byte, body.unit_ends & body.ends)
                m.d.sync += place.eq(Mux(body.unit_ends, 0, place + 1))
                with m.If(body.unit_ends & body.ends):
                    m.next = "idle"
        return m

    def _put(self, m: Module, byte: Value, last: Value) -> None:
        m.d.sync += [self.o.valid.eq(1), self.o.payload.byte.eq(byte), self.o.payload.last.eq(last)]

    def _due(self, m: Module, kind: Signal, begins: Signal) -> tuple[Value, Signal, Signal]:
        """What is to be answered: the next kind, whether at least a status, and what `Flag.REFUSED` is."""
        hello, value, status, refused = (
            Signal(name=f"{name}_due") for name in ("hello", "value", "status", "refused")
        )
        with_logits = self.with_logits & (self._logit_bytes > 0)
        result = self.results.valid & (with_logits | self.results.payload.last)
        next_kind = Mux(result, Kind.RESULT, Mux(hello, Kind.HELLO, Mux(value, Kind.VALUE, Kind.STATUS)))
        with m.If(begins):
            m.d.sync += [status.eq(0), hello.eq(hello & result), value.eq(value & (result | hello))]
        with m.If(self.refused):
            m.d.sync += refused.eq(1)
        with m.Elif(self.accepted):
            m.d.sync += refused.eq(0)
        with m.If(self.status | self.refused | self.accepted):
            m.d.sync += status.eq(1)
        with m.If(self.hello):
            m.d.sync += hello.eq(1)
        # The register that is answered stays the same until that is done.
        with m.If(self.read & ~value & (kind != Kind.VALUE)):
            m.d.sync += [value.eq(1), self.chosen.eq(self.address)]
        return next_kind, status, refused

    def _head(self, kind: Signal, refused: Signal) -> Array[Value]:
        """The bytes of the head."""
        beat, is_result = self.results.payload, kind == Kind.RESULT
        error = beat.error & is_result if "error" in self._result.members else Const(0)
        flags = Cat(refused, error, self.loaded, self.load_error)
        number = Mux(kind == Kind.HELLO, self.begun, Mux(kind == Kind.VALUE, self.chosen, self.done))
        first = Cat(kind, Const(0, 1), flags)
        return Array([first, self.session, self.consumed, self.expected, self.round, number])

    def _choose(self, m: Module, kind: Signal, place: Signal, body: "_Body") -> None:
        """What follows the head: the memory's bytes, a value, or logits one by one and then the class."""
        m.submodules.hello = rom = Rom(self._hello, 8, HELLO_BYTES, self._contents)
        read = rom.read_port()
        value = Signal(VALUE_BITS)
        m.d.comb += read.addr.eq(place)
        # What the memory says is there two cycles after its place: its output register is used.
        said = Signal(8, reset_less=True)
        before, two_before = Signal.like(place), Signal.like(place)
        m.d.sync += [said.eq(read.data), before.eq(place), two_before.eq(before)]
        with m.If(body.first):
            m.d.sync += value.eq(self.value)
        with m.Elif(body.taken):
            m.d.sync += value.eq(value >> 8)
        m.d.comb += [body.there.eq(1), body.ends.eq(1)]
        with m.If(kind == Kind.HELLO):
            m.d.comb += [body.byte.eq(said), body.unit_ends.eq(place == HELLO_BYTES - 1)]
            m.d.comb += body.there.eq(two_before == place)
        with m.Elif(kind == Kind.VALUE):
            m.d.comb += [body.byte.eq(value[:8]), body.unit_ends.eq(place == VALUE_BITS // 8 - 1)]
        with m.Else():
            m.d.comb += [body.byte.eq(_bytes(self.results.payload.winner, place, self._class_bytes))]
            m.d.comb += body.unit_ends.eq(place == self._class_bytes - 1)
        self._take(m, kind == Kind.RESULT, place, body)

    def _take(self, m: Module, is_result: Value, place: Signal, body: "_Body") -> None:
        """Results: a beat waits until its logit has been sent, the last one until its class has."""
        results, beat = self.results, self.results.payload
        pops, skips = Signal(), Signal()
        m.d.comb += [pops.eq(is_result & body.taken & body.unit_ends), results.ready.eq(skips | pops)]
        with m.If(pops & body.ends):
            m.d.sync += self.done.eq(self.done + 1)
        if not self._logit_bytes:
            m.d.comb += skips.eq(~beat.last)
            return
        over = Signal()  # the last logit has been sent
        m.d.comb += skips.eq(~beat.last & ~self.with_logits)
        with m.If(pops):
            m.d.sync += over.eq(~body.ends & beat.last)
        with m.If(is_result):
            m.d.comb += body.there.eq(results.valid & ~skips)
            with m.If(self.with_logits & ~over):
                m.d.comb += [
                    body.byte.eq(_bytes(beat.logit, place, self._logit_bytes)),
                    body.unit_ends.eq(place == self._logit_bytes - 1),
                    body.ends.eq(0),
                    results.ready.eq(pops & ~beat.last),
                ]


class _Body:
    """The byte behind a head that comes next: whether it is `there`, and ends its unit, and that its frame.

    `first` is set before it comes to a body, `taken` when the byte is sent.
    """

    def __init__(self) -> None:
        self.byte = Signal(8, name="body_byte")
        self.there, self.unit_ends, self.ends, self.first, self.taken = (
            Signal(name=name) for name in ("there", "unit_ends", "body_ends", "before_body", "taken")
        )


def _bytes(value: Value, place: Signal, count: int) -> Value:
    """A byte of a value, extended as its sign asks for."""
    sign = value[-1] if value.shape().signed else Const(0, 1)
    wide = Cat(value, sign.replicate(8 * count - len(value)))
    return wide if count == 1 else wide.word_select(place[: (count - 1).bit_length()], 8)

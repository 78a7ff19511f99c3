"""What NeuronUnit and Readout share: counting channels and steps, and fetching what each needs."""

from amaranth.hdl import Module, Mux, Signal, ValueLike, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikefold.ir.profile import LayerProfile
from spikefold.ir.words import parameter_fields
from spikefold_hw.memory import Contents, Ram, Rom
from spikefold_hw.pipeline import Pipeline
from spikefold_hw.streams import index_bits


def parameter_layout(profile: LayerProfile) -> data.StructLayout:
    """Fields of a parameter word as a layout."""
    fields = parameter_fields(profile).items()
    return data.StructLayout({name: (signed if sign else unsigned)(bits) for name, (bits, sign) in fields})


class DrainSequence(wiring.Component):
    """Names the sums that arrive in order, and fetches parameters and state of each.

    `channel` and the flags belong to the sum that is taken with `next`; parameters and state
    arrive one `advance` later. With several time steps the state written with `write` is read in
    the following step; `wait` holds the first channel back until the last one has been written.

    Parameters
    ----------
    profile
        Shape of the layer.
    state
        Bits of a neuron's state; unused with one time step.
    """

    def __init__(self, profile: LayerProfile, steps: int, state: int, contents: Contents | None = None):
        self._profile = profile
        self._steps = steps
        self._contents = contents
        channel = index_bits(profile.channels)
        super().__init__(
            {
                "advance": In(1),
                "next": In(1),
                "wait": Out(1),
                "channel": Out(channel),
                "first_step": Out(1),
                "last_channel": Out(1),
                "last_step": Out(1),
                "parameters": Out(parameter_layout(profile)),
                "state": Out(state),
                "write": In(1),
                "write_channel": In(channel),
                "write_state": In(state),
            }
        )

    def open(self, m: Module, i: stream.Interface, o: stream.Interface) -> Pipeline:
        """Start a unit's pipeline: stream `i` enters it, and it stands still while a beat waits on `o`.

        Returns the pipeline after its first stage, with `sum`, `channel` and the flags; parameters
        and state arrive beside that stage.
        """
        m.submodules.drain = self
        advance = ~o.valid | o.ready
        m.d.comb += [
            i.ready.eq(advance & ~self.wait),
            self.advance.eq(advance),
            self.next.eq(i.valid & i.ready),
        ]
        p = Pipeline(m, self.advance, self.next)
        p.stage(
            sum=i.payload,
            channel=self.channel,
            first_channel=self.channel == 0,
            last_channel=self.last_channel,
            first_step=self.first_step,
            last_step=self.last_step,
        )
        return p

    def store(self, m: Module, p: Pipeline, state: ValueLike) -> None:
        """Write the state of the channel in the pipeline's present stage, if there are steps to come."""
        if self._steps > 1:
            m.d.comb += [
                self.write.eq(p.valid & self.advance),
                self.write_channel.eq(p.channel),
                self.write_state.eq(state),
            ]

    def elaborate(self, platform: object) -> Module:
        profile = self._profile
        m = Module()
        step = Signal(range(self._steps))
        m.d.comb += [
            self.last_channel.eq(self.channel == profile.channels - 1),
            self.first_step.eq(step == 0),
            self.last_step.eq(step == self._steps - 1),
        ]
        with m.If(self.next):
            m.d.sync += self.channel.eq(Mux(self.last_channel, 0, self.channel + 1))
            with m.If(self.last_channel):
                m.d.sync += step.eq(Mux(self.last_step, 0, step + 1))
        self._fetch_parameters(m)
        if self._steps > 1:
            self._fetch_state(m)
        return m

    def _fetch_parameters(self, m: Module) -> None:
        profile = self._profile
        rows = profile.parameter_sets * profile.channels
        memory = Rom(f"{profile.name}_parameter", parameter_layout(profile), rows, self._contents)
        m.submodules.parameter_memory = memory
        read = memory.read_port()
        m.d.comb += [read.en.eq(self.advance), self.parameters.eq(read.data)]
        if profile.parameter_sets == 1:
            m.d.comb += read.addr.eq(self.channel)
            return
        row = Signal.like(read.addr)
        m.d.comb += read.addr.eq(row)
        with m.If(self.next):
            m.d.sync += row.eq(Mux(self.last_channel & self.last_step, 0, row + 1))

    def _fetch_state(self, m: Module) -> None:
        m.submodules.state_memory = memory = Ram(len(self.state), self._profile.channels)
        read, write = memory.read_port(), memory.write_port()
        waiting, last = Signal(), self._profile.channels - 1
        m.d.comb += [
            read.en.eq(self.advance),
            read.addr.eq(self.channel),
            self.state.eq(read.data),
            write.en.eq(self.write),
            write.addr.eq(self.write_channel),
            write.data.eq(self.write_state),
            self.wait.eq(waiting),
        ]
        with m.If(self.next & self.last_channel):
            m.d.sync += waiting.eq(1)
        with m.Elif(self.write & (self.write_channel == last)):
            m.d.sync += waiting.eq(0)

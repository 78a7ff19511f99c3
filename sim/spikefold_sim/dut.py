"""The interface of a compiled network as the engines and the scoreboard see it."""

from dataclasses import replace

from spikefold.flow.ports import EventFormat, Ports, Probe, ResultFormat
from spikefold.ir.stages import INPUT
from spikefold_hw.interface import Interface
from spikefold_hw.streams import EventStream, index_bits
from spikefold_sim.beats import StreamShape


def ports_of(interface: Interface) -> Ports:
    """Streams of the Verilog top, and a probe for every probed stream."""
    return Ports(
        stimulus=replace(_format(interface.input), tag_bits=interface.tag_bits),
        result=ResultFormat(
            interface.logit_bits,
            index_bits(interface.classes),
            interface.classes,
            interface.checks,
            interface.tag_bits,
        ),
        probes=tuple(
            Probe(name, f"core.probe_{name}", _format(stream)) for name, stream in interface.probed.items()
        ),
        counters=tuple(counter.name for counter in interface.counters),
        load=interface.loaded,
    )


def shapes_of(interface: Interface) -> dict[str, StreamShape]:
    """Shape of every event stream by name: input, then the probed ones."""
    streams = {INPUT: interface.input, **interface.probed}
    return {name: StreamShape(stream.map, stream.time) for name, stream in streams.items()}


def _format(stream: EventStream) -> EventFormat:
    return EventFormat(index_bits(stream.map.channels), stream.levels.bit_length())

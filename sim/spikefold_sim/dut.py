"""The interface of a compiled network as the engines and the scoreboard see it."""

from spikefold.flow.ports import EventFormat, Ports, Probe, ResultFormat
from spikefold.ir.network import INPUT
from spikefold.ir.profile import Profile
from spikefold_hw.network import counter_names
from spikefold_hw.streams import index_bits
from spikefold_sim.beats import StreamShape


def ports_of(profile: Profile) -> Ports:
    """Streams of the Verilog top, and a probe for every stage but the readout."""
    readout = profile.layers[-1]
    formats = {
        name: EventFormat(index_bits(source.channels), levels.bit_length())
        for name, (source, levels) in profile.sources.items()
    }
    stimulus = formats.pop(INPUT)
    return Ports(
        stimulus=stimulus,
        result=ResultFormat(readout.widths.membrane, index_bits(readout.channels), readout.channels),
        probes=tuple(Probe(name, f"core.probe_{name}", format_) for name, format_ in formats.items()),
        counters=counter_names(profile),
        load=profile.loaded,
    )


def shapes_of(profile: Profile) -> dict[str, StreamShape]:
    """Shape of every event stream by name: input, then all stages but the readout."""
    return {
        name: StreamShape(source, profile.input.steps if name == INPUT else profile.steps, profile.order)
        for name, (source, _) in profile.sources.items()
    }

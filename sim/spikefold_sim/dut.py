"""The interface of a compiled network as the engines see it."""

from spikefold.ir.profile import Profile
from spikefold_hw.network import counter_names
from spikefold_hw.streams import index_bits
from spikefold_hw.verilog import top_name
from spikefold_sim.ports import EventFormat, Ports, Probe, ResultFormat


def ports_of(profile: Profile) -> Ports:
    """Ports of the Verilog top, and a probe for every spiking layer."""
    readout = profile.layers[-1]
    return Ports(
        top=top_name(profile),
        stimulus=_events(profile.input_size, profile.input_levels),
        result=ResultFormat(readout.widths.membrane, index_bits(readout.channels), readout.channels),
        probes=tuple(
            Probe(layer.name, f"core.probe_{layer.name}", _events(layer.channels, layer.neuron.levels))
            for layer in profile.layers
            if layer.neuron is not None
        ),
        counters=counter_names(profile),
    )


def _events(neurons: int, levels: int) -> EventFormat:
    return EventFormat(index_bits(neurons), levels.bit_length())

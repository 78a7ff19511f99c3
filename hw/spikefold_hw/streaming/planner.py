"""What the stages of a plan are made from: the network, the user's choices, and how deep buffers must be."""

from collections.abc import Mapping
from typing import Any

from spikefold.errors import InputError
from spikefold.ir import Network
from spikefold.ir.coding import CODINGS, Coding
from spikefold.ir.stages import INPUT, Population, Stage
from spikefold_hw.order import Time
from spikefold_hw.streaming.buffer import BufferShape
from spikefold_hw.streaming.depths import occupancy, ring_depth
from spikefold_hw.streaming.window.shape import WindowShape

MAX_LANES = 1024


class Planner:
    """Checks the choices, and derives what all kinds of stages need.

    Parameters
    ----------
    network
        The integer network.
    lanes
        Lanes by population name; 1..1024 and cut to the channels of a group.
    coding
        Digits of a source's levels by source name; "binary" where it is not named.
    time
        Time steps, and their order.
    units
        Neurons drained per cycle by population name; 1 where not named. It must divide the lanes (after
        the cut) and the channels of a group.

    Attributes
    ----------
    presented
        Time steps of a sample that the input presents: 1 if a static input's current is shared, else T.

    Raises
    ------
    InputError
        If an option names something unknown.
    """

    def __init__(
        self,
        network: Network,
        lanes: Mapping[str, int],
        coding: Mapping[str, Coding],
        time: Time,
        units: Mapping[str, int],
    ) -> None:
        populations = {population.name for population in network.populations}
        _check_names("Lanes", lanes, populations)
        _check_names("Units", units, populations)
        _check_names("Coding", coding, {INPUT, *network.maps} - {network.readout.name})
        for name, value in coding.items():
            if value not in CODINGS:
                raise InputError(f"Coding of {name!r} must be binary, naf or unary, not {value!r}")
        self.network, self.time = network, time
        self._lanes, self._coding, self._units = lanes, coding, units
        self._least, self._kept = occupancy(network, lag=0), occupancy(network)
        once = time.order == "position_major" and _reads_once(network)
        self.presented = 1 if once else network.steps

    def coding(self, source: str) -> Coding:
        """Digits of a source's levels."""
        return self._coding.get(source, "binary")

    def window(self, stage: Stage, port: int, groups: int = 1, kept: bool = False) -> WindowShape:
        """The window of a stage over its `port`-th source; with `kept` it has a line buffer in any case."""
        source = stage.sources[port]
        window, key = stage.window(port, self.network.maps), (stage.name, port)
        steps = self._steps_of(source)
        depth = ring_depth(window, self._kept[key], self._least[key], steps, always=kept or groups > 1)
        return WindowShape(
            source,
            self.network.maps[source],
            window.kernel,
            window.stride,
            window.padding,
            groups,
            self.network.levels_of(source),
            steps,
            depth,
        )

    def buffer(self, stage: Stage, port: int) -> BufferShape:
        """The buffer of a stage for its `port`-th source."""
        source = stage.sources[port]
        depth = (self._kept[stage.name, port] + 1) * self._steps_of(source)
        return BufferShape(source, self.network.levels_of(source), depth)

    def repeats(self, population: Population) -> int:
        """Time steps that one current of a population serves."""
        static = INPUT in population.sources and self.presented < self.network.steps
        return self.network.steps if static else 1

    def lanes(self, name: str, group_channels: int) -> int:
        """Lanes of a population, at most the channels of a group."""
        if name not in self._lanes:
            raise InputError(f"Lanes of {name!r} must be given")
        lanes = self._lanes[name]
        if isinstance(lanes, bool) or not isinstance(lanes, int) or not 1 <= lanes <= MAX_LANES:
            raise InputError(f"Lane count of {name!r} must be 1..{MAX_LANES}, not {lanes!r}")
        return min(lanes, group_channels)

    def units(self, name: str, lanes: int, group_channels: int) -> int:
        """Neurons of a population that are drained per cycle."""
        units = self._units.get(name, 1)
        if isinstance(units, bool) or not isinstance(units, int) or units < 1:
            raise InputError(f"Units of {name!r} must be a positive integer, not {units!r}")
        if lanes % units or group_channels % units:
            raise InputError(
                f"Units of {name!r} must divide its {lanes} lanes and the {group_channels} channels of a "
                f"group, not be {units}"
            )
        return units

    def _steps_of(self, source: str) -> int:
        """Time steps of a source that come together at a position."""
        if self.time.order == "step_major":
            return 1
        return self.presented if source == INPUT else self.network.steps


def _check_names(what: str, given: Mapping[str, Any], known: set[str]) -> None:
    for name in given:
        if name not in known:
            raise InputError(f"{what} must name one of {', '.join(sorted(known))}, not {name!r}")


def _reads_once(network: Network) -> bool:
    """Whether a static input need be presented once: its currents are the same at every time step."""
    if not network.input.static:
        return False
    readers = [stage for stage in network.stages if INPUT in stage.sources]
    return network.steps == 1 or all(
        isinstance(reader, Population)
        and len(reader.projections) == 1
        and len(reader.projections[0].weight) == 1
        for reader in readers
    )

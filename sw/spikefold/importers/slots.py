"""SpikingJelly's counts that are split into binary slots and added up again.

Both are identities, if nothing between them acts on every slot.
"""

from typing import Any

from spikefold.errors import ImportRefusal
from spikefold.importers.table import Converter, Place

_ACCEPTED = "layers of weights without bias between SpikeCountToBinary and TemporalBinSum"


class Slots:
    """Whether the layers of the network at hand see counts or slots."""

    def __init__(self) -> None:
        self._open = 0  # slots of the counts that were split, 0 where none are
        self._most = 1  # levels of the neuron before

    def counts(self, converter: Converter) -> Converter:
        """A neuron whose counts may be split."""

        def convert(layer: Any, place: Place) -> Any:
            neuron: Any = converter(layer, place)
            self._most = neuron.levels
            return neuron

        return convert

    def split(self, layer: Any, place: Place) -> None:
        """Counts become slots; a count above their number would be cut."""
        most = max(self._most, int(place.value.max()))
        if most > layer.num_slots:
            raise ImportRefusal(
                place.name,
                f"it has {layer.num_slots} slots for counts up to {most}",
                "as many slots as the neuron has levels",
            )
        self._open = int(layer.num_slots)

    def join(self, layer: Any, place: Place) -> None:
        """Slots become counts again."""
        if layer.num_slots != self._open:
            raise ImportRefusal(
                place.name,
                f"it adds up {layer.num_slots} slots where there are {self._open}",
                "the number of slots that SpikeCountToBinary made",
            )
        self._open = 0

    def weights(self, converter: Converter) -> Converter:
        """A layer of weights, whose bias every slot would add."""

        def convert(layer: Any, place: Place) -> Any:
            if self._open and layer.bias is not None:
                raise ImportRefusal(place.name, "its bias is added in every slot", _ACCEPTED)
            return converter(layer, place)

        return convert

    def guard(self, converter: Converter) -> Converter:
        """A layer that is not linear."""

        def convert(layer: Any, place: Place) -> Any:
            if self._open:
                raise ImportRefusal(place.name, "it acts on single slots of a count", _ACCEPTED)
            return converter(layer, place)

        return convert

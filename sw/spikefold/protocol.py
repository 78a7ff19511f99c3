"""Broken samples through a design: each must spoil itself and nothing else."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefold.flow.ports import BEAT
from spikefold.golden import Golden
from spikefold.ir import Network
from spikefold_hw.interface import Interface
from spikefold_hw.parts.input_rules import CAUSES, Admitted, Beat, admit
from spikefold_sim.beats import StreamShape, decode_beats
from spikefold_sim.observation import Observation


@dataclass(frozen=True)
class ProtocolCheck:
    """What a design made of a stream with broken samples.

    Attributes
    ----------
    samples
        Results that were due: one for each `end_sample`.
    broken
        Of these, how many the rules of the stream call broken.
    faults
        How many samples were damaged, by kind. Damage may leave a sample whole, or join two.
    causes
        Broken samples by the cause that the design counted.
    wrong_good_frames
        Whole samples whose logits, class, tag or error flag are wrong.
    unmarked
        Broken samples whose result does not have the error flag, or the right tag.
    uncounted
        Broken samples that the design's counters miss, or count too often, over all causes.
    """

    samples: int
    broken: int
    faults: Mapping[str, int]
    causes: Mapping[str, int]
    wrong_good_frames: int
    unmarked: int
    uncounted: int

    @property
    def passed(self) -> bool:
        """Nothing but broken samples was spoilt, and each was told and counted."""
        return not (self.wrong_good_frames or self.unmarked or self.uncounted)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**asdict(self), "passed": self.passed}


def check_protocol(
    network: Network,
    interface: Interface,
    beats: NDArray[np.void],
    seen: Observation,
    faults: Mapping[str, int],
) -> ProtocolCheck:
    """Hold a run on a stream with broken samples against the rules and the golden model.

    Parameters
    ----------
    beats
        What was sent, array of `ports.BEAT`.
    seen
        The run.
    """
    admitted = list(admit(interface.input, _as_beats(beats)))
    good = np.array([not sample.causes for sample in admitted])
    tags = np.array([sample.tag for sample in admitted])
    logits = _logits(network, interface, [sample for sample in admitted if not sample.causes])
    wrong = (seen.logits[good] != logits).any(axis=1) | (seen.winners[good] != logits.argmax(axis=1))
    misled = (seen.errors == good) | (seen.result_tags != tags)
    due = {cause: sum(cause in sample.causes for sample in admitted) for cause in CAUSES}
    counted = {cause: seen.counters[f"violations_{cause}"] for cause in CAUSES}
    sticky = sum(bool(due[cause]) << bit for bit, cause in enumerate(CAUSES))
    return ProtocolCheck(
        samples=len(admitted),
        broken=int((~good).sum()),
        faults=dict(faults),
        causes=counted,
        wrong_good_frames=int((wrong | misled[good]).sum()),
        unmarked=int(misled[~good].sum()),
        uncounted=sum(abs(due[cause] - counted[cause]) for cause in CAUSES)
        + (seen.counters["violations"] != sticky),
    )


def _as_beats(beats: NDArray[np.void]) -> Iterator[Beat]:
    assert beats.dtype.names is not None
    columns = [beats[name].tolist() for name in beats.dtype.names]
    for values in zip(*columns, strict=True):
        yield Beat(**dict(zip(beats.dtype.names, values, strict=True)))


def _logits(network: Network, interface: Interface, samples: list[Admitted]) -> NDArray[np.int64]:
    """Golden logits of whole samples. A host may present a static input differently at every step."""
    rows = [tuple(vars(beat)[name] for name in BEAT.names or ()) for s in samples for beat in s.beats]
    shape = StreamShape(interface.input.map, interface.input.time)
    levels = decode_beats(np.array(rows, BEAT), shape)
    static = network.input.static and interface.input.time.steps == 1
    told = replace(network, input=replace(network.input, static=static))
    return Golden(told).run(levels.reshape(*levels.shape[:2], *network.input.levels_shape)).logits

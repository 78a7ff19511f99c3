"""The kinds of stages: the one place where a kind is registered."""

from spikefold.ir import Add, Pool, Population
from spikefold_hw.streaming.join.stage import JoinStage
from spikefold_hw.streaming.layer.stage import LayerStage
from spikefold_hw.streaming.pool.stage import PoolStage
from spikefold_hw.streaming.stage import Stage

KINDS: dict[type, type[Stage]] = {Population: LayerStage, Pool: PoolStage, Add: JoinStage}
"""Kind of stage by class of the integer network's stage."""


def kinds_by_name() -> dict[str, type[Stage]]:
    """Kinds by their name in a manifest."""
    return {kind.kind: kind for kind in KINDS.values()}

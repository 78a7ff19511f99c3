"""The face of the toy."""

from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np

from spikefold.codec import decode
from spikefold.errors import ModelError
from spikefold.ir.bounds import population_bounds, signed_bits
from spikefold.ir.maps import Map
from spikefold.ir.projections import Dense
from spikefold_hw.architecture import Architecture
from spikefold_hw.cost import Cost
from spikefold_hw.cycles import Cycles, LaneCycles
from spikefold_hw.interface import Interface
from spikefold_hw.order import Time
from spikefold_hw.parts.images import Image
from spikefold_hw.streams import EventStream
from toy_architecture.config import Config
from toy_architecture.core import ToyCore


@dataclass(frozen=True)
class ToyPlan:
    """Inputs and classes, and the bits of a level, a weight or bias, and a sum."""

    architecture: ClassVar[str] = "toy"

    name: str
    inputs: int
    levels: int
    classes: int
    weight_bits: int
    sum_bits: int


def rows_of(network):
    """Rows of weights, (inputs, classes), and the biases as the last row."""
    (readout,) = network.stages
    return np.concatenate([readout.projections[0].weight[0].T, readout.bias])


def plan_of(network, guard=0):
    (readout,) = network.stages
    plain = len(readout.projections) == 1 and isinstance(readout.projections[0], Dense)
    if network.steps > 1 or readout.fraction or not plain:
        raise ModelError("The toy must have one dense readout without fraction, and one time step")
    rows, bounds = rows_of(network), population_bounds(network, readout)
    bits = signed_bits((int(rows.min()), int(rows.max())))
    sums = signed_bits(bounds.membrane, bounds.accumulator) + guard
    return ToyPlan(network.name, network.input.size, network.input.levels, readout.channels, bits, sums)


class Toy(Architecture):
    name = "toy"
    config = Config

    def plan(self, network, config, levels):
        return plan_of(network, config.guard)

    def top(self, plan, contents=None):
        return ToyCore(plan, contents)

    def probes(self, plan, top):
        return {}

    def interface(self, plan):
        first = EventStream(Map(plan.inputs), plan.levels, Time(1, "step_major"))
        longest = plan.levels + plan.classes + 8
        return Interface(plan.name, first, {}, plan.classes, plan.sum_bits, (), False, longest, 0)

    def images(self, plan, network):
        columns = [(column, plan.weight_bits) for column in rows_of(network).T]
        return {f"{plan.name}_rows": Image.of(columns)}

    def predict(self, plan, levels):
        """A beat with level n takes n + 1 cycles; a sample's end two for the bias and one per class."""
        starts, results, now = [], [], 0
        for sample in levels["input"].reshape(-1, plan.inputs):
            starts.append(now)
            events = sample[sample > 0]
            now += int((events + 1).sum()) + (not len(events)) + 2 + plan.classes
            results.append(now - 1)
        digits = int(levels["input"].sum())
        lanes = LaneCycles("readout", plan.classes, now, digits, digits * plan.classes)
        return Cycles(np.array(starts), np.array(results), (lanes,))

    def calibrated(self, plan, levels):
        return self.predict(plan, levels)

    def cost(self, plan):
        rows = plan.inputs + 1
        memories = {f"{plan.name}_rows": (plan.classes * plan.weight_bits, rows)}
        return Cost(memories, {plan.weight_bits: plan.classes * rows}, 4 * plan.classes * plan.sum_bits)

    def check_fit(self, plan, network):
        own = plan_of(network)
        if (own.inputs, own.classes) != (plan.inputs, plan.classes) or own.sum_bits > plan.sum_bits:
            raise ModelError(f"Network must fit the toy {plan!r}, but needs {own!r}")

    def fractions(self, plan):
        return {"readout": 0}

    def summary(self, plan):
        layer = {"widths": {"accumulator": plan.sum_bits, "membrane": plan.sum_bits}}
        reads = [{"source": "input", "digits": "unary", "weight_bits": plan.weight_bits}]
        named = {name: {"readout": value} for name, value in layer.items()}
        named |= {"latencies": {"readout": {"add": 1}}, "lanes": {"readout": plan.classes}}
        named |= {"units": {"readout": 1}, "repeats": {"readout": 1}, "reads": {"readout": reads}}
        return {"steps": 1, **named, "coding": {"input": "unary"}, "order": "step_major", "weights": "rom"}

    def explain(self, plan, config, levels, cycles):
        cost = self.cost(plan)
        row = {
            "stage": "readout",
            "kind": "toy",
            "map": [plan.classes, 1, 1],
            "lanes": plan.classes,
            "units": 1,
            "cycles": cycles.interval,
            "bound": "lanes",
            "lane_use": 1.0,
            "memory_bits": cost.memory_bits,
            "luts": cost.luts,
            "slowest": True,
        }
        total = {"cycles": cycles.interval, "memory_bits": cost.memory_bits, "luts": cost.luts}
        limit = {"stage": "readout", "bound": "lanes", "cycles": cycles.interval, "text": "The toy is slow."}
        return {"stages": [row], "total": total, "limit": limit, "order": "step_major", "order_reason": ""}

    def to_json(self, plan):
        return asdict(plan)

    def from_json(self, data):
        return decode(ToyPlan, data, "Toy plan")


ARCHITECTURE = Toy()

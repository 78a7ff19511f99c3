"""The face of the streaming pipeline."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from amaranth.lib import stream

from spikefold.ir import Network
from spikefold.ir.stages import INPUT
from spikefold_hw.architecture import Architecture
from spikefold_hw.calibration import Levels
from spikefold_hw.cost import Cost
from spikefold_hw.cycles import Cycles
from spikefold_hw.emit.description import Description
from spikefold_hw.interface import Interface
from spikefold_hw.memory_choice import MemoryChoice, choose_memories, wished_word
from spikefold_hw.parts.images import Image
from spikefold_hw.parts.memory import Contents
from spikefold_hw.streaming.choose.coding import codings
from spikefold_hw.streaming.choose.cost import luts_of, memories_of
from spikefold_hw.streaming.choose.exact import timing
from spikefold_hw.streaming.choose.goal import Goal
from spikefold_hw.streaming.choose.search import choose, with_stages
from spikefold_hw.streaming.config import Config
from spikefold_hw.streaming.describe import port_meanings, summary
from spikefold_hw.streaming.explain import explain
from spikefold_hw.streaming.layer.shape import LayerShape
from spikefold_hw.streaming.network import NetworkTop
from spikefold_hw.streaming.outside import counters_of
from spikefold_hw.streaming.plan import Plan
from spikefold_hw.streaming.planning import check_fit, plan_of
from spikefold_hw.streaming.predict import latencies, longest_silence, predict, trailing_silence
from spikefold_hw.streaming.stage import Stage
from spikefold_hw.streams import EventStream


class Streaming(Architecture[Plan, Config]):
    """A core for every stage of the network, all working at once."""

    name = Plan.architecture
    config = Config

    def plan(self, network: Network, config: Config, levels: Levels) -> Plan:
        names = [population.name for population in network.populations]
        lanes, units = config.counts("lanes", names), config.counts("units", names)
        coding = codings(levels, config.coding)
        some = dict.fromkeys(names, 1) | lanes
        plan = plan_of(network, some, coding, config.wanted_order, loaded=config.loaded)
        plan = with_stages(plan, choose(plan, network, levels, lanes, units, Goal(config)))
        plan = replace(plan, stages=tuple(_worded(stage, config) for stage in plan.stages))
        images = {size.name for stage in plan.stages for size in stage.image_sizes()}
        plan = replace(plan, checks=config.checks, tag_bits=config.tag_bits)
        sizes = self.cost(plan).memories
        read_only = set() if plan.loaded else images
        memories = choose_memories(config.memories, config.macro, sizes, images, read_only)
        return replace(plan, memories=memories)

    def top(self, plan: Plan, contents: Contents | None = None) -> NetworkTop:
        return NetworkTop(plan, contents)

    def probes(self, plan: Plan, top: NetworkTop) -> Mapping[str, stream.Interface]:
        return top.streams

    def interface(self, plan: Plan) -> Interface:
        streams = {
            name: EventStream(map_, levels, plan.time_of(name))
            for name, (map_, levels) in plan.sources.items()
        }
        return Interface(
            name=plan.name,
            input=streams.pop(INPUT),
            probed=streams,
            classes=plan.readout.channels,
            logit_bits=plan.readout.widths.membrane,
            counters=counters_of(plan),
            loaded=plan.loaded,
            longest_silence=longest_silence(plan),
            trailing_silence=trailing_silence(plan),
            checks=plan.checks,
            tag_bits=plan.tag_bits,
        )

    def images(self, plan: Plan, network: Network) -> dict[str, Image]:
        return {name: image for stage in plan.stages for name, image in stage.images(network).items()}

    def memory_choices(self, plan: Plan) -> tuple[MemoryChoice, ...]:
        return plan.memories

    def describe(self, plan: Plan) -> Description:
        return replace(super().describe(plan), summary=summary(plan), ports=port_meanings(plan))

    def predict(self, plan: Plan, levels: Levels) -> Cycles:
        return predict(plan, levels)

    def calibrated(self, plan: Plan, levels: Levels) -> Cycles:
        return timing(plan, levels)

    def cost(self, plan: Plan) -> Cost:
        weights: dict[int, int] = {}
        for lanes in (layer.lanes_shape for layer in plan.layers):
            for port, each in enumerate(lanes.weights):
                weights[each.bits] = weights.get(each.bits, 0) + lanes.blocks.lanes * lanes.rows(port)
        memories = {name: size for stage in plan.stages for name, size in memories_of(stage).items()}
        spram = frozenset(choice.name for choice in plan.memories if choice.style == "spram")
        return Cost(memories, weights, sum(map(luts_of, plan.stages)) + luts_of(None), spram)

    def check_fit(self, plan: Plan, network: Network) -> None:
        check_fit(network, plan)

    def fractions(self, plan: Plan) -> dict[str, int]:
        return {layer.name: layer.fraction for layer in plan.layers}

    def summary(self, plan: Plan) -> dict[str, Any]:
        layers = plan.layers
        return {
            "steps": plan.time.steps,
            "widths": {layer.name: asdict(layer.widths) for layer in layers},
            "latencies": latencies(plan),
            "lanes": {layer.name: layer.lanes for layer in layers},
            "units": {layer.name: layer.units for layer in layers},
            "coding": plan.coding,
            "repeats": {layer.name: layer.repeats for layer in layers},
            "order": plan.time.order,
            "weights": "loaded" if plan.loaded else "rom",
            "checks": plan.checks,
            "tag_bits": plan.tag_bits,
            "reads": {layer.name: _reads(layer) for layer in layers},
        }

    def explain(self, plan: Plan, config: Config | None, levels: Levels, cycles: Cycles) -> dict[str, Any]:
        return explain(plan, levels, cycles, None if config is None else config.wanted_order)

    def to_json(self, plan: Plan) -> Any:
        return plan.to_json()

    def from_json(self, data: object) -> Plan:
        return Plan.from_json(data)


def _worded(stage: Stage, config: Config) -> Stage:
    """The stage with weight memories of the width that their style fixes, if one does."""
    if not isinstance(stage, LayerShape):
        return stage
    window = "_window0" if len(stage.projections) > 1 else ""
    word = wished_word(config.memories, f"{stage.name}{window}_weight0")
    return replace(stage, word=word)


def _reads(layer: LayerShape) -> list[dict[str, Any]]:
    """What a layer reads: source, how its levels are taken apart, bits of a weight."""
    rows: list[tuple[str, str, int]] = [(p.source, p.coding, p.weight_bits) for p in layer.projections]
    rows += [(skip.source, "identity", skip.weight_bits) for skip in layer.skips]
    return [{"source": source, "digits": digits, "weight_bits": bits} for source, digits, bits in rows]


ARCHITECTURE = Streaming()

"""LayerStage: widths hold every number, and what a layer's parameters and ladder need."""

from itertools import product

import numpy as np
import pytest
from network_cases import LANES, fits_in, narrow
from random_networks import LEAK_NAMES, chain_network, random_levels, scalar_run

from spikefold_hw.parts.parameters import parameter_rows
from spikefold_hw.streaming.planning import plan_of


@pytest.mark.parametrize("reset", ["subtract", "zero", "scale", "none"])
def test_widths_hold_every_number(reset):
    rng = np.random.default_rng(1)
    for leak, cap, levels in product(LEAK_NAMES, (None, 10), (1, 4, 5)):
        network = chain_network(
            rng,
            steps=3,
            reset=reset,
            leak=leak,
            membrane_bits=cap,
            levels=levels,
            fire_floor=bool(levels & 1),
        )
        plan = plan_of(network, LANES)
        runs = [scalar_run(network, sample) for sample in random_levels(rng, network, 6)]
        for p, layer in zip(network.populations, plan.layers, strict=True):
            rows = parameter_rows(p)
            widths = layer.widths
            for _, membranes, potentials, _ in runs:
                assert fits_in(membranes[p.name], widths.membrane)
                assert fits_in(potentials[p.name], widths.potential)
            assert fits_in(rows["bias"], widths.bias)
            if p.neuron is None:
                assert list(rows) == ["bias"]
                continue
            assert (rows["threshold"] < 1 << widths.threshold).all()
            assert (rows["threshold"] >= 1 << (widths.threshold - 1)).any()
            assert ("top" in rows) == layer.neuron.stores_top
            if "fire_floor" in rows:
                assert fits_in(rows["fire_floor"], widths.fire_floor)


@pytest.mark.parametrize(
    ("levels", "top", "stored"),
    [(1, 1, False), (4, 1, False), (5, 2, False), (6, 3, True), (255, 128, False)],
)
def test_the_top_of_the_ladder_is_stored_unless_a_shift(levels, top, stored):
    network = narrow(levels=levels)
    neuron = plan_of(network, LANES).layers[0].neuron
    assert (neuron.top, neuron.stores_top) == (top, stored)
    rows = parameter_rows(network.populations[0])
    assert ("top" in rows) == stored
    if stored:
        np.testing.assert_array_equal(rows["top"], rows["threshold"] * top)


def test_half_a_threshold_is_merged_only_where_nothing_acts_in_between():
    for options in ({}, {"membrane_bits": 12}, {"reset": "scale"}):
        p = narrow(fire_floor=True, **options).populations[0]
        rows = parameter_rows(p)
        half = p.neuron.threshold >> 1 if not options else 0
        np.testing.assert_array_equal(rows["bias"], np.broadcast_to(p.bias + half, rows["bias"].shape))
        np.testing.assert_array_equal(
            rows["fire_floor"], np.broadcast_to(p.neuron.fire_floor + half, rows["bias"].shape)
        )

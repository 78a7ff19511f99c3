"""Effort and energy against the tables of the papers."""

import numpy as np
import pytest
import torch

from spikefold import nn
from spikefold.analysis import analyze, synaptic_effort
from spikefold.analysis.cost import Update, integer_energy, neuromorphic_energy, pit_energy, update_of
from spikefold.errors import InputError
from spikefold.quantize.leak import leak_shifts


@pytest.fixture(scope="module", params=["ilif", "pit"])
def resnet18(request):
    """PIT's ResNet18 for CIFAR10, untrained; a silent image is enough for what does not depend on images."""
    torch.set_num_threads(1)
    model = nn.models.preact_resnet18((3, 32, 32), 10, neuron=request.param, levels=4).eval()
    for module in model.modules():
        if isinstance(module, nn.PIT):
            module.log_scale.data.fill_(0.5)
    return request.param, analyze(model, np.zeros((1, 3, 32, 32), np.float32))


def test_resnet18_against_table_3_and_10(resnet18):
    kind, found = resnet18
    widths, rows = (64, 128, 256, 512), (32, 16, 8, 4)
    by_hand = 3 * 64 * 9 * 32**2 + 512 * 10
    for stage, (width, size) in enumerate(zip(widths, rows, strict=True)):
        before = widths[max(0, stage - 1)]
        by_hand += size**2 * 9 * width * (before + 3 * width)
        by_hand += size**2 * before * width if stage else 0  # the 1x1 shortcut
    assert found.totals.macs == by_hand
    rounded = round(by_hand / 1e9, 2)
    assert rounded == 0.56
    assert synaptic_effort(int(rounded * 1e9), 1, 4, 0.0).s_ace / 1e9 == pytest.approx(35.84)  # Table 3
    assert found.effort.s_ace == by_hand * 16 * 4
    assert found.parameters / 1e6 == pytest.approx(11.18, abs=0.01)
    macs = {"ilif": 2.33, "pit": 2.88}[kind]  # Table 10
    assert round(found.totals.pit_macs / 1e6, 2) == macs
    accumulations = {"ilif": 56.67, "pit": 49.30}[kind]
    energy = {"ilif": 61.71, "pit": 57.64}[kind]
    assert pit_energy(accumulations * 1e6, found.totals.pit_macs) == pytest.approx(energy, abs=0.01)


@pytest.mark.parametrize(
    ("sops", "energy"), [(71.20, 49.73), (99.05, 51.88), (128.61, 54.15), (303.79, 67.64)]
)
def test_tables_of_qb_lif_and_reverb(sops, energy):
    """3.54 MFLOP: a 3x3 convolution from 3 to 64 channels over 32x32 positions, at two time steps."""
    flops = 2 * 3 * 64 * 9 * 32 * 32
    assert round(flops / 1e6, 2) == 3.54
    assert neuromorphic_energy(3.54e6, sops * 1e6) == pytest.approx(energy, abs=0.006)
    assert neuromorphic_energy(0, 0, 1e6) == pytest.approx(3.7)


def test_effort():
    """NS-ACE of Table 3: a rate of 18 % for LIF 4x1, 12 % for PIT 1x4."""
    for steps, levels in ((4, 1), (1, 4), (2, 2)):
        found = synaptic_effort(10, steps, levels, 0.25, weight_bits=8)
        assert (found.s_ace, found.ns_ace) == (320, 80)
    assert (found + found).ns_ace == 160
    with pytest.raises(InputError, match=r"^Weight bits must be a positive integer, not 0$"):
        synaptic_effort(10, 1, 1, 0.5, weight_bits=0)


def test_integer_additions():
    assert integer_energy(1e6) == pytest.approx(0.1)
    assert integer_energy(1e6, 0.9) == pytest.approx(pit_energy(1e6, 0))


def test_updates_counted_by_hand():
    half, none, one = (leak_shifts(leak, 3) for leak in (0.5, 0.0, 1.0))
    # bias, half, 3 rungs; no membrane with one step
    assert update_of(4, "half_up", "subtract", half, None, False, 1) == Update(0, 5, 3)
    # and (v + 1) >> 1, its sum with the current, the half taken off again
    assert update_of(4, "half_up", "subtract", half, None, False, 2) == Update(1, 8, 3)
    assert update_of(4, "half_even", "subtract", half, None, False, 2) == Update(1, 8, 3)
    assert update_of(4, "half_up", "subtract", none, None, False, 2) == Update(0, 6, 3)
    assert update_of(1, "floor", "subtract", one, None, False, 2) == Update(0, 3, 1)
    # ReverB's floor is one more comparison
    assert update_of(15, "floor", "zero", one, None, True, 2) == Update(0, 6, 5)
    # (4u + u + 4) >> 3 for 5/8
    factor = leak_shifts(0.625, 3)
    assert update_of(15, "floor", "scale", one, factor, False, 2) == Update(2, 8, 4)

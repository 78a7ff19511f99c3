"""Mixtures of samples: labels follow what was mixed."""

import numpy as np
import pytest
import torch

from spikefold.train import TrainingOptions
from spikefold.train.mix import mix


def mixed(seed: int, count: int = 4, size: tuple[int, int] = (8, 6), **options: float) -> tuple:
    """Mix images whose pixels all are their own number, so that pixels tell where they are from."""
    x = torch.arange(count, dtype=torch.float32)[:, None, None, None].expand(count, 2, *size).contiguous()
    generator = torch.Generator().manual_seed(seed)
    return mix(x, torch.arange(count), count, TrainingOptions(**options), generator)


@pytest.mark.parametrize("seed", range(18))
def test_cutmix_pastes_a_box_and_labels_are_the_areas(seed: int) -> None:
    x, y = mixed(seed, cutmix=1.0)
    for image, target in zip(x, y, strict=True):
        area = torch.bincount(image[0].long().flatten(), minlength=4) / 48
        assert torch.allclose(area, target, atol=1e-6)
        assert torch.equal(image[0], image[1])
    own = torch.stack([x[i, 0] == i for i in range(4)])
    foreign = ~own.all(0)
    rows, columns = foreign.any(1).nonzero()[:, 0], foreign.any(0).nonzero()[:, 0]
    assert len(rows) > 0
    assert bool(foreign[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all())  # one box, for all
    assert foreign.sum() == len(rows) * len(columns)


def test_a_box_of_cutmix_may_be_empty() -> None:
    x, y = mixed(18, cutmix=1.0)
    assert all(bool((image == k).all()) for k, image in enumerate(x))
    assert torch.equal(y, torch.eye(4))


@pytest.mark.parametrize("seed", range(5))
def test_mixup_is_the_same_mean_of_samples_and_labels(seed: int) -> None:
    x, y = mixed(seed, mixup=0.8)
    assert torch.allclose(y.sum(1), torch.ones(4))
    assert torch.allclose(x[:, 0, 0, 0], y @ torch.arange(4.0), atol=1e-5)
    assert torch.equal(x.amin((1, 2, 3)), x.amax((1, 2, 3)))


def test_shares_follow_the_beta_distribution() -> None:
    """With alpha the share kept has mean 1/2 and variance 1 / (4 (2 alpha + 1))."""
    shares = []
    for seed in range(400):
        _, y = mixed(seed, count=2, mixup=0.5)
        if bool((y != y.round()).any()):  # a permutation may leave samples where they are
            shares += [y[0, 0].item(), y[0, 1].item()]
    assert np.var(shares) == pytest.approx(1 / 8, rel=0.15)


def test_with_both_one_in_two_batches_is_cut() -> None:
    cut = sum(bool((mixed(seed, mixup=1.0, cutmix=1.0)[0] % 1 == 0).all()) for seed in range(200))
    assert 80 <= cut <= 125  # a few mixed ones have whole numbers too: samples mixed with themselves


def test_the_seed_decides() -> None:
    first, again, other = (mixed(seed, mixup=0.8, cutmix=1.0) for seed in (3, 3, 4))
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[1], other[1])

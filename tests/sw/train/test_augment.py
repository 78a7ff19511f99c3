"""Augmentation: what moves where, what is cut out, and that the generator decides."""

import pytest
import torch

from spikefold.errors import MissingToolError
from spikefold.train import TrainingOptions
from spikefold.train.augment import augment, auto_augment, cut_out, flip_images, shift_images, sub_policies


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_shifted_images_are_windows_of_the_padded_ones() -> None:
    x = torch.rand(40, 2, 5, 4)
    shifted = shift_images(x, 2, generator(), fill=-1.0)
    padded = torch.nn.functional.pad(x, (2,) * 4, value=-1.0)
    found = set()
    for image, frame in zip(shifted, padded, strict=True):
        places = [
            (i, j) for i in range(5) for j in range(5) if torch.equal(frame[:, i : i + 5, j : j + 4], image)
        ]
        assert places
        found.add(places[0])
    assert {i for i, _ in found} == {j for _, j in found} == set(range(5))


def test_flips_mirror_about_half_of_the_images() -> None:
    x = torch.rand(200, 1, 3, 4)
    flipped = flip_images(x, generator())
    mirrored = [torch.equal(after, before.flip(-1)) for before, after in zip(x, flipped, strict=True)]
    kept = [torch.equal(after, before) for before, after in zip(x, flipped, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 75 < sum(mirrored) < 125


@pytest.mark.parametrize("side", [1, 2, 3, 50])
def test_cutout_blanks_a_square_of_every_channel(side: int) -> None:
    x = torch.rand(60, 3, 7, 6) + 1
    cut = cut_out(x, side, generator(), fill=0.25)
    gone = cut == 0.25
    assert torch.equal(cut[~gone], x[~gone])
    assert bool((gone == gone[:, :1]).all())
    sizes = set()
    for hole in gone[:, 0]:
        rows, columns = hole.any(1).sum().item(), hole.any(0).sum().item()
        assert hole.sum() == rows * columns > 0
        assert max(rows, columns) <= side
        sizes.add((rows, columns))
    assert (min(side, 7), min(side, 6)) in sizes
    assert len(sizes) > 1 or side in (1, 50)  # some hang over the edge


def test_the_generator_decides_and_the_span_is_kept() -> None:
    options = TrainingOptions(shift=1, flip=True, cutout=2)
    x = torch.rand(8, 3, 6, 6) * 4 - 2
    first, again, other = (augment(x, options, generator(seed), (-2.0, 2.0)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.min() == -2.0  # what is blanked
    assert torch.equal(augment(x, TrainingOptions(), generator()), x)


def test_auto_augment_draws_a_part_for_each_image() -> None:
    pytest.importorskip("kornia")
    x = torch.rand(32, 3, 16, 16) * 255
    torch.manual_seed(0)
    first = auto_augment(x, "cifar10", generator(), (0.0, 255.0))
    torch.manual_seed(0)
    again = auto_augment(x, "cifar10", generator(), (0.0, 255.0))
    assert torch.equal(first, again)
    torch.manual_seed(0)
    assert not torch.equal(auto_augment(x, "cifar10", generator(1), (0.0, 255.0)), first)
    assert first.shape == x.shape
    assert first.dtype == torch.float32
    assert first.min() >= 0
    assert first.max() <= 255 + 1e-3
    changed = ((first - x).abs() > 0.01).flatten(1).any(1)
    assert 10 < changed.sum() < 32
    assert first.max() > 2
    one = torch.rand(1, 3, 16, 16).expand(300, 3, 16, 16)
    torch.manual_seed(0)
    assert len(auto_augment(one, "imagenet", generator()).flatten(1).unique(dim=0)) > 15


def test_every_policy_has_the_papers_25_parts() -> None:
    pytest.importorskip("kornia")
    for policy in ("cifar10", "imagenet", "svhn"):
        assert len(sub_policies(policy)) == 25


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, *_: object) -> None:
        raise ImportError(name)

    sub_policies.cache_clear()
    monkeypatch.setattr("spikefold.train.augment.import_module", missing)
    with pytest.raises(
        MissingToolError, match=r"^Recipe training\.autoaugment needs the package kornia; install it with: "
    ):
        auto_augment(torch.rand(2, 3, 4, 4), "svhn", generator())

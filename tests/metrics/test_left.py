"""How much of the artifact is left, and how well the rest was copied."""

import pytest
import torch

from unmetal.metrics.left import left_and_copy


def images():
    draw = torch.Generator().manual_seed(0)
    free = 0.2 + 0.02 * torch.rand(2, 1, 32, 32, generator=draw)
    artifact = 0.05 * torch.randn(2, 1, 32, 32, generator=draw)
    metal = torch.zeros(2, 1, 32, 32, dtype=torch.bool)
    metal[..., 10:14, 10:14] = True
    return free, free + artifact, metal


def test_doing_nothing_leaves_everything_and_copies_perfectly():
    free, image, metal = images()
    found = left_and_copy(image, free, image, free, metal)
    assert found["left"] == pytest.approx([1, 1])
    assert found["copy"].isinf().all()


def test_painting_one_picture_leaves_nothing_and_copies_badly():
    free, image, metal = images()
    grey = torch.full_like(free, 0.2)
    found = left_and_copy(grey, grey, image, free, metal)
    assert found["left"].tolist() == [0, 0]
    expected = -10 * torch.log10(((free - 0.2) / 0.5).square().mean((1, 2, 3)))
    assert found["copy"].tolist() == pytest.approx(expected.tolist(), rel=1e-5)


def test_half_of_the_artifact_and_an_error_inside_the_metal():
    free, image, metal = images()
    output = (image + free) / 2
    output[metal] = 0.4
    assert left_and_copy(output, free, image, free, metal)["left"] == pytest.approx([0.5, 0.5])

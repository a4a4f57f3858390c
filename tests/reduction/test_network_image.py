"""Networks at their own size, slices at theirs."""

import numpy as np
import pytest
import torch

from unmetal.methods.method import Method
from unmetal.physics.derive import body_mask
from unmetal.physics.frames import Frame, crop_resize, frame_of, paste_back
from unmetal.reduction.network_image import (
    correct_tissue_offsets,
    network_image,
    wiener_gate,
)
from unmetal.units import hu_to_mu, mu_to_hu


class Dims(Method):
    """Takes a fixed smooth bump for the artifact, and answers with an offset."""

    input_size = 64

    def __init__(self, offset=0.0):
        super().__init__()
        self.offset = offset

    def reduce(self, scan):
        assert scan.image.shape[-2:] == (64, 64)
        return scan.image.clip(0, 0.5) - bump(64) + self.offset


def bump(size):
    """A smooth artifact in one corner of the body, [1 1 size size], 1/cm."""
    t = torch.linspace(-1, 1, size)
    return 0.02 * torch.exp(-((t[:, None] - 0.3) ** 2 + (t[None] - 0.2) ** 2) / 0.02)[None, None]


@pytest.fixture
def disc():
    """A disc of muscle, off centre in air, [1 1 200 180]; pixels of 2 mm."""
    y, x = torch.arange(200)[:, None] - 110, torch.arange(180)[None] - 80
    hu = torch.where(x**2 + y**2 < 60**2, 50.0, -1000.0)
    return hu_to_mu(hu)[None, None]


def body_of(image):
    """The disc, bool [1 H W]."""
    return body_mask(mu_to_hu(image[0, 0]).numpy(), 2.0)[None]


def test_frame_is_a_square_about_the_body(disc):
    frame = frame_of(body_of(disc)[0])
    assert frame.side == pytest.approx(1.04 * 120, abs=3)
    assert frame.top + frame.side / 2 == pytest.approx(110, abs=2)
    assert frame.left + frame.side / 2 == pytest.approx(80, abs=2)
    assert frame_of(np.zeros((40, 60), bool)).side >= 60


def test_artifact_comes_back_where_it_was_found(disc):
    frame = frame_of(body_of(disc)[0])
    small = crop_resize(disc[0], frame, 64)
    assert small.shape == (1, 64, 64)
    found = paste_back(bump(64)[0], frame, disc[0])
    assert found.shape == disc[0].shape
    inside = found[..., frame.top :, frame.left :][..., : frame.side, : frame.side]
    torch.testing.assert_close(inside, bump(frame.side)[0], atol=1e-3, rtol=0)
    assert found.abs().sum() == pytest.approx(inside.abs().sum().item(), rel=1e-5)


def test_only_the_artifact_is_taken_out_and_no_offset(disc):
    with torch.no_grad():
        found = disc - network_image(Dims(0.004), disc, body_of(disc))
    frame = frame_of(body_of(disc)[0])
    expected = paste_back(bump(64)[0], frame, disc[0])[None]
    # An offset of 0.004/cm is 21 HU; the gate takes a little from the foot of the bump.
    torch.testing.assert_close(found, expected, atol=0.0006, rtol=0)


def test_restoring_moves_tissues_each_by_its_own():
    image = hu_to_mu(torch.cat([torch.full((400,), -100.0), torch.full((400,), 50.0)]))
    image = image.reshape(1, 1, 20, 40)
    wrong = torch.where(mu_to_hu(image) < 0, image + 0.003, image - 0.002)
    torch.testing.assert_close(correct_tissue_offsets(wrong, image), image, atol=1e-4, rtol=0)


def test_usual_error_is_not_taken_for_artifact():
    torch.manual_seed(0)
    noise = 0.001 * torch.randn(1, 1, 64, 64)
    image = torch.full((1, 1, 64, 64), 0.2)
    assert wiener_gate(noise, image).abs().mean() < 0.3 * noise.abs().mean()
    strong = noise + 20 * bump(64)
    at = (0, 0, 41, 38)
    assert wiener_gate(strong, image)[at].item() == pytest.approx(strong[at].item(), rel=0.01)


def test_padding_and_cutting_are_inverse():
    frame = Frame(top=-3, left=5, side=30)
    image = torch.rand(1, 20, 40)
    cut = torch.nn.functional.pad(image, frame.padding(20, 40))
    assert cut.shape == (1, 30, 30)
    again = torch.nn.functional.pad(cut, [-n for n in frame.padding(20, 40)])
    assert again.shape == image.shape
    assert torch.equal(again[:, :, 5:35], image[:, :, 5:35])

"""T27 of the specification: the metrics against scikit-image, scipy and arithmetic."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, uniform_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from torch import Tensor

from unmetal.metrics.image_quality import psnr, rmse, ssim, ssim_gaussian, ssim_wang


def pair(height: int = 40, width: int = 52) -> tuple[Tensor, Tensor]:
    generator = np.random.default_rng(0)
    truth = np.stack([gaussian_filter(generator.random((height, width)), s) for s in (1, 3)])
    output = truth + 0.05 * generator.standard_normal(truth.shape)
    return torch.from_numpy(output)[:, None], torch.from_numpy(truth)[:, None]


@pytest.mark.parametrize(("error", "decibel"), [(0.01, 40), (0.05, 26.0206), (0.1, 20)])
def test_psnr_of_a_constant_error(error: float, decibel: float) -> None:
    truth = torch.rand(3, 1, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(
        psnr(truth + error, truth),
        torch.full((3,), decibel, dtype=torch.float64),
        rtol=0,
        atol=1e-4,
    )
    assert rmse(truth + error, truth).tolist() == pytest.approx([error] * 3)


def test_an_image_and_itself() -> None:
    image = pair()[0]
    assert psnr(image, image).tolist() == [math.inf, math.inf]
    for metric in (ssim, ssim_gaussian, ssim_wang):
        assert metric(image, image).tolist() == pytest.approx([1, 1], abs=1e-12)


def test_all_are_scikit_images_to_a_millionth() -> None:
    output, truth = pair()
    for i, (x, y) in enumerate(zip(output[:, 0].numpy(), truth[:, 0].numpy(), strict=True)):
        for data_range in (1.0, 0.3):
            expected = peak_signal_noise_ratio(y, x, data_range=data_range)
            assert psnr(output, truth, data_range)[i].item() == pytest.approx(expected, abs=1e-6)
            expected = structural_similarity(y, x, data_range=data_range)
            assert ssim(output, truth, data_range)[i].item() == pytest.approx(expected, abs=1e-6)
            whole, each = structural_similarity(
                y,
                x,
                data_range=data_range,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
                full=True,
            )
            wang = ssim_wang(output, truth, data_range)[i].item()
            assert wang == pytest.approx(whole, abs=1e-6)
            everywhere = ssim_gaussian(output, truth, data_range)[i].item()
            assert everywhere == pytest.approx(each.mean(), abs=1e-6)


def test_a_mask_selects() -> None:
    output, truth = pair()
    mask = torch.zeros_like(truth, dtype=torch.bool)
    mask[..., 5:9, 10:30] = True
    part = output[mask].reshape(2, -1), truth[mask].reshape(2, -1)
    expected = (part[0] - part[1]).pow(2).mean(1).sqrt()
    torch.testing.assert_close(rmse(output, truth, mask), expected)
    spoilt = torch.where(mask, output, 9.0)
    assert torch.equal(psnr(spoilt, truth, mask=mask), psnr(output, truth, mask=mask))
    assert rmse(output, truth, mask & False).isnan().all()


@pytest.mark.parametrize(
    ("size", "factor"), [(256, 1), (383, 1), (384, 2), (385, 2), (416, 2), (640, 3)]
)
def test_wang_shrinks_as_matlab_does(size: int, factor: int) -> None:
    # imfilter(x, ones(f) / f^2, 'symmetric', 'same'), then x(1:f:end, 1:f:end): the window of two
    # looks at the next pixel.
    images = np.random.default_rng(1).random((2, size, size + 7))
    origin = 0 if factor % 2 else -1
    small = [
        uniform_filter(x, factor, mode="reflect", origin=origin)[::factor, ::factor] for x in images
    ]
    expected = structural_similarity(
        *small, data_range=1, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    found = ssim_wang(*(torch.from_numpy(x)[None, None] for x in images))
    assert found.item() == pytest.approx(expected, abs=1e-9)


def test_single_precision_is_judged_in_double() -> None:
    output, truth = pair()
    far = 1e4 + output.float(), 1e4 + truth.float()
    found = ssim(far[0], far[1], 1.0)
    expected = ssim(far[0].double(), far[1].double(), 1.0)
    assert torch.equal(found, expected)

"""The two evaluations against published numbers, and what they must not see."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from unmetal.metrics.image_quality import adn_protocol, hu_protocol
from unmetal.physics.derive import dilate
from unmetal.units import hu_to_mu


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(*shape, generator=generator, dtype=torch.float64) * 0.6


def test_adn_is_the_released_script() -> None:
    output, truth, corrupted = (images(2, 1, 40, 40, seed=s) for s in range(3))
    found = adn_protocol(output, truth, corrupted)
    for i in range(2):
        keep = (corrupted[i, 0] <= 0.5).numpy()
        scaled = [x[i, 0].numpy().clip(0, 0.5) / 0.5 * 2 - 1 for x in (output, truth)]
        x, y = (z * keep * 0.5 + 0.5 for z in scaled)
        expected = peak_signal_noise_ratio(y, x, data_range=1)
        assert found["psnr"][i].item() == pytest.approx(expected, abs=1e-6)
        expected = structural_similarity(y, x, data_range=1)
        assert found["ssim"][i].item() == pytest.approx(expected, abs=1e-6)


def test_adn_counts_the_masked_pixels_as_right() -> None:
    truth = torch.full((1, 1, 32, 32), 0.2, dtype=torch.float64)
    corrupted = truth.clone()
    corrupted[..., :16] = 0.7
    found = adn_protocol(truth + 0.005, truth, corrupted)
    # An error of 0.01 in half of the pixels: 3 dB better than 40.
    assert found["psnr"].item() == pytest.approx(40 + 10 * np.log10(2), abs=1e-6)
    assert found["rmse_hu"].item() == pytest.approx(0.005 / 0.192 * 1000, rel=1e-6)


def test_adn_does_not_see_the_metal_nor_beyond_the_window() -> None:
    output, truth, corrupted = (images(1, 1, 40, 40, seed=s) for s in range(3))
    expected = adn_protocol(output, truth, corrupted)
    spoilt = torch.where(corrupted > 0.5, -3.0, output)
    spoilt = torch.where(spoilt >= 0.5, 7.0, spoilt)
    assert adn_protocol(spoilt, truth, 5 * corrupted - 2) is not None
    found = adn_protocol(spoilt, truth, corrupted)
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_adn_scores_of_the_shipped_sample(reference: Path) -> None:
    folder = reference / "adn_reference"
    clean = "deep_lesion__clean_of__000365_03_01_473.npy"
    name = "000365_03_01_473_10"

    def load(file: str) -> torch.Tensor:
        return torch.from_numpy(np.load(folder / file)).double()[None, None]

    truth = hu_to_mu(load(clean))
    corrupted = hu_to_mu(load(f"deep_lesion__with_art__{name}.npy"))
    output = load(f"deep_lesion__official_reduced__{name}_000372_05_01_030_gt__mu.npy")
    before, after = (adn_protocol(x, truth, corrupted) for x in (corrupted, output))
    assert before["psnr"].item() == pytest.approx(29.54, abs=0.005)
    assert before["ssim"].item() == pytest.approx(0.702, abs=0.0005)
    assert after["psnr"].item() == pytest.approx(35.92, abs=0.005)
    assert after["ssim"].item() == pytest.approx(0.954, abs=0.0005)


def test_hu_scores_of_the_inputs_of_the_catsim_pairs(reference: Path) -> None:
    pairs = np.load(reference / "catsim_dev_14.npz")
    corrupted, clean = (
        torch.from_numpy(pairs[k][:, None]).double() / 4 for k in ("ma_x4", "clean_x4")
    )
    metal, body = (
        torch.from_numpy(np.unpackbits(pairs[k], axis=-1).astype(bool))[:, None]
        for k in ("mask", "body")
    )
    found = hu_protocol(corrupted, clean, body, metal)
    means = {name: values.mean().item() for name, values in found.items()}
    assert means["psnr"] == pytest.approx(26.46, abs=0.005)
    assert means["ssim"] == pytest.approx(0.724, abs=0.0005)
    assert means["rmse_hu"] == pytest.approx(179.5, abs=0.05)


def test_hu_does_not_see_the_metal_nor_what_is_near_it_nor_beyond_its_range() -> None:
    truth = images(1, 1, 40, 40) * 4000 - 400
    output = truth + images(1, 1, 40, 40, seed=1) * 100
    metal = torch.zeros_like(truth, dtype=torch.bool)
    metal[..., 18:22, 10:14] = True
    body = torch.ones_like(metal)
    body[..., :5] = False
    expected = hu_protocol(output, truth, body, metal)
    spoilt = output.clone()
    spoilt[..., 16:24, 10:14] = 8000
    spoilt[..., 18:22, 8:16] = -9000
    assert {k: v.item() for k, v in hu_protocol(spoilt, truth, body, metal).items()} == {
        k: v.item() for k, v in expected.items()
    }
    outside = torch.where(body, output, 500.0)
    assert torch.equal(hu_protocol(outside, truth, body, metal)["psnr"], expected["psnr"])
    assert expected["psnr"].item() == pytest.approx(
        20 * np.log10(3000 / expected["rmse_hu"].item()), abs=1e-9
    )


def test_dilation_is_scipys() -> None:
    mask = images(2, 1, 30, 40) > 0.57
    for pixels in (0, 1, 3):
        found = dilate(mask, pixels)
        for got, given in zip(found[:, 0], mask[:, 0], strict=True):
            expected = binary_dilation(given, iterations=pixels) if pixels else given
            np.testing.assert_array_equal(got, expected)

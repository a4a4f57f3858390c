"""T20, T22 and T23 of the specification: interpolation across the metal trace."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from unmetal.physics.completion.inpaint import additive, interpolate, normalized


def random_case(seed: int, share: float, views: int = 7, bins: int = 13) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shape = (2, 1, views, bins)
    sinogram = torch.rand(shape, generator=generator, dtype=torch.float64) * 6
    return sinogram, torch.rand(shape, generator=generator) < share


def band(shape: tuple[int, ...] = (1, 1, 9, 40), low: int = 12, high: int = 25) -> Tensor:
    trace = torch.zeros(shape, dtype=torch.bool)
    trace[..., low:high] = True
    return trace


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.05, 0.6))
def test_each_view_is_numpys_interp(seed: int, share: float) -> None:
    sinogram, trace = random_case(seed, share)
    trace[..., 5] = False
    filled = interpolate(sinogram, trace)
    bins = np.arange(sinogram.shape[-1])
    for row, hole, got in zip(
        sinogram.flatten(0, 2), trace.flatten(0, 2), filled.flatten(0, 2), strict=True
    ):
        expected = np.interp(bins, bins[~hole], row[~hole])
        np.testing.assert_allclose(got, expected, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_clean_rays_keep_every_bit_and_twice_is_once(seed: int, share: float) -> None:
    sinogram, trace = random_case(seed, share)
    once = interpolate(sinogram, trace)
    assert torch.equal(once[~trace], sinogram[~trace])
    assert torch.isfinite(once).all()
    torch.testing.assert_close(interpolate(once, trace), once, rtol=0, atol=1e-12)


def test_a_line_is_reproduced_and_so_the_metal_does_not_matter() -> None:
    truth = torch.linspace(-2, 5, 40, dtype=torch.float64).expand(1, 1, 9, 40)
    trace = band()
    spoilt = torch.where(trace, torch.inf, truth)
    torch.testing.assert_close(interpolate(spoilt, trace), truth, rtol=0, atol=1e-12)


def test_no_trace_is_the_identity() -> None:
    sinogram, _ = random_case(0, 0)
    nothing = torch.zeros_like(sinogram, dtype=torch.bool)
    assert torch.equal(interpolate(sinogram, nothing), sinogram)


def test_at_the_detectors_edge_the_nearest_clean_ray_holds() -> None:
    sinogram, _ = random_case(1, 0)
    trace = torch.zeros_like(sinogram, dtype=torch.bool)
    trace[..., :4] = True
    trace[..., -2:] = True
    filled = interpolate(sinogram, trace)
    assert torch.equal(filled[..., :4], sinogram[..., 4:5].expand(2, 1, 7, 4))
    assert torch.equal(filled[..., -2:], sinogram[..., -3:-2].expand(2, 1, 7, 2))


def test_a_view_of_nothing_but_metal_lies_between_its_neighbours() -> None:
    angle = torch.arange(9, dtype=torch.float64)[:, None]
    truth = (3 + 0.5 * angle + torch.sin(torch.arange(40) / 5)).expand(1, 1, 9, 40)
    trace = torch.zeros_like(truth, dtype=torch.bool)
    trace[..., 3:5, :] = True
    torch.testing.assert_close(interpolate(truth, trace), truth, rtol=0, atol=1e-12)
    trace[..., 7:, :] = True
    repeated = interpolate(truth, trace)[..., 7:, :]
    assert torch.equal(repeated, truth[..., 6:7, :].expand(1, 1, 2, 40))


def test_a_sinogram_of_nothing_but_metal_comes_back() -> None:
    sinogram, _ = random_case(2, 0)
    everything = torch.ones_like(sinogram, dtype=torch.bool)
    assert torch.equal(interpolate(sinogram, everything), sinogram)
    prior = sinogram.flip(-1) + 1
    filled = normalized(sinogram, prior, everything)
    torch.testing.assert_close(filled, sinogram, rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_kept(dtype: torch.dtype) -> None:
    sinogram, trace = random_case(3, 0.4)
    assert interpolate(sinogram.to(dtype), trace).dtype == dtype
    for complete in (normalized, additive):
        assert complete(sinogram.to(dtype), sinogram.to(dtype), trace).dtype == dtype


def test_a_prior_constant_in_each_view_is_plain_interpolation() -> None:
    sinogram, trace = random_case(4, 0.4)
    prior = torch.linspace(0.5, 9, 7, dtype=torch.float64)[:, None].expand_as(sinogram)
    trace[..., 5] = False
    expected = interpolate(sinogram, trace)
    torch.testing.assert_close(normalized(sinogram, prior, trace), expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(
        normalized(sinogram, 0 * prior, trace), expected, rtol=1e-9, atol=1e-9
    )


def test_an_ideal_prior_of_any_scale_gives_the_truth() -> None:
    x = torch.linspace(-1, 1, 40, dtype=torch.float64)
    truth = (6 * (1 - x**2).sqrt() + torch.sin(9 * x) ** 2).expand(1, 1, 9, 40)
    trace = band()
    spoilt = truth + 5 * trace
    for scale in (0.3, 1.0, 4.0):
        filled = normalized(spoilt, truth / scale, trace)
        torch.testing.assert_close(filled, truth, rtol=1e-5, atol=0)
        assert torch.equal(filled[~trace], spoilt[~trace])


def test_the_scale_of_the_prior_does_not_matter() -> None:
    sinogram, trace = random_case(5, 0.4)
    prior = random_case(6, 0)[0] + torch.linspace(0, 1, 13, dtype=torch.float64) ** 4
    expected = normalized(sinogram, prior, trace)
    for scale in (0.5, 3.0):
        filled = normalized(sinogram, scale * prior, trace)
        torch.testing.assert_close(filled, expected, rtol=1e-3, atol=1e-5)


def test_air_beside_the_trace_does_not_ruin_it() -> None:
    # Metal from inside the body past its right edge; the ray next to it sees only noise.
    x = torch.linspace(-1, 1, 40, dtype=torch.float64)
    truth = (6 * (0.49 - x**2).clamp_min(0).sqrt()).expand(1, 1, 9, 40)
    trace = band(low=24, high=36)
    noise = 0.02 * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0))
    filled = normalized(truth + noise + 4 * trace, truth, trace)
    assert (filled - truth).abs().max() < 0.1


def test_a_prior_without_a_clean_ray_gives_way_to_interpolation() -> None:
    sinogram, trace = random_case(7, 0)[0], band((2, 1, 7, 13), 4, 9)
    prior = torch.where(trace, 3.0, 0.0).to(torch.float64)
    expected = interpolate(sinogram, trace)
    torch.testing.assert_close(normalized(sinogram, prior, trace), expected)


def test_a_prior_linear_in_each_view_adds_nothing_to_interpolation() -> None:
    sinogram, trace = random_case(8, 0.4)
    # Up to the detector's edges, where the nearest value is held and a line would go on.
    trace[..., 0] = trace[..., -1] = False
    slope = torch.linspace(-2, 2, 7, dtype=torch.float64)[:, None]
    prior = 3 + slope * torch.linspace(0, 1, 13, dtype=torch.float64)
    expected = interpolate(sinogram, trace)
    torch.testing.assert_close(additive(sinogram, prior.expand_as(sinogram), trace), expected)


def test_a_prior_that_is_off_by_a_line_gives_the_truth() -> None:
    x = torch.linspace(-1, 1, 40, dtype=torch.float64)
    truth = (6 * (1 - x**2).sqrt() + torch.sin(9 * x) ** 2).expand(1, 1, 9, 40)
    trace = band()
    spoilt = truth + 5 * trace
    filled = additive(spoilt, truth - 0.7 + 2 * x, trace)
    torch.testing.assert_close(filled, truth, rtol=0, atol=1e-12)
    assert torch.equal(filled[~trace], spoilt[~trace])


def test_an_additive_completion_meets_the_clean_rays_without_a_step() -> None:
    x = torch.linspace(-1, 1, 400, dtype=torch.float64)
    smooth = (6 * (1 - x**2).clamp_min(0).sqrt()).expand(1, 1, 3, 400)
    prior = (5 * (1 - 0.8 * x**2) + 0.3 * torch.sin(9 * x)).expand_as(smooth)
    trace = band((1, 1, 3, 400), 120, 250)
    filled = additive(smooth + 4 * trace, prior, trace)
    # The largest step between neighbours anywhere is no larger than off the trace.
    assert filled.diff()[..., 100:270].abs().max() < 0.1
    assert torch.isfinite(additive(smooth, prior, trace | (x < -0.99) | (x > 0.99))).all()


def test_without_a_clean_ray_the_sinogram_comes_back() -> None:
    sinogram, _ = random_case(9, 0)
    everything = torch.ones_like(sinogram, dtype=torch.bool)
    filled = additive(sinogram, sinogram.flip(-1), everything)
    torch.testing.assert_close(filled, sinogram, rtol=1e-12, atol=0)

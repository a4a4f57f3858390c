"""What is unlike the training data is said, what is like it is not."""

from dataclasses import replace
from inspect import isfunction
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import ndimage

from unmetal.metrics import aapm, image_quality, no_reference
from unmetal.reduction import cautions
from unmetal.reduction.cautions import FAR_HU, FLIP_HU, check_input, check_result
from unmetal.reduction.metal_search import find_bodies
from unmetal.reduction.trained_ranges import TRAINED, edge_share, noise_texture
from unmetal.scan import Volume

PIXEL = 1.3
META = {"modality": "CT", "kvp": 120.0, "slice_thickness": 5.0}


def body(radius: float, size: int = 256) -> np.ndarray:
    """A noisy disc of muscle in air as a scanner would show it, `[2 size size]` HU."""
    y, x = np.mgrid[:size, :size] - size / 2
    noise = np.random.default_rng(0).normal(0, 40, (2, size, size))
    smooth = ndimage.gaussian_filter(noise, (0, 0.6, 0.6))
    return (np.where(np.hypot(x, y) < radius, 50, -1000) + smooth).astype(np.float32)


def volume(hu: np.ndarray | None = None, pixel: float = PIXEL, **meta: object) -> Volume:
    return Volume(body(120) if hu is None else hu, (5.0, pixel, pixel), meta=META | meta)


def rod(hu: np.ndarray, radius: float = 5) -> np.ndarray:
    """bool of `hu`'s shape: metal near the middle of the first slice, which is put into `hu`."""
    y, x = np.mgrid[: hu.shape[1], : hu.shape[2]]
    metal = np.zeros(hu.shape, dtype=bool)
    metal[0] = np.hypot(y - hu.shape[1] / 2, x - hu.shape[2] / 2 - 20) < radius
    hu[metal] = np.linspace(3000, 6000, int(metal.sum()))
    return metal


def keys(one: Volume, metal: np.ndarray | None = None, *, learned: bool = True) -> list[str]:
    hu = one.hu.copy()
    metal = rod(hu) if metal is None else metal
    bodies = find_bodies(hu, one.spacing[2], metal)
    found = check_input(replace(one, hu=hu), hu, metal, bodies, learned=learned)
    assert all(flag.message and "\n" not in flag.message for flag in found)
    return [flag.key for flag in found]


def test_a_body_as_in_training_raises_no_warning() -> None:
    assert keys(volume()) == []


@pytest.mark.parametrize(
    ("odd", "expected"),
    [
        (volume(modality="PT"), "not-ct"),
        (volume(image_type=("ORIGINAL", "PRIMARY", "LOCALIZER")), "localizer"),
        (volume(image_type=("DERIVED", "SECONDARY", "MPR")), "reformat"),
        (volume(axial=False), "reformat"),
        (volume(burned_in="YES"), "burned-in"),
        (volume(made_by_unmetal=True), "again"),
        (replace(volume(), spacing_known=False), "no-size"),
        (volume(np.round(body(120) / 8) * 8), "8-bit"),
    ],
)
def test_what_is_not_a_slice_of_a_scanner_is_named_for_every_method(odd, expected) -> None:
    assert expected in keys(odd)
    assert expected in keys(odd, learned=False)


@pytest.mark.parametrize(
    ("odd", "expected"),
    [
        (volume(kvp=80.0), "kvp"),
        (volume(kvp=140), "kvp"),
        (volume(ndimage.gaussian_filter(body(120), (0, 2, 2))), "kernel"),
        (volume(pixel=0.3), "spacing"),
        (volume(slice_thickness=0.5), "thickness"),
        (volume(slice_thickness=10), "thickness"),
        (volume(pixel=0.7), "fov"),
        (volume(pixel=3), "fov"),
        (volume(body(100)), "size"),
        (volume(body(127), pixel=2.1), "size"),
        (volume(np.maximum(body(170), -500)), "cut"),
    ],
)
def test_what_a_network_has_not_seen_is_named_for_networks_only(odd, expected) -> None:
    assert expected in keys(odd)
    assert expected not in keys(odd, learned=False)


def test_more_metal_than_in_training_is_named() -> None:
    hu = body(120)
    metal = rod(hu, 40)
    assert "metal" in keys(volume(hu), metal)


def test_slices_without_a_body_are_named() -> None:
    hu = np.random.default_rng(0).normal(-1000, 9, (2, 256, 256))
    assert "no-body" in keys(volume(hu), rod(hu, 2))


def test_metal_at_the_end_of_the_scale_is_named() -> None:
    hu = body(120)
    metal = rod(hu)
    assert "saturated" not in keys(volume(hu), metal)
    assert "saturated" in keys(volume(np.minimum(hu, 3071)), metal, learned=False)


def test_without_metal_only_the_header_can_be_odd() -> None:
    none = np.zeros(body(120).shape, dtype=bool)
    assert keys(volume(kvp=80, burned_in="YES"), none) == ["burned-in"]


@pytest.mark.parametrize("key", TRAINED)
def test_the_ends_of_every_range_are_inside_it(key) -> None:
    expected = TRAINED[key]
    assert not list(expected.check(key, expected.least))
    assert not list(expected.check(key, expected.most))
    assert not list(expected.check(key, None))
    (above,) = expected.check(key, expected.most * 1.1 + 0.01)
    assert above.key == key
    assert f"{expected.most:g}" in above.message


def test_the_texture_of_white_noise_is_one_and_falls_with_smoothing() -> None:
    noise = np.random.default_rng(0).normal(50, 20, (200, 200))
    inside = np.ones((200, 200), dtype=bool)
    white = noise_texture(noise, inside)
    smooth = noise_texture(ndimage.gaussian_filter(noise, 1), inside)
    assert white == pytest.approx(1, abs=0.02)
    assert smooth is not None
    assert smooth < 0.6
    assert noise_texture(noise, ~inside) is None


def test_no_two_statistics_share_a_name() -> None:
    def functions(module: ModuleType) -> set[str]:
        return {
            name
            for name, its in vars(module).items()
            if isfunction(its) and its.__module__ == module.__name__ and name[0] != "_"
        }

    found = [functions(module) for module in (aapm, image_quality, no_reference, cautions)]
    assert sum(map(len, found)) == len(set.union(*found))


def test_the_change_far_from_metal_is_a_mean_here_and_a_root_mean_square_in_evaluations() -> None:
    metal = np.zeros((1, 100, 100), dtype=bool)
    metal[0, 0, 0] = True
    change = np.where(np.arange(100) % 2, 0.0, 100.0) * np.ones((1, 100, 1))
    body = np.ones(metal.shape, dtype=bool)
    mean = cautions.mean_abs_change_far(change, metal, body, 1.0)
    assert mean == pytest.approx(50, rel=0.01)
    rms = no_reference.far_change(np.zeros((100, 100)), change[0], metal[0], body[0], 1.0)
    assert rms == pytest.approx(100 / np.sqrt(2), rel=0.01)


def test_the_edge_share_is_what_lies_on_the_edge() -> None:
    inside = np.zeros((10, 20), dtype=bool)
    assert edge_share(inside) == 0
    inside[0] = True
    assert edge_share(inside) == 20 / 56
    inside[:] = True
    assert edge_share(inside) == 1


def result(far: float = 0, apart: float = 0, clipped: int = 0) -> list[str]:
    """Keys for a change of `far` HU beyond 40 mm from metal, and 1000 HU nearer to it."""
    inside = np.ones((1, 200, 200), dtype=bool)
    metal = np.zeros(inside.shape, dtype=bool)
    metal[0, 100, 100] = True
    y, x = np.mgrid[:200, :200] - 100
    change = np.where(np.hypot(y, x) * PIXEL > 40, far, 1000.0)[None]
    disagreement = np.full(inside.shape, apart)
    found = check_result(change, metal, inside, PIXEL, disagreement, clipped)
    assert {c.key for c in check_result(change, metal, inside, PIXEL, None, clipped)} <= {
        "far",
        "clipped",
    }
    return [flag.key for flag in found]


def test_what_the_result_shows_is_named() -> None:
    assert result() == []
    assert result(far=-FAR_HU - 1) == ["far"]
    assert result(apart=FLIP_HU + 1) == ["flips"]
    assert result(clipped=3) == ["clipped"]
    assert result(FAR_HU - 1, FLIP_HU - 1) == []


def test_the_page_states_every_range_and_bound() -> None:
    page = (Path(__file__).parents[2] / "docs" / "derived.md").read_text().splitlines()
    for key, expected in TRAINED.items():
        (row,) = [line for line in page if line.startswith(f"| `{key}` |")]
        assert f"{expected.least:g}" in row
        assert f"{expected.most:g}" in row
    for key, bound in (("far", FAR_HU), ("flips", FLIP_HU)):
        (row,) = [line for line in page if line.startswith(f"| `{key}` |")]
        assert f"{bound:g} HU" in row

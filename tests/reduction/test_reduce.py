"""A volume goes in whole and comes out whole: what was not touched is the same to the bit."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

import unmetal
from unmetal.errors import InputError
from unmetal.methods import build
from unmetal.methods.method import Method
from unmetal.physics import derive
from unmetal.physics.scanner import clinical
from unmetal.physics.simulate import Protocol, simulate
from unmetal.reduction import metal_search, trained_ranges
from unmetal.reduction.correct_slices import restore_detail
from unmetal.reduction.metal_search import find_metal
from unmetal.reduction.reduce_volume import reduce_volume
from unmetal.reduction.report import changes as changes_module
from unmetal.scan import Scan, Volume
from unmetal.units import hu_to_mu, mu_to_hu

PIXEL = 1.5


def slices() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """HU `[3 160 160]` with metal in the middle slice, the same without, and the metal."""
    rows, columns = np.mgrid[:160, :160]
    clean = np.full((160, 160), -1000, np.float32)
    clean[((rows - 80) / 50) ** 2 + ((columns - 80) / 65) ** 2 < 1] = 30
    for column in (50, 110):
        clean[(rows - 85) ** 2 + (columns - column) ** 2 < 12**2] = 600
    rods = (rows - 85) ** 2 + (np.abs(columns - 80) - 30) ** 2 < 4**2
    truth = hu_to_mu(torch.from_numpy(clean))[None, None]
    metal = torch.from_numpy(rods)[None, None]
    setting = Protocol(clinical(160, 160, PIXEL / 10), photons=1e7, tissue="replaced", edge=1)
    done = simulate(truth, metal, ("ti",), setting, torch.Generator().manual_seed(0))
    spoilt, free = (mu_to_hu(x[0, 0]).numpy() for x in (done.scan.image, done.free_image))
    metal_volume = np.stack([np.zeros_like(rods), rods, np.zeros_like(rods)])
    return np.stack([clean, spoilt, clean]), np.stack([clean, free, clean]), metal_volume


HU, TRUTH, METAL = slices()
VOLUME = Volume(HU, (2.0, PIXEL, PIXEL))


def error(hu: np.ndarray) -> float:
    body = (TRUTH[1] > -500) & ~ndimage.binary_dilation(METAL[1], iterations=2)
    return float(np.sqrt(np.mean((hu[1] - TRUTH[1])[body] ** 2)))


@pytest.mark.recipe
@pytest.mark.parametrize("name", ["li", "bhc", "nmar"])
def test_every_classical_method_helps_and_touches_nothing_else(name):
    reduced = reduce_volume(VOLUME, build(name))
    assert list(reduced.affected) == [1]
    out = reduced.volume.hu
    assert np.array_equal(out[[0, 2]], HU[[0, 2]])
    assert np.array_equal(out[reduced.metal], HU[reduced.metal])
    assert not np.array_equal(out[1], HU[1])
    assert error(out) < error(HU)
    assert np.array_equal(VOLUME.hu, slices()[0]), "the input was changed"


def test_the_metal_is_found():
    found = find_metal(VOLUME)
    assert not found[[0, 2]].any()
    assert 2 * (found & METAL).sum() / (found.sum() + METAL.sum()) > 0.9


def test_what_the_segmenter_denies_is_left_alone_whatever_the_method(monkeypatch) -> None:
    class Denies:
        """Sees metal nowhere."""

        def segment_metal(self, image: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(image, dtype=torch.bool)

    assert reduce_volume(VOLUME, build("li")).metal.any()
    monkeypatch.setattr(metal_search, "released_segmenter", lambda _: Denies())
    reduced = reduce_volume(VOLUME, build("li"))
    assert not reduced.metal.any()
    assert np.array_equal(reduced.volume.hu, HU)


def test_a_series_without_metal_is_the_same_to_the_bit():
    volume = Volume(HU[[0, 2]], (2.0, PIXEL, PIXEL))
    reduced = reduce_volume(volume, build("li"))
    assert reduced.volume is volume
    assert len(reduced.affected) == 0


def test_padding_is_kept_and_taken_for_air():
    padding = np.zeros(HU.shape, dtype=bool)
    padding[:, :6] = padding[:, -6:] = True
    hu = np.where(padding, np.float32(-2000), HU)
    padded = reduce_volume(replace(VOLUME, hu=hu, padding=padding), build("li")).volume.hu
    assert (padded[padding] == -2000).all()
    plain = reduce_volume(replace(VOLUME, hu=np.where(padding, -1000, HU)), build("li")).volume.hu
    assert np.allclose(padded[~padding], plain[~padding], atol=1e-2)


def test_pixels_that_are_not_square_are_refused():
    with pytest.raises(InputError, match="resample"):
        reduce_volume(replace(VOLUME, spacing=(2.0, 1.0, 1.5)), build("li"))


def test_detail_returns_where_nothing_was_corrected_and_only_there():
    image = torch.randn(1, 1, 32, 32)
    blurred = torch.zeros_like(image)
    assert torch.equal(restore_detail(blurred, blurred, image), image)
    corrected = blurred + 10
    assert torch.allclose(restore_detail(corrected, blurred, image), corrected, atol=1e-3)


def test_the_slices_around_the_metal_keep_their_sharpness():
    # Far from a small clip the output is the input, not its blurred re-projection.
    hu = HU[:1].copy()
    hu[0, 80:82, 78:80] = 3500
    out = reduce_volume(Volume(hu, (2.0, PIXEL, PIXEL)), build("nmar")).volume.hu
    far = np.zeros(hu.shape, dtype=bool)
    far[0, :60, :45] = True
    assert np.abs(out - hu)[far].mean() < 1


def test_python_takes_arrays_and_volumes():
    by_volume = unmetal.reduce(VOLUME, "li")
    by_array = unmetal.reduce(HU, "li", spacing=PIXEL)
    one = unmetal.reduce(HU[1], "li", spacing=PIXEL)
    assert isinstance(by_volume, Volume)
    assert by_array.dtype == np.float32
    assert np.array_equal(by_volume.hu, by_array)
    assert one.shape == HU[1].shape
    assert np.allclose(one, by_array[1], atol=1e-2)
    with pytest.raises(InputError, match="no method 'magic'"):
        unmetal.reduce(HU, "magic")
    with pytest.raises(InputError, match="finite HU"):
        unmetal.reduce(np.full((8, 8), np.nan))


class Learned(Method):
    """What a network could be: everything a little brighter, more so on the right if `lean`."""

    input_size = 64

    def __init__(self, lean: float) -> None:
        super().__init__()
        self.lean = lean

    def reduce(self, scan: Scan) -> torch.Tensor:
        ramp = torch.linspace(0, self.lean, scan.image.shape[-1])
        return scan.image + 0.002 + ramp


def test_mirrored_slices_are_compared_for_methods_that_learned() -> None:
    fair, leaning = (reduce_volume(VOLUME, Learned(x), flips=True) for x in (0.0, 0.05))
    assert fair.disagreement is not None
    assert leaning.disagreement is not None
    assert fair.disagreement.shape == HU.shape
    assert not fair.disagreement[[0, 2]].any()
    assert not fair.disagreement[fair.metal].any()
    inside = TRUTH[1] > -500
    assert fair.disagreement[1][inside].mean() < 1
    assert leaning.disagreement[1][inside].mean() > 5 * fair.disagreement[1][inside].mean()
    assert reduce_volume(VOLUME, Learned(0.0)).disagreement is None
    assert reduce_volume(VOLUME, build("li"), flips=True).disagreement is None


def test_the_body_of_a_slice_is_sought_once_in_each_state(monkeypatch) -> None:
    sought = []

    def counting(hu: np.ndarray, pixel: float) -> np.ndarray:
        sought.append(hashlib.sha256(hu.tobytes()).hexdigest())
        return derive.body_mask(hu, pixel)

    for module in (metal_search, trained_ranges, changes_module):
        monkeypatch.setattr(module, "body_mask", counting)
    reduced = reduce_volume(VOLUME, Learned(0.0), flips=True)
    changes_module.changes(reduced)
    # Slice 1 as it came, corrected, and as it is written; one of the two others, which are equal,
    # for the texture of their noise, twice.
    assert len(sought) == 5
    assert len(set(sought)) == 4


def test_all_that_a_report_needs_comes_back() -> None:
    reduced = reduce_volume(VOLUME, build("li"))
    assert reduced.source is VOLUME
    assert list(reduced.changed) == list(reduced.affected) == [1]
    assert list(reduced.clipped) == [0, 0, 0]
    assert {flag.key for flag in reduced.warnings} <= {"far"}

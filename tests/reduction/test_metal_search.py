"""What belongs to an implant although the network does not take it for metal."""

import numpy as np
import pytest
import torch

from unmetal.methods import build
from unmetal.reduction import metal_search
from unmetal.reduction.metal_search import SLIT_MM, closed, enclosed, find_bodies, search_metal
from unmetal.scan import Volume
from unmetal.units import hu_to_mu


def walls(gap: int) -> np.ndarray:
    """bool `[1 30 40]`: two walls and a lid, the left wall at column 5, with a gap between them."""
    mask = np.zeros((1, 30, 40), bool)
    mask[0, 10:20, 5:8] = mask[0, 10:20, 8 + gap : 11 + gap] = True
    mask[0, 8:10, 5 : 11 + gap] = True
    return mask


def test_what_lies_between_the_walls_of_one_object_is_its_own() -> None:
    between = enclosed(walls(12), 1.0)
    assert between[0, 15, 5:23].all()
    assert not between[0, 20:].any(), "below it is open"
    assert not between[0, :8].any()
    assert not between[0, :, :5].any()


def test_between_two_objects_is_tissue() -> None:
    mask = walls(12)
    mask[0, 8:10] = False
    assert np.array_equal(enclosed(mask, 1.0), mask)
    assert not enclosed(mask & False, 1.0).any()


def test_only_narrow_slits_close() -> None:
    narrow, wide = (closed(walls(gap), 1.0)[0, 15] for gap in (3, 12))
    assert narrow[5:14].all()
    assert wide.sum() == 6, f"a gap of more than {2 * SLIT_MM} mm stays"


def test_a_floor_that_the_network_denies_stays_and_another_object_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows, columns = np.mgrid[:96, :96]
    hu = np.where(np.hypot(rows - 48, columns - 48) < 44, 40, -1000).astype(np.float32)
    # Solid walls 20 mm apart under a lid, the floor between them; contrast in the middle, 4 mm off.
    walls_, floor = hu > 9000, hu > 9000
    walls_[40:60, 35:38] = walls_[40:60, 58:61] = True
    walls_[36:39, 35:61] = True
    floor[58:60, 38:58] = True
    contrast = (rows >= 44) & (rows < 52) & (columns >= 44) & (columns < 52)
    hu[walls_], hu[floor], hu[contrast] = 8000, 5000, 3000

    class Denies:
        """Takes for metal what is denser than 6000 HU, and no pixel about it."""

        def segment_metal(self, image: torch.Tensor) -> torch.Tensor:
            return image > hu_to_mu(torch.tensor(6000.0))

    monkeypatch.setattr(metal_search, "released_segmenter", lambda _: Denies())
    volume = Volume(hu[None], (3.0, 1.0, 1.0))
    cpu = torch.device("cpu")
    found = search_metal(volume, build("li"), find_bodies(volume.hu, 1.0), cpu, threshold=2500.0)
    assert found.metal[0][walls_].all()
    assert found.metal[0][floor].all()
    assert not found.metal[0][contrast].any()
    assert found.left_alone is not None
    assert found.left_alone[0][contrast].all()
    assert not found.left_alone[0][floor].any()

"""Fixtures of the engine's tests."""

import numpy as np
import pytest

from unmetal.cohorts.cohort import Cohort


@pytest.fixture(scope="session")
def cohort(tmp_path_factory):
    """Discs of water of four patients, 256 x 256, and a square of metal."""
    y, x = np.mgrid[:256, :256] - 128
    discs = [np.where(np.hypot(x, y * a) < 90, 40, -1000) for a in (1, 1.2, 1.4, 1.6)]
    square = np.zeros((1, 64, 64), np.uint8)
    square[0, 8:56, 8:56] = 255
    folder = tmp_path_factory.mktemp("cohort")
    Cohort(
        hu=np.stack(discs).astype(np.int16),
        patient=np.array(list("abcd")),
        role=np.array(["affected", "clean", "validation", "validation"]),
        shapes=square,
        whole=np.array([False]),
        pixel=np.full(4, 1.5, np.float32),
        frame=np.zeros(1, np.float32),
        made_of=np.array([""]),
    ).save(folder / "cohort.npz")
    return folder

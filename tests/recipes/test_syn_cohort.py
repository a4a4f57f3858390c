"""The packed cohort takes nothing that is kept for testing."""

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from skimage.transform import resize

from unmetal.cohorts.cohort import Cohort

sys.path.insert(0, str(Path(__file__).parents[2] / "recipes"))


@pytest.mark.slow
def test_no_test_patient_and_no_test_mask(reference, tmp_path, capsys):
    from syn_cohort import main  # noqa: PLC0415

    main(reference, tmp_path / "cohort.npz")
    cohort = Cohort.load(tmp_path)
    with (reference / "index.csv").open() as index:
        tested = {row["patient"] for row in csv.DictReader(index) if row["split"] == "test"}
    assert tested
    assert not tested & set(cohort.patient.tolist())
    shapes = cohort.shapes > 127
    for mask in np.load(reference / "masks" / "cnnmar_test_10x512.npz")["masks"]:
        small = resize(mask.astype(np.float32), shapes.shape[1:], anti_aliasing=True) > 0.5
        both, either = (shapes & small).sum((1, 2)), (shapes | small).sum((1, 2))
        # Alike they may be (0.87 at most): the published masks are variants of few implants.
        assert (both / either).max() < 0.95
    assert "validation" in capsys.readouterr().out

"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

torch.set_num_threads(1)

# A busy machine is no failure: nothing here is a test of time.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.fixture(scope="session")
def reference() -> Path:
    """Folder of reference data that is not part of the project: published test slices, masks and
    tables. It lies in `$UNMETAL_REFERENCE`, or in `shared/data` beside the checkout."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    folder = Path(os.environ.get("UNMETAL_REFERENCE", beside))
    if not folder.is_dir():
        pytest.skip("no reference data: set UNMETAL_REFERENCE")
    return folder

"""A small synthetic CT series in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from ct_files import ct_image, save
from pydicom.dataset import Dataset


@pytest.fixture
def make_series(tmp_path: Path) -> Callable[..., Path]:
    """`make_series(images)` writes a folder; without images, five slices 2.5 mm apart."""

    def make(images: Iterable[Dataset] | None = None, name: str = "series") -> Path:
        images = [ct_image(i, 2.5 * i) for i in range(5)] if images is None else images
        for i, image in enumerate(images):
            save(image, tmp_path / name / f"IM{i:03}")
        return tmp_path / name

    return make

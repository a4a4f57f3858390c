"""`unmetal info`: what a file or folder holds, without what says whose it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from rich.console import Console
from rich.table import Table

from unmetal.files import read
from unmetal.scan import Volume


@dataclass
class Info:
    """Print what a file or folder holds: format, geometry, range of values, acquisition.

    Of a folder with several series, one line for each.
    """

    path: tyro.conf.Positional[Path]
    """A folder, zip or file of DICOM, .nii, .nii.gz, .mha, .mhd, .nrrd, .npy or .png."""

    def run(self) -> None:
        """Read all of it, as `reduce` would, and print one line per fact or series."""
        series = _series(self.path) if self.path.is_dir() else []
        if len(series) > 1:
            print(*series, sep="\n")
            return
        table = Table.grid(padding=(0, 2))
        for name, text in _facts(read(self.path, log_warnings=False)):
            table.add_row(name, text)
        Console(highlight=False, markup=False).print(table)


def _series(folder: Path) -> list[str]:
    """A line for each series below a folder: its name in an archive, what and where it is."""
    from unmetal.files.dicom.inventory import find_series  # noqa: PLC0415  (pydicom)

    return [
        f"{one.name}  {len(one.files):>4} images  {one.facts}  in {one.folder}"
        f"{'  (made by unmetal)' * one.own}"
        for one in find_series(folder).series
    ]


def _facts(volume: Volume) -> Iterator[tuple[str, str]]:
    meta = volume.meta
    count, rows, columns = volume.hu.shape
    apart, row, column = volume.spacing
    assumed = "" if volume.spacing_known else " (assumed)"
    yield "format", f"{meta['format']}, {meta['stored_as']}"
    yield (
        "slices",
        f"{count}, {apart:g} mm apart" if count > 1 and volume.spacing_known else f"{count}",
    )
    yield "matrix", f"{columns} x {rows}"
    yield "pixel", f"{column:g} x {row:g} mm{assumed}"
    outside = np.zeros(volume.hu.shape, bool) if volume.padding is None else volume.padding
    inside = volume.hu[~outside]
    yield "values", f"{inside.min():g} to {inside.max():g} HU"
    yield "padding", f"{100 * outside.mean():.1f} % of the pixels" if outside.any() else "none"
    scanner = f"{meta.get('manufacturer', '')} {meta.get('model', '')}".strip()
    for name, text in (
        ("scanner", scanner),
        ("kVp", f"{meta['kvp']:g}" if "kvp" in meta else ""),
        ("kernel", meta.get("kernel", "")),
        ("body part", meta.get("body_part", "")),
        *(("warning", warning) for warning in meta["warnings"]),
    ):
        if text:
            yield name, text

"""A prepared cohort on disk: memory-mapped slices in HU, and what is known of each.

cohort.json         how it was made
manifest.csv        a line for each slice of the source
contact_sheet.png   to look at
cohort/hu-0000.npy  int16 [n H W], HU; `SHARD` slices in each file
cohort/slices.npz   what is known of each slice
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unmetal.cohorts.cohort import Cohort
from unmetal.cohorts.splits import TEST, TRAIN, VALIDATION, roles
from unmetal.errors import InputError, short_error

SHARD = 4096
"""Slices in a file: 512 MiB at 256 x 256."""

FOLDER, ABOUT = "cohort", "cohort.json"


@dataclass(frozen=True, eq=False)
class Prepared:
    """The affected and clean slices of a prepared cohort, with their patients and splits."""

    shards: tuple[np.ndarray, ...] = field(repr=False)
    """int16 `[n H W]` each, HU; memory-mapped."""
    patient: np.ndarray
    """str `[N]`."""
    decision: np.ndarray
    """str `[N]`, `affected` or `clean`."""
    split: np.ndarray
    """str `[N]`, `train`, `validation` or `test`."""
    pixel: np.ndarray
    """float32 `[N]`, mm."""

    def slice(self, index: int) -> np.ndarray:
        """int16 `[H W]`, HU."""
        shard, place = divmod(index, SHARD)
        return self.shards[shard][place]

    def slices_of(self, decision: str, split: str = TRAIN) -> np.ndarray:
        """int `[n]`: the slices of a kind in a split, at least one; raises `InputError`."""
        found = np.flatnonzero((self.decision == decision) & (self.split == split))
        if not len(found):
            raise InputError(
                f"the cohort has no {decision} slices for {split}: prepare it from more patients, "
                "or with a smaller --withhold"
            )
        return found

    def patients(self) -> dict[str, list[str]]:
        """The patients of each split."""
        return {
            split: sorted(set(self.patient[self.split == split].tolist()))
            for split in (TRAIN, VALIDATION, TEST)
        }

    def simulated(self, shapes: np.ndarray, whole: np.ndarray) -> Cohort:
        """The clean slices of training and validation patients, to put metal into.

        Training patients are halved as in the paper. `shapes` and `whole` as in `Cohort`.
        """
        used = np.flatnonzero((self.decision == "clean") & (self.split != TEST))
        patient, split = self.patient[used], self.split[used]
        role = roles(
            Counter(patient[split == TRAIN].tolist()), set(patient[split == VALIDATION].tolist())
        )
        return Cohort(
            hu=np.stack([self.slice(index) for index in used.tolist()]),
            patient=patient,
            role=np.array([role[one] for one in patient.tolist()]),
            shapes=shapes,
            whole=whole,
            pixel=self.pixel[used],
            frame=np.zeros(len(shapes), np.float32),
            made_of=np.full(len(shapes), ""),
        )

    @classmethod
    def load(cls, folder: Path) -> Prepared:
        """Map what `unmetal prepare` wrote; raises `InputError` for anything else."""
        try:
            json.loads((folder / ABOUT).read_text())
            with np.load(folder / FOLDER / "slices.npz", allow_pickle=False) as held:
                known = {name: held[name] for name in ("patient", "decision", "split", "pixel")}
            files = sorted((folder / FOLDER).glob("hu-*.npy"))
            shards = tuple(np.load(file, mmap_mode="r", allow_pickle=False) for file in files)
        except (OSError, KeyError, ValueError) as error:
            reason = f"({short_error(error)}); `unmetal prepare` makes one"
            raise InputError(f"{folder}: not a prepared cohort {reason}") from error
        if sum(map(len, shards)) != len(known["patient"]):
            raise InputError(f"{folder}: slices are missing: prepare it again")
        return cls(shards, **known)


def is_prepared(path: Path) -> bool:
    """Whether a folder is what `unmetal prepare` makes."""
    return (path / ABOUT).is_file() and (path / FOLDER).is_dir()


def write_shards(slices: Iterable[np.ndarray], count: int, folder: Path) -> None:
    """Write `count` slices, int16 `[H W]`, into files of `SHARD`, without holding them all."""
    source = iter(slices)
    for shard, first in enumerate(range(0, count, SHARD)):
        head = next(source)
        shape = min(SHARD, count - first), *head.shape
        held = np.lib.format.open_memmap(folder / f"hu-{shard:04}.npy", "w+", np.int16, shape)
        held[0] = head
        for place in range(1, len(held)):
            held[place] = next(source)
        held.flush()

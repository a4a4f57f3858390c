"""What a zip may not do: name files elsewhere, or unpack to far more than images."""

from __future__ import annotations

import zipfile
from pathlib import Path, PurePosixPath, PureWindowsPath

from unmetal.errors import InputError

MAX_UNPACKED = 2**29
"""Bytes of the largest member of an archive, and of all that may unpack at any ratio. A slice of
4096 x 4096 pixels has 32 MiB."""

MAX_RATIO = 200
"""Bytes that one byte of an archive may become: CT compresses to a third, pure air 1,000 times."""


def points_out(name: PurePosixPath) -> bool:
    """Whether a name would leave the folder it is written below, on any system."""
    there = PureWindowsPath(name)
    return bool(name.is_absolute() or there.anchor or ".." in there.parts)


def refuse_bomb(members: list[zipfile.ZipInfo], path: Path) -> None:
    """Raise InputError for what unpacks to far more than images do. zipfile never unpacks more of
    a member than its size in the directory, which is what counts here."""
    sizes = [info.file_size for info in members]
    packed, total = path.stat().st_size, sum(sizes)
    if max(sizes, default=0) > MAX_UNPACKED or total > max(MAX_UNPACKED, MAX_RATIO * packed):
        raise InputError(
            f"{path}: {packed / 2**20:.3g} MiB unpack to {total / 2**20:.3g} MiB, which no CT "
            "series does: unpack it yourself if you trust it"
        )

"""A private folder for temporary data, which goes with the server however that ends."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from unmetal.errors import InputError
from unmetal.files.staging import exclusive_lock

NAME = "unmetal-view-"
NEW = ".unmetal-view-"
"""Prefixes of a folder that is in use, and of one that is not locked yet."""

STALE_S = 24 * 3600.0
"""Age from which a folder that was never locked, or data that nobody used, goes."""


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A new folder that only this user can read, in the system's place for temporary files.

    It is removed at the end. What a server that was killed left there is removed at the start: a
    folder whose lock nobody holds.
    """
    place = Path(tempfile.gettempdir())
    sweep(place)
    new = Path(tempfile.mkdtemp(prefix=NEW, dir=place))  # 0700
    try:
        with exclusive_lock(new):
            # A lock stays with the file when its folder gets another name, so that nobody sees a
            # folder of this name without a lock.
            folder = new.with_name(NAME + new.name.removeprefix(NEW))
            new.rename(folder)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def sweep(place: Path) -> None:
    """Remove this user's folders that no running server holds."""
    for folder in place.glob(f"{NAME}*"):
        if not _is_ours(folder):
            continue
        with suppress(InputError, OSError), exclusive_lock(folder):
            shutil.rmtree(folder, ignore_errors=True)
    for folder in place.glob(f"{NEW}*"):
        if _is_ours(folder) and time.time() - folder.stat().st_mtime > STALE_S:
            shutil.rmtree(folder, ignore_errors=True)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; a link, not what it leads to."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _is_ours(folder: Path) -> bool:
    """Whether it is a folder, not a link to one, of this user: others can make names, too."""
    with suppress(OSError):
        state = folder.lstat()
        mine = sys.platform == "win32" or state.st_uid == os.getuid()
        return mine and folder.is_dir() and not folder.is_symlink()
    return False

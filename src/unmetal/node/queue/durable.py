"""Changes to the disk that survive a power cut.

POSIX promises that a rename is atomic. It is permanent only once the file was fsynced before it
and its folder after it; making and deleting files needs an fsync of the folder, too.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from unmetal.files.staging import fsync, replacing


def write(path: Path, content: bytes) -> None:
    """Create or replace a file, atomically."""
    with replacing(path, sync=True) as partial:
        partial.write_bytes(content)


def write_synced(path: Path, content: bytes) -> None:
    """Write and fsync a temporary file; its folder is not synced, `publish` it then."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def publish(part: Path, target: Path) -> None:
    """Rename into place and fsync the target folder; the source folder is not synced.

    After a power cut the temporary file may be there again, for `Spool.recover` to delete.
    """
    part.rename(target)
    fsync(target.parent)


def rename(path: Path, target: Path) -> None:
    """Rename a file or folder; a target that exists and is not empty is an OSError."""
    path.rename(target)
    fsync(target.parent)
    if path.parent != target.parent:
        fsync(path.parent)


def unlink(path: Path) -> None:
    """Delete a file."""
    path.unlink()
    fsync(path.parent)


def mkdir(folder: Path) -> None:
    """Make a folder and its parents where they do not exist, readable by this user alone."""
    if not folder.is_dir():
        mkdir(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        fsync(folder.parent)


def fsync_tree(folder: Path) -> None:
    """Fsync everything in a folder, for what was written by other code."""
    for inside in folder.rglob("*"):
        fsync(inside)
    fsync(folder)


def rmtree(folder: Path) -> None:
    """Delete a folder; what cannot be deleted stays, and `Spool.recover` tries again."""
    shutil.rmtree(folder, ignore_errors=True)

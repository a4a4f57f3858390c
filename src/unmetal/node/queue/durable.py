"""Files that are still there after a power cut: written, synced, and renamed into place.

POSIX promises that a rename is seen whole or not at all; that it outlives a crash needs an fsync
of the file before it, and of the folders after it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Create or replace a file."""
    part = path.with_name(f".{path.name}.part")
    try:
        write_aside(part, content)
        publish(part, path)
    except OSError:
        part.unlink(missing_ok=True)
        raise


def write_aside(path: Path, content: bytes) -> None:
    """Create a file that nobody looks for until it is published."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def publish(path: Path, target: Path) -> None:
    """Give a file its name. Should its old name reappear after a power cut, nobody minds."""
    path.rename(target)
    sync(target.parent)


def move(path: Path, target: Path) -> None:
    """Rename a file or folder; a target that exists and is not empty is an OSError."""
    path.rename(target)
    sync(target.parent)
    if path.parent != target.parent:
        sync(path.parent)


def remove(path: Path) -> None:
    """Delete a file."""
    path.unlink()
    sync(path.parent)


def make(folder: Path) -> None:
    """Make a folder, with its parents, where it does not exist; for this user alone."""
    if not folder.is_dir():
        make(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
        sync(folder.parent)


def settle(folder: Path) -> None:
    """Sync what another program wrote below a folder."""
    for inside in folder.rglob("*"):
        sync(inside)
    sync(folder)


def sync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def discard(folder: Path) -> None:
    """Delete a folder that nobody needs; what cannot be deleted stays for the next time."""
    shutil.rmtree(folder, ignore_errors=True)

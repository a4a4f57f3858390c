"""Overwrite checks, atomic output, and locks on folders."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from unmetal.errors import InputError
from unmetal.files.formats import is_dicom

LOCK = ".lock"
"""Name of the file in a folder that `exclusive_lock` locks; it stays there."""

BACKUP = ".unmetal-backup"
"""Name of the folder in a folder that holds the old files while new ones replace them."""


@contextmanager
def exclusive_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of an existing folder, which ends with the process, however that ends.

    Raises `InputError` where another process, or another part of this one, holds it.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(f"{folder}: another run is at work there: wait for it") from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def replacing(path: Path, *, sync: bool = False, mode: int = 0o666) -> Iterator[Path]:
    """An empty file beside `path` to write to, which replaces `path` when the block ends.

    Whoever reads `path` sees the old content or the new, never a part. On any exception `path`
    stays as it was and the other file goes.

    Args:
        path: in a folder that exists.
        sync: also wait for the disk, so that the new content outlives a power cut.
        mode: permissions of a new file, less the umask.
    """
    partial = path.with_name(f".unmetal-{path.name}")
    partial.unlink(missing_ok=True)
    try:
        partial.touch(mode, exist_ok=False)
        yield partial
        if sync:
            fsync(partial)
        partial.replace(path)
        if sync:
            fsync(path.parent)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def replacing_all(folder: Path, names: Sequence[str]) -> Iterator[Path]:
    """An empty folder to write some of the files `names` to, which then replace all of them.

    `folder`, which exists, holds the old files or the new ones: on any exception the old ones are
    put back, and after a kill by `restore`, to be called before they are read.
    """
    stage = Path(tempfile.mkdtemp(prefix=".unmetal-", dir=folder))
    try:
        yield stage
        (stage / BACKUP).mkdir()
        for name in names:
            if (folder / name).exists():
                shutil.copy2(folder / name, stage / BACKUP / name)
        # The backup is complete under this name, and no longer needed once it has left it.
        (stage / BACKUP).rename(folder / BACKUP)
        for name in names:
            if (stage / name).exists():
                (stage / name).replace(folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
        (folder / BACKUP).rename(stage / BACKUP)
    except BaseException:
        restore(folder, names)
        raise
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def restore(folder: Path, names: Sequence[str]) -> None:
    """Put back the files of a `replacing_all` that was interrupted; nothing where there is none."""
    if not (folder / BACKUP).exists():
        return
    with tempfile.TemporaryDirectory(prefix=".unmetal-", dir=folder) as trash:
        for name in names:
            (folder / name).unlink(missing_ok=True)
            if (folder / BACKUP / name).exists():
                shutil.copy2(folder / BACKUP / name, folder / name)
        (folder / BACKUP).rename(Path(trash) / BACKUP)


def fsync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk. Windows has no such call for
    folders, and none for files that are open for reading only."""
    if sys.platform == "win32" and path.is_dir():
        return
    handle = os.open(path, os.O_RDWR if sys.platform == "win32" else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refuse_overwrite(path: Path, *, folder: bool, source: Path | None, force: bool) -> None:
    """Raise InputError where writing `path` would destroy something.

    The input is never written to, `force` or not. An existing file or folder needs `force`, and a
    folder must then hold nothing but DICOM: a slip of the hand must not empty a home directory. An
    empty folder is free. `folder` says whether the output is one: neither replaces the other.
    """
    if source is not None:
        refuse_overlap(path, source)
    if path.exists() and path.is_dir() != folder:
        there, wanted = ("file", "folder") if folder else ("folder", "file")
        raise InputError(f"{path}: is a {there}, but the output is a {wanted}: give another place")
    if not path.exists() or (folder and not any(path.iterdir())):
        return
    if not force:
        raise InputError(f"{path}: exists already: give another place, or --force to replace it")
    if path.is_dir() and not all(_is_dicom(p) for p in path.rglob("*") if not p.is_dir()):
        raise InputError(
            f"{path}: holds files that are not DICOM: remove it yourself, or give another place"
        )


def refuse_overlap(path: Path, source: Path) -> None:
    """Raise InputError where one of them is the other, or lies within it."""
    one, other = path.resolve(), source.resolve()
    same_file = path.exists() and source.exists() and path.samefile(source)
    if same_file or one == other or other in one.parents or one in other.parents:
        raise InputError(f"{path}: lies over the input {source}: give another place")


@contextmanager
def staged(path: Path, *, force: bool) -> Iterator[Path]:
    """A path of the same name in a temporary folder beside `path`, moved into place at the end.

    Whatever else the writer leaves beside it (the .raw of a .mhd) moves along. On any exception
    nothing remains, nor do parent folders made for it.
    """
    parent = path.absolute().parent
    made = [p for p in (parent, *parent.parents) if not p.exists()]
    parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=".unmetal-", dir=parent))
    try:
        yield stage / path.name
        _publish(stage, path, force=force)
    except BaseException:
        shutil.rmtree(stage, ignore_errors=True)
        for folder in made:
            folder.rmdir()
        raise
    shutil.rmtree(stage)


def _publish(stage: Path, path: Path, *, force: bool) -> None:
    """Move everything in `stage` beside `path`; what is named `path` itself last."""
    companions = [p for p in stage.iterdir() if p.name != path.name]
    for companion in companions:
        # A companion without its header belongs to something else, perhaps to the input.
        if (path.parent / companion.name).exists() and not (force and path.exists()):
            raise InputError(f"{path.parent / companion.name}: exists already: give another name")
    if path.is_dir() and any(path.iterdir()):
        _swap_folder(stage, path)
        return
    for companion in companions:
        companion.replace(path.parent / companion.name)
    (stage / path.name).replace(path)


def _swap_folder(stage: Path, path: Path) -> None:
    """Folders cannot replace each other in one step: put the old one back if the second fails."""
    old = stage / f"{path.name}.old"
    path.rename(old)
    try:
        (stage / path.name).rename(path)
    except OSError:
        old.rename(path)
        raise


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as file:
        return is_dicom(file)

"""Unpacking an archive: only files below the folder, never links, never far more than it says."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from unmetal.errors import InputError, short_error
from unmetal.files.archives import points_out, refuse_bomb

CHUNK = 2**20

MAX_TOTAL = 2**33
"""Bytes that an archive may unpack to, 8 GiB: 16,000 slices of 512 x 512."""


def is_archive(path: Path) -> bool:
    """Whether it is a zip: by content."""
    return path.is_file() and zipfile.is_zipfile(path) and not path.name.lower().endswith(".npz")


def unpack(path: Path, folder: Path) -> Path:
    """The members of a zip as files below a new folder, which is returned.

    Raises `InputError` for names that point out of the folder, links, what unpacks to far more
    than images do, and what is damaged or encrypted; nothing is left then.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = [one for one in archive.infolist() if not one.is_dir()]
            for member in members:
                _refuse_name(member, path)
            refuse_bomb(members, path)
            if sum(one.file_size for one in members) > MAX_TOTAL:
                raise InputError(f"{path.name}: unpacks to more than 8 GiB: give fewer series")
            for member in members:
                target = folder / PurePosixPath(member.filename)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as packed, target.open("xb") as file:
                    shutil.copyfileobj(packed, file, CHUNK)
    except InputError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    except Exception as error:  # damage shows in as many ways as there are ways to pack
        shutil.rmtree(folder, ignore_errors=True)
        why = f"damaged or encrypted archive: {short_error(error)}"
        raise InputError(f"{path.name}: {why}") from error
    folder.mkdir(exist_ok=True)
    return folder


def _refuse_name(member: zipfile.ZipInfo, path: Path) -> None:
    """Raise InputError for a member that would land elsewhere, or is no file."""
    if points_out(PurePosixPath(member.filename)):
        raise InputError(f"{path.name}: a member points out of the archive: pack it anew")
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in {0, stat.S_IFREG}:
        raise InputError(f"{path.name}: a member is a link or a device: pack the files themselves")

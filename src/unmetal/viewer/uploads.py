"""Files that are dropped on the page: streamed to the disk, below a cap, under harmless names."""

from __future__ import annotations

import asyncio
import errno
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from unmetal.errors import InputError
from unmetal.files.archives import points_out
from unmetal.viewer.records import new_id
from unmetal.viewer.temporary import STALE_S, remove

LIMIT = 2**31
"""Bytes of an upload, all files together."""

CHUNK = 2**20
"""Bytes that are collected before they are written."""

MOST_FILES = 50_000

LONGEST = 1000
"""Characters of a path."""


class TooLargeError(Exception):
    """An upload exceeds the cap."""


@dataclass
class Upload:
    """A folder that files are put into."""

    id: str
    folder: Path
    bytes: int = 0
    files: int = 0
    used: float = field(default_factory=time.monotonic)
    """When the last file began, monotonic seconds."""


class Uploads:
    """The uploads that are under way, by their id."""

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self.folder, self.limit = folder, limit
        self._uploads: dict[str, Upload] = {}

    def begin(self) -> Upload:
        """A new one, without files."""
        id = new_id()
        upload = Upload(id, self.folder / f"upload-{id}")
        upload.folder.mkdir(mode=0o700)
        self._uploads[id] = upload
        return upload

    def get(self, id: str) -> Upload:
        """The upload; raises `InputError`."""
        if id not in self._uploads:
            raise InputError("this upload is over: begin another one")
        return self._uploads[id]

    async def put(
        self, id: str, name: str, length: int | None, content: AsyncIterator[bytes]
    ) -> int:
        """Write a file as it comes; returns its size.

        length: its size where the browser says so.
        Raises `TooLargeError` where the upload would exceed the cap, which ends the upload, and
        `InputError` for a path that points out of the upload, a file that is there, a full disk.
        """
        upload = self.get(id)
        upload.used = time.monotonic()
        path = relative_path(name)
        if upload.files >= MOST_FILES:
            raise InputError(f"more than {MOST_FILES} files: give fewer, or a zip")
        if length is not None and upload.bytes + length > self.limit:
            self._refuse(upload)
        target = upload.folder / path
        try:
            await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
            with target.open("xb") as file:
                upload.files += 1
                try:
                    return await self._write(upload, file, content)
                except BaseException:  # half a file is none, also where the browser has gone
                    upload.files -= 1
                    target.unlink(missing_ok=True)
                    raise
        except FileExistsError as error:
            raise InputError(f"{path.name}: is there twice") from error
        except OSError as error:
            full = error.errno in {errno.ENOSPC, errno.EDQUOT}
            why = "the disk is full" if full else "cannot be stored under this name"
            raise InputError(f"{path.name}: {why}") from error

    async def _write(self, upload: Upload, file: BinaryIO, content: AsyncIterator[bytes]) -> int:
        size = 0
        async for chunk in in_pieces(content, CHUNK):
            size += len(chunk)
            upload.bytes += len(chunk)
            if upload.bytes > self.limit:
                self._refuse(upload)
            await asyncio.to_thread(file.write, chunk)
        return size

    def end(self, id: str) -> Path:
        """What there is to open: the one file, or the folder. The upload takes no more files."""
        upload = self.get(id)
        del self._uploads[id]
        if upload.files == 0:
            remove(upload.folder)
            raise InputError("nothing was uploaded: drop a folder, a zip or a file")
        files = [path for path in upload.folder.rglob("*") if path.is_file()]
        return files[0] if len(files) == 1 else upload.folder

    def close_stale(self, *, age: float = STALE_S) -> None:
        """Remove uploads that were never opened."""
        for upload in list(self._uploads.values()):
            if time.monotonic() - upload.used > age:
                remove(upload.folder)
                del self._uploads[upload.id]

    def _refuse(self, upload: Upload) -> None:
        remove(upload.folder)
        self._uploads.pop(upload.id, None)
        raise TooLargeError(
            f"larger than {self.limit / 2**30:.3g} GiB in all: open it by `unmetal view PATH`"
        )


async def in_pieces(content: AsyncIterator[bytes], size: int) -> AsyncIterator[bytes]:
    """The same bytes in pieces of at least `size`, but the last."""
    held: list[bytes] = []
    count = 0
    async for chunk in content:
        held.append(chunk)
        count += len(chunk)
        if count >= size:
            yield b"".join(held)
            held, count = [], 0
    if held:
        yield b"".join(held)


def relative_path(name: str) -> PurePosixPath:
    """A path below the upload's folder; raises `InputError` for one that points out of it."""
    path = PurePosixPath(name)
    odd = not path.parts or "\\" in name or any(ord(character) < 32 for character in name)
    if odd or len(name) > LONGEST or points_out(path):
        raise InputError("a file's path is empty, too long or points out of its folder")
    return path

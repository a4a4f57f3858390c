"""Destinations of derived series: their names on the command line, and how to send to one."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydicom import dcmread
from pydicom.dataset import Dataset

from unmetal.errors import InputError
from unmetal.sending.ae_title import check_ae_title

OUT_OF_RESOURCES = "0xA7"
"""The failures 0xA7xx: the destination will not take the next image either."""


class UnreachableError(Exception):
    """The destination does not answer or let us in: every series has to wait."""


class DeclinedError(Exception):
    """The destination answered, and did not take all images of this series."""


@dataclass(frozen=True)
class Entity:
    """An application entity that takes C-STORE; written `AET@HOST:PORT`."""

    aet: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.aet}@{host}:{self.port}"


def parse_destination(text: str) -> Entity | str:
    """From `AET@HOST:PORT`, or the URL of a DICOMweb service that takes STOW-RS; raises
    `InputError` for anything else."""
    if text.startswith(("http://", "https://")):
        return check_url(text).rstrip("/")
    match = re.fullmatch(r"([^@]+)@(\[[0-9A-Fa-f:.]+\]|[^@:\[\]/]+):(\d{1,5})", text)
    if match is None or not 0 < int(match[3]) < 65536:
        raise InputError(f"{text}: not a destination: give AET@HOST:PORT or a DICOMweb URL")
    return Entity(check_ae_title(match[1]), match[2].strip("[]"), int(match[3]))


def check_url(url: str) -> str:
    """Return the URL; raises `InputError` if it is none, or holds a password, which would show in
    logs and process lists."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise InputError(f"not a URL: {error}") from error
    if parts.username is not None or parts.password is not None:
        raise InputError("a URL with a password in it: put user and password into ~/.netrc")
    if not parts.hostname:
        raise InputError(f"{url}: a URL without a host")
    return url


class Transport(ABC):
    """Sends DICOM files to one destination."""

    def send(self, images: list[Path], *, check_existing: bool) -> Iterator[Path]:
        """Send the files, and yield each that the destination has confirmed.

        check_existing: query the destination for instances it already has, and do not send these
            again: an earlier attempt may have delivered one whose answer was lost.
        Raises `UnreachableError`, or `DeclinedError` after the last image that was taken.
        """
        existing: dict[str, set[str]] = {}
        failures: set[str] = set()
        with self._connect(images) as connection:
            for path in images:
                image = dcmread(path)
                series = str(image.SeriesInstanceUID)
                if check_existing and series not in existing:
                    existing[series] = self._find_instances(connection, image)
                known = check_existing and image.SOPInstanceUID in existing[series]
                if known or not (failure := self._store(connection, image)):
                    yield path
                    continue
                failures.add(failure)
                if failure.startswith(OUT_OF_RESOURCES):
                    break
        if failures:
            raise DeclinedError(", ".join(sorted(failures)))

    @abstractmethod
    def _connect(self, images: list[Path]) -> AbstractContextManager[Any]:
        """A connection for these files; raises `UnreachableError`."""

    @abstractmethod
    def _store(self, connection: Any, image: Dataset) -> str:
        """Why the destination did not take an image, empty if it did; raises `UnreachableError`."""

    @abstractmethod
    def _find_instances(self, connection: Any, image: Dataset) -> set[str]:
        """UIDs of the images of the same series that the destination has; none if it cannot say."""

"""Where a series goes: an application entity or a DICOMweb service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from unmetal.errors import InputError
from unmetal.node.config import check_title


@dataclass(frozen=True)
class Entity:
    """An application entity that takes C-STORE."""

    aet: str
    host: str
    port: int

    def __str__(self) -> str:
        """As it was given."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.aet}@{host}:{self.port}"


@dataclass(frozen=True)
class Web:
    """A DICOMweb service."""

    url: str

    def __str__(self) -> str:
        """As it was given."""
        return self.url


Destination = Entity | Web


def parse(text: str) -> Destination:
    """`AET@HOST:PORT` or an http(s) URL; raises InputError for anything else."""
    if text.startswith(("http://", "https://")):
        return Web(without_password(text).rstrip("/"))
    match = re.fullmatch(r"([^@]+)@(\[[0-9A-Fa-f:.]+\]|[^@:\[\]/]+):(\d{1,5})", text)
    if match is None or not 0 < int(match[3]) < 65536:
        raise InputError(f"{text}: not a destination: give AET@HOST:PORT or a DICOMweb URL")
    return Entity(check_title(match[1]), match[2].strip("[]"), int(match[3]))


def without_password(url: str) -> str:
    """The URL; raises InputError if it holds a password, which would show in logs and lists."""
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname)
        secret = parts.username is not None or parts.password is not None
    except ValueError as error:
        raise InputError(f"not a URL: {error}") from error
    if secret:
        raise InputError("a URL with a password in it: put user and password into ~/.netrc")
    if not named:
        raise InputError(f"{url}: a URL without a host")
    return url


class UnreachableError(Exception):
    """Nobody answers, or not us: every series has to wait."""


class DeclinedError(Exception):
    """The destination answered, and took not all of these images."""


class Carrier(Protocol):
    """One destination."""

    def carry(self, images: list[Path], *, doubt: bool) -> Iterator[Path]:
        """Send DICOM files of one series, and yield each when the destination has it for good.

        doubt: whether an earlier attempt may have brought one of them without hearing so; then
            the destination is asked what it has, if it can be, and not sent that again.
        Raises `UnreachableError` or `DeclinedError`, after the last image that it could bring.
        """
        ...

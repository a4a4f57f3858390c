"""Where derived series are sent: application entities and DICOMweb services, and how that fails."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from unmetal.errors import InputError
from unmetal.node.config import check_ae_title


@dataclass(frozen=True)
class Entity:
    """An application entity that takes C-STORE."""

    aet: str
    host: str
    port: int

    def __str__(self) -> str:
        """`AET@HOST:PORT`, as it was given."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.aet}@{host}:{self.port}"


@dataclass(frozen=True)
class WebService:
    """A DICOMweb service that takes STOW-RS."""

    url: str

    def __str__(self) -> str:
        """The URL."""
        return self.url


Destination = Entity | WebService


def parse_destination(text: str) -> Destination:
    """From `AET@HOST:PORT` or an http(s) URL; raises `InputError` for anything else."""
    if text.startswith(("http://", "https://")):
        return WebService(check_url(text).rstrip("/"))
    match = re.fullmatch(r"([^@]+)@(\[[0-9A-Fa-f:.]+\]|[^@:\[\]/]+):(\d{1,5})", text)
    if match is None or not 0 < int(match[3]) < 65536:
        raise InputError(f"{text}: not a destination: give AET@HOST:PORT or a DICOMweb URL")
    return Entity(check_ae_title(match[1]), match[2].strip("[]"), int(match[3]))


def check_url(url: str) -> str:
    """Return the URL; raises `InputError` if it is none, or holds a password, which would show in
    logs and process lists."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
        has_password = parts.username is not None or parts.password is not None
    except ValueError as error:
        raise InputError(f"not a URL: {error}") from error
    if has_password:
        raise InputError("a URL with a password in it: put user and password into ~/.netrc")
    if not host:
        raise InputError(f"{url}: a URL without a host")
    return url


class UnreachableError(Exception):
    """The destination does not answer or let us in: every series has to wait."""


class DeclinedError(Exception):
    """The destination answered, and did not take all images of this series."""

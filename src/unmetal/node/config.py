"""Options of `unmetal node`: whom to receive from, what to keep, how to reduce, where to send."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from unmetal.errors import InputError
from unmetal.reduction.settings import Settings
from unmetal.sending.ae_title import check_ae_title


@dataclass(frozen=True)
class ReceiveConfig:
    """Who may send, and how."""

    aet: Annotated[str, tyro.conf.arg(metavar="NAME")]
    """Application entity title of this node; associations with another one are rejected."""

    port: int
    """TCP port for DICOM."""

    host: str = "127.0.0.1"
    """Address to listen on. Anything but loopback needs --allow-aet or --allow-ip."""

    allow_aet: Annotated[tuple[str, ...], tyro.conf.arg(metavar="AET")] = ()
    """Calling AE titles that may associate; everybody's if none is given."""

    allow_ip: Annotated[tuple[str, ...], tyro.conf.arg(metavar="IP|NET")] = ()
    """Addresses or networks (10.1.0.0/16) that may connect; all if none is given."""

    associations: int = 10
    """Associations at the same time; more are rejected for the moment."""

    tls_cert: Annotated[Path | None, tyro.conf.arg(metavar="PEM")] = None
    """Certificate of this node. With it and --tls-key only TLS is spoken on --port."""

    tls_key: Annotated[Path | None, tyro.conf.arg(metavar="PEM")] = None
    """Its private key."""

    tls_ca: Annotated[Path | None, tyro.conf.arg(metavar="PEM")] = None
    """Authorities whose certificates are trusted; senders must then show one."""


@dataclass(frozen=True)
class StorageConfig:
    """What is kept on disk, and when a series is complete."""

    spool: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of the queue (default ~/.local/state/unmetal/AET)."""

    quiet_time: Annotated[float, tyro.conf.arg(metavar="S")] = 60.0
    """A series is complete when no image of it came for so many seconds, or when as many are there
    as its images state in NumberOfSeriesRelatedInstances."""

    queue: int = 100
    """Series in the node at the same time; images of further ones are refused with 0xA700."""

    min_free: Annotated[float, tyro.conf.arg(metavar="GIB")] = 2.0
    """Free disk space below which every image is refused with 0xA700."""


@dataclass(frozen=True)
class ReduceConfig(Settings):
    """The options of `unmetal reduce`."""

    spacing: tyro.conf.Suppress[float | None] = None
    """DICOM states the pixel size."""

    force: tyro.conf.Suppress[bool] = False
    """A node that reduced its own results again would never end."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to compute; auto takes a GPU when there is one."""

    report: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder for a report on each series, in a folder of its own: a page to read and print, and its
    numbers. Nobody is named in it, but it shows the images; nothing deletes it."""

    send_report: bool = False
    """Also send the report, as an encapsulated PDF of the study, with each derived series."""

    time_limit: Annotated[float, tyro.conf.arg(metavar="MIN")] = 60.0
    """Minutes after which a reduction counts as hung."""


@dataclass(frozen=True)
class SendConfig:
    """Where derived series go, where further series are fetched, and the status port."""

    to: Annotated[tuple[str, ...], tyro.conf.arg(metavar="AET@HOST:PORT|URL")]
    """Destinations, each of which gets every series: by C-STORE to an application entity, by
    STOW-RS to a DICOMweb URL."""

    sources: Annotated[tuple[str, ...], tyro.conf.arg(name="from", metavar="URL")] = ()
    """DICOMweb searches whose CT series are fetched: .../studies/UID, .../studies/UID/series/UID
    or .../series?StudyDate=20240101-&StationName=CT1."""

    poll: Annotated[float, tyro.conf.arg(metavar="S")] = 60.0
    """Seconds between two searches."""

    tls_to: bool = False
    """Speak TLS with the application entities of --to."""

    retry: Annotated[float, tyro.conf.arg(metavar="S")] = 10.0
    """Pause after the first failure; it doubles with each further one, up to 15 minutes."""

    give_up: Annotated[float, tyro.conf.arg(metavar="HOURS")] = 72.0
    """Age at which a series that cannot be sent becomes a dead letter."""

    status_port: int = 8104
    """Loopback port for /health and /metrics; 0 for none."""


@dataclass(frozen=True)
class Config:
    """All options of a node."""

    receive: ReceiveConfig
    storage: StorageConfig
    reduce: ReduceConfig
    send: SendConfig

    def __post_init__(self) -> None:
        """Raise `InputError` for options that cannot work, before anything listens."""
        receive = self.receive
        for title in (receive.aet, *receive.allow_aet):
            check_ae_title(title)
        parse_networks(receive.allow_ip)
        for name, port in (("--port", receive.port), ("--status-port", self.send.status_port)):
            if not 0 <= port < 65536:
                raise InputError(f"{name} {port}: give a port up to 65535")
        if not self.send.to:
            raise InputError("--to: name at least one destination")
        if (receive.tls_cert is None) != (receive.tls_key is None):
            raise InputError("--tls-cert and --tls-key belong together")
        if not (is_loopback(receive.host) or receive.allow_aet or receive.allow_ip):
            raise InputError(
                f"--host {receive.host} can be reached from outside: say who may send, with "
                "--allow-aet or --allow-ip (0.0.0.0/0 is everybody)"
            )

    @property
    def spool(self) -> Path:
        """Folder of the queue."""
        title = re.sub(r"[^\w.-]", "_", self.receive.aet)
        return self.storage.spool or Path.home() / ".local" / "state" / "unmetal" / title


def parse_networks(texts: tuple[str, ...]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Addresses and networks of --allow-ip; raises `InputError`."""
    try:
        return [ipaddress.ip_network(text) for text in texts]
    except ValueError as error:
        raise InputError(f"--allow-ip: {error}: give 10.1.2.3 or 10.1.0.0/16") from error


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

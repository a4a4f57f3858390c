"""A DICOMweb service: images out by STOW-RS, in by QIDO-RS and WADO-RS (PS3.18)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import requests
from dicomweb_client import DICOMwebClient
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset

from unmetal.node.config import Receiving
from unmetal.node.destination import DeclinedError, UnreachableError
from unmetal.node.intake import CANNOT_UNDERSTAND, RefusedError

TIMEOUT_S = (10.0, 60.0)
"""To connect, and between two pieces of an answer."""

OF_THE_IMAGE = {400, 406, 409, 413, 415}
"""HTTP status codes that say something about the images sent; others are about the service."""


def client(url: str, config: Receiving) -> DICOMwebClient:
    """A client with this node's certificates; users and passwords come from ~/.netrc."""
    session = requests.Session()
    if config.tls_ca is not None:
        session.verify = str(config.tls_ca)
    if config.tls_cert is not None and config.tls_key is not None:
        session.cert = (str(config.tls_cert), str(config.tls_key))
    made = DICOMwebClient(url, session=session, timeout=TIMEOUT_S)
    made.set_http_retry_params(retry=False)  # the queue tries again, and remembers
    return made


class Stow:
    """See `Carrier`: one image a request, so that each is confirmed by itself."""

    def __init__(self, url: str, config: Receiving) -> None:
        self.client = client(url, config)

    def carry(self, images: list[Path], *, doubt: bool) -> Iterator[Path]:
        """Send these files; see `Carrier`."""
        held: dict[str, set[str]] = {}
        declined: list[str] = []
        for image in images:
            dataset = dcmread(image)
            series = str(dataset.SeriesInstanceUID)
            if doubt and series not in held:
                held[series] = self._held(dataset)
            if doubt and dataset.SOPInstanceUID in held[series]:
                yield image
            elif reason := self._store(dataset):
                declined.append(reason)
            else:
                yield image
        if declined:
            raise DeclinedError(", ".join(sorted(set(declined))))

    def _store(self, image: Dataset) -> str:
        """Why the service does not take it; empty when it has it."""
        try:
            with reachable():
                answer = self.client.store_instances([image])
        except requests.HTTPError as error:
            return said(error)
        failed = answer.get("FailedSOPSequence") or ()
        return ", ".join(f"0x{int(item.get('FailureReason', 0)):04X}" for item in failed)

    def _held(self, image: Dataset) -> set[str]:
        """The images of a series that the service says it has; none when it cannot be asked."""
        study, series = str(image.StudyInstanceUID), str(image.SeriesInstanceUID)
        try:
            with reachable():
                found = self.client.search_for_instances(study, series, get_remaining=True)
        except requests.HTTPError:
            return set()
        return {str(value(item, "SOPInstanceUID")) for item in found}


@contextmanager
def reachable(*, images: bool = True) -> Iterator[None]:
    """Raise `UnreachableError` when a service does not do its work.

    images: whether images were sent; HTTPError then says that it has something against them.
    """
    try:
        yield
    except requests.HTTPError as error:
        status = None if error.response is None else error.response.status_code
        if images and status in OF_THE_IMAGE:
            raise
        raise UnreachableError(said(error)) from error
    except requests.RequestException as error:
        raise UnreachableError(type(error).__name__) from error


def said(error: requests.HTTPError) -> str:
    """The status in short; the whole text of the error quotes the URL, with UIDs in it."""
    return "HTTP error" if error.response is None else f"HTTP {error.response.status_code}"


@dataclass(frozen=True)
class Found:
    """A series that a service says it has."""

    study: str
    series: str
    description: str
    images: int | None


def search(at: DICOMwebClient, filters: dict[str, str], study: str | None) -> list[Found]:
    """The CT series that fit; raises `UnreachableError`."""
    wanted = {"Modality": "CT"} | filters
    with reachable(images=False):
        items = at.search_for_series(study, search_filters=wanted, get_remaining=True)
    return [
        Found(
            str(value(item, "StudyInstanceUID") or study),
            str(value(item, "SeriesInstanceUID")),
            str(value(item, "SeriesDescription") or ""),
            value(item, "NumberOfSeriesRelatedInstances"),
        )
        for item in items
    ]


def images(at: DICOMwebClient, found: Found) -> list[str]:
    """The UIDs of a series' images; raises `UnreachableError`."""
    with reachable(images=False):
        items = at.search_for_instances(found.study, found.series, get_remaining=True)
    return [str(value(item, "SOPInstanceUID")) for item in items]


def retrieve(at: DICOMwebClient, found: Found, image: str) -> bytes:
    """A DICOM file, in the transfer syntax in which the service holds it.

    Raises `UnreachableError`, and `RefusedError` for what is no DICOM file.
    """
    types = (("application/dicom", "*"),)
    buffer = BytesIO()
    try:
        with reachable(images=False):
            dataset = at.retrieve_instance(found.study, found.series, image, media_types=types)
            dcmwrite(buffer, dataset, enforce_file_format=True)
    except UnreachableError:
        raise
    except Exception as error:  # whatever a parser stumbles over
        raise RefusedError(CANNOT_UNDERSTAND, "cannot be read") from error
    return buffer.getvalue()


def value(item: dict[str, Any], keyword: str) -> Any:
    """The first value of an attribute of a QIDO-RS answer (PS3.18 annex F); None without one."""
    return Dataset.from_json(item).get(keyword)

"""A DICOMweb service: images out by STOW-RS, in by QIDO-RS and WADO-RS (PS3.18)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import requests
from dicomweb_client import DICOMwebClient
from pydicom import dcmwrite
from pydicom.dataset import Dataset

from unmetal.node.config import ReceiveConfig
from unmetal.node.intake import CANNOT_UNDERSTAND, RefusedError
from unmetal.sending.destination import Transport, UnreachableError

TIMEOUT_S = (10.0, 60.0)
"""To connect, and between two pieces of an answer."""

IMAGE_REFUSED = {400, 406, 409, 413, 415}
"""HTTP status codes of STOW-RS that concern the image sent; others concern the service."""


def make_client(url: str, config: ReceiveConfig) -> DICOMwebClient:
    """A client with this node's certificates; users and passwords come from ~/.netrc."""
    session = requests.Session()
    if config.tls_ca is not None:
        session.verify = str(config.tls_ca)
    if config.tls_cert is not None and config.tls_key is not None:
        session.cert = (str(config.tls_cert), str(config.tls_key))
    client = DICOMwebClient(url, session=session, timeout=TIMEOUT_S)
    client.set_http_retry_params(retry=False)  # the sender tries again, and across restarts
    return client


class Stow(Transport):
    """STOW-RS to one service: one image a request, so that each is confirmed by itself."""

    def __init__(self, url: str, config: ReceiveConfig) -> None:
        self.client = make_client(url, config)

    def _connect(self, images: list[Path]) -> AbstractContextManager[DICOMwebClient]:
        return nullcontext(self.client)

    def _store(self, connection: DICOMwebClient, image: Dataset) -> str:
        try:
            with raise_unreachable():
                answer = connection.store_instances([image])
        except requests.HTTPError as error:
            return http_status(error)
        failed = answer.get("FailedSOPSequence") or ()
        return ", ".join(f"0x{int(item.get('FailureReason', 0)):04X}" for item in failed)

    def _find_instances(self, connection: DICOMwebClient, image: Dataset) -> set[str]:
        study, series = str(image.StudyInstanceUID), str(image.SeriesInstanceUID)
        try:
            with raise_unreachable():
                found = connection.search_for_instances(study, series, get_remaining=True)
        except requests.HTTPError:
            return set()
        return {str(get(item, "SOPInstanceUID")) for item in found}


@contextmanager
def raise_unreachable(*, storing: bool = True) -> Iterator[None]:
    """Turn errors of requests into `UnreachableError`.

    storing: let an HTTPError pass whose status says that the service refuses the image sent.
    """
    try:
        yield
    except requests.HTTPError as error:
        status = None if error.response is None else error.response.status_code
        if storing and status in IMAGE_REFUSED:
            raise
        raise UnreachableError(http_status(error)) from error
    except requests.RequestException as error:
        raise UnreachableError(type(error).__name__) from error


def http_status(error: requests.HTTPError) -> str:
    """The status alone; the text of the error quotes the URL, with UIDs in it."""
    return "HTTP error" if error.response is None else f"HTTP {error.response.status_code}"


@dataclass(frozen=True)
class FoundSeries:
    """A series in the answer to a search."""

    study: str
    series: str
    description: str
    images: int | None
    """Number of its images, where the service states it."""


def search_series(
    client: DICOMwebClient, filters: dict[str, str], study: str | None
) -> list[FoundSeries]:
    """QIDO-RS: the CT series that match; raises `UnreachableError`."""
    filters = {"Modality": "CT"} | filters
    with raise_unreachable(storing=False):
        items = client.search_for_series(study, search_filters=filters, get_remaining=True)
    return [
        FoundSeries(
            str(get(item, "StudyInstanceUID") or study),
            str(get(item, "SeriesInstanceUID")),
            str(get(item, "SeriesDescription") or ""),
            get(item, "NumberOfSeriesRelatedInstances"),
        )
        for item in items
    ]


def list_images(client: DICOMwebClient, found: FoundSeries) -> list[str]:
    """QIDO-RS: the SOP Instance UIDs of a series; raises `UnreachableError`."""
    with raise_unreachable(storing=False):
        items = client.search_for_instances(found.study, found.series, get_remaining=True)
    return [str(get(item, "SOPInstanceUID")) for item in items]


def retrieve_image(client: DICOMwebClient, found: FoundSeries, image: str) -> bytes:
    """WADO-RS: a DICOM file, in the transfer syntax in which the service holds it.

    Raises `UnreachableError`, and `RefusedError` for what is no DICOM file.
    """
    types = (("application/dicom", "*"),)
    buffer = BytesIO()
    try:
        with raise_unreachable(storing=False):
            dataset = client.retrieve_instance(found.study, found.series, image, media_types=types)
            dcmwrite(buffer, dataset, enforce_file_format=True)
    except UnreachableError:
        raise
    except Exception as error:  # pydicom raises errors of many classes for damaged files
        raise RefusedError(CANNOT_UNDERSTAND, "cannot be read") from error
    return buffer.getvalue()


def get(item: dict[str, Any], keyword: str) -> Any:
    """An attribute of one result of QIDO-RS (PS3.18 annex F); None where it is missing."""
    return Dataset.from_json(item).get(keyword)

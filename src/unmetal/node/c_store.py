"""C-STORE to an application entity, over one association a series (PS3.4 annex B)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import build_context
from pynetdicom.association import Association
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind as Find,
)

from unmetal.node.destination import DeclinedError, Entity, UnreachableError
from unmetal.node.identity import application_entity

CONNECT_TIMEOUT_S = 10.0

ANSWER_TIMEOUT_S = 60.0
"""To accept the association, and to store one image."""

SUCCESS = 0x0000

NOT_SUPPORTED = 0x0122
"""SOP class not supported (PS3.7 annex C.5.6): no context was accepted for the image."""

OUT_OF_RESOURCES = range(0xA700, 0xA800)
"""The destination will not take the next image either."""


class CStore:
    """A Storage SCU for one destination."""

    def __init__(self, aet: str, entity: Entity, tls: ssl.SSLContext | None = None) -> None:
        self.entity = entity
        self.ae = application_entity(aet)
        self.ae.acse_timeout = self.ae.dimse_timeout = self.ae.network_timeout = ANSWER_TIMEOUT_S
        self.ae.connection_timeout = CONNECT_TIMEOUT_S
        self.tls = None if tls is None else (tls, entity.host)

    def send(self, images: list[Path], *, check_existing: bool) -> Iterator[Path]:
        """Send DICOM files, and yield each that the destination has confirmed.

        check_existing: query the destination for instances it already has, and do not send these
            again: an earlier attempt may have delivered one whose answer was lost.
        Raises `UnreachableError`, or `DeclinedError` after the last image that was taken.
        """
        association = self._associate(images)
        existing: dict[str, set[str]] = {}
        failures: set[int] = set()
        try:
            for image in images:
                dataset = dcmread(image)
                series = str(dataset.SeriesInstanceUID)
                if check_existing and series not in existing:
                    existing[series] = _find_instances(association, dataset)
                known = check_existing and dataset.SOPInstanceUID in existing[series]
                status = SUCCESS if known else _store(association, dataset)
                if _is_stored(status):
                    yield image
                    continue
                failures.add(status)
                if status in OUT_OF_RESOURCES:
                    break
        finally:
            if association.is_established:
                association.release()
        if failures:
            raise DeclinedError(", ".join(f"0x{status:04X}" for status in sorted(failures)))

    def _associate(self, images: list[Path]) -> Association:
        try:
            association = self.ae.associate(
                self.entity.host,
                self.entity.port,
                ae_title=self.entity.aet,
                contexts=[*presentation_contexts(images), build_context(Find)],
                tls_args=self.tls,
            )
        except OSError as error:  # the name of the host cannot be resolved
            raise UnreachableError("no connection") from error
        if association.is_established:
            return association
        rejected = association.is_rejected
        raise UnreachableError("association rejected" if rejected else "no connection")


def presentation_contexts(images: list[Path]) -> list[PresentationContext]:
    """One for each SOP class and transfer syntax; uncompressed files are offered in both forms of
    little endian, into which pynetdicom converts them."""
    pairs = set()
    uncompressed = {ExplicitVRLittleEndian, ImplicitVRLittleEndian}
    for image in images:
        meta = dcmread(image, stop_before_pixels=True, specific_tags=[]).file_meta
        syntax = meta.TransferSyntaxUID
        for offered in uncompressed if syntax in uncompressed else {syntax}:
            pairs.add((meta.MediaStorageSOPClassUID, offered))
    return [build_context(sop_class, syntax) for sop_class, syntax in sorted(pairs)]


def _store(association: Association, dataset: Dataset) -> int:
    try:
        status = association.send_c_store(dataset).get("Status")
    except ValueError:  # no presentation context for it was accepted
        return NOT_SUPPORTED
    except RuntimeError as error:
        raise UnreachableError("the association ended") from error
    if status is None:
        raise UnreachableError("the connection broke")
    return int(status)


def _is_stored(status: int) -> bool:
    """Success, and the warnings 0xBxxx: stored, with something changed (PS3.4 table B.2-1)."""
    return status == SUCCESS or status & 0xF000 == 0xB000


def _find_instances(association: Association, image: Dataset) -> set[str]:
    """C-FIND: UIDs of the images of a series that the destination has; none if it cannot say."""
    query = Dataset()
    query.QueryRetrieveLevel = "IMAGE"
    query.StudyInstanceUID = image.StudyInstanceUID
    query.SeriesInstanceUID = image.SeriesInstanceUID
    query.SOPInstanceUID = ""
    try:
        answers = [found for _, found in association.send_c_find(query, Find) if found is not None]
    except (ValueError, RuntimeError):  # no context for queries was accepted; the association ended
        return set()
    return {str(found.get("SOPInstanceUID")) for found in answers}

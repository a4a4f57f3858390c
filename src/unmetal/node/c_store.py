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

ANSWER_S = 60.0
"""Seconds that a destination may take to connect, to agree, and to store one image."""

NOT_SUPPORTED = 0x0122
"""The destination did not agree to this class or transfer syntax (PS3.7 annex C.5.6)."""

FULL = range(0xA700, 0xA800)
"""Out of resources: no use in offering it the next image."""


class CStore:
    """See `Carrier`."""

    def __init__(self, aet: str, entity: Entity, tls: ssl.SSLContext | None = None) -> None:
        self.entity = entity
        self.ae = application_entity(aet)
        self.ae.acse_timeout = self.ae.dimse_timeout = self.ae.network_timeout = ANSWER_S
        self.ae.connection_timeout = 10.0
        self.tls = None if tls is None else (tls, entity.host)

    def carry(self, images: list[Path], *, doubt: bool) -> Iterator[Path]:
        """Send these files; see `Carrier`."""
        association = self._associate(images)
        held: dict[str, set[str]] = {}
        declined: list[int] = []
        try:
            for image in images:
                dataset = dcmread(image)
                series = str(dataset.SeriesInstanceUID)
                if doubt and series not in held:
                    held[series] = _held(association, dataset)
                known = doubt and dataset.SOPInstanceUID in held[series]
                status = 0x0000 if known else _store(association, dataset)
                if _is_kept(status):
                    yield image
                    continue
                declined.append(status)
                if status in FULL:
                    break
        finally:
            if association.is_established:
                association.release()
        if declined:
            raise DeclinedError(", ".join(sorted({f"0x{status:04X}" for status in declined})))

    def _associate(self, images: list[Path]) -> Association:
        try:
            association = self.ae.associate(
                self.entity.host,
                self.entity.port,
                ae_title=self.entity.aet,
                contexts=[*contexts(images), build_context(Find)],
                tls_args=self.tls,
            )
        except OSError as error:  # a name that nobody knows
            raise UnreachableError("no connection") from error
        if association.is_established:
            return association
        rejected = association.is_rejected
        raise UnreachableError("association rejected" if rejected else "no connection")


def contexts(images: list[Path]) -> list[PresentationContext]:
    """What has to be agreed on: each class in the form it has, and uncompressed ones in both."""
    pairs = set()
    plain = {ExplicitVRLittleEndian, ImplicitVRLittleEndian}
    for image in images:
        meta = dcmread(image, stop_before_pixels=True, specific_tags=[]).file_meta
        syntax = meta.TransferSyntaxUID
        for one in plain if syntax in plain else {syntax}:
            pairs.add((meta.MediaStorageSOPClassUID, one))
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


def _is_kept(status: int) -> bool:
    """Success, and the warnings 0xBxxx: stored, with something changed (PS3.4 table B.2-1)."""
    return status == 0 or status & 0xF000 == 0xB000


def _held(association: Association, image: Dataset) -> set[str]:
    """The images of a series that the destination says it has; none when it cannot be asked."""
    query = Dataset()
    query.QueryRetrieveLevel = "IMAGE"
    query.StudyInstanceUID = image.StudyInstanceUID
    query.SeriesInstanceUID = image.SeriesInstanceUID
    query.SOPInstanceUID = ""
    try:
        answers = [found for _, found in association.send_c_find(query, Find) if found is not None]
    except (ValueError, RuntimeError):  # it did not agree to queries; the association ended
        return set()
    return {str(found.get("SOPInstanceUID")) for found in answers}

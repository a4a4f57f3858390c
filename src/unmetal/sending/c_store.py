"""C-STORE to an application entity, over one association a series (PS3.4 annex B)."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
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

from unmetal.sending.application_entity import application_entity
from unmetal.sending.destination import Entity, Transport, UnreachableError

CONNECT_TIMEOUT_S = 10.0

ANSWER_TIMEOUT_S = 60.0
"""To accept the association, and to store one image."""

NOT_SUPPORTED = 0x0122
"""SOP class not supported (PS3.7 annex C.5.6): no context was accepted for the image."""


class CStore(Transport):
    """A Storage SCU for one application entity."""

    def __init__(self, aet: str, entity: Entity, tls: ssl.SSLContext | None = None) -> None:
        self.entity = entity
        self.ae = application_entity(aet)
        self.ae.acse_timeout = self.ae.dimse_timeout = self.ae.network_timeout = ANSWER_TIMEOUT_S
        self.ae.connection_timeout = CONNECT_TIMEOUT_S
        self.tls = None if tls is None else (tls, entity.host)

    @contextmanager
    def _connect(self, images: list[Path]) -> Iterator[Association]:
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
        if not association.is_established:
            why = "association rejected" if association.is_rejected else "no connection"
            raise UnreachableError(why)
        try:
            yield association
        finally:
            if association.is_established:
                association.release()

    def _store(self, connection: Association, image: Dataset) -> str:
        try:
            status = connection.send_c_store(image).get("Status")
        except ValueError:  # no presentation context for it was accepted
            status = NOT_SUPPORTED
        except RuntimeError as error:
            raise UnreachableError("the association ended") from error
        if status is None:
            raise UnreachableError("the connection broke")
        # Success, and the warnings 0xBxxx: stored, with something changed (PS3.4 table B.2-1).
        return "" if status == 0 or status & 0xF000 == 0xB000 else f"0x{status:04X}"

    def _find_instances(self, connection: Association, image: Dataset) -> set[str]:
        query = Dataset()
        query.QueryRetrieveLevel = "IMAGE"
        query.StudyInstanceUID = image.StudyInstanceUID
        query.SeriesInstanceUID = image.SeriesInstanceUID
        query.SOPInstanceUID = ""
        try:
            answers = [answer for _, answer in connection.send_c_find(query, Find)]
        except (ValueError, RuntimeError):  # no context for queries was accepted, or it has ended
            return set()
        return {str(answer.get("SOPInstanceUID")) for answer in answers if answer is not None}


def presentation_contexts(images: list[Path]) -> list[PresentationContext]:
    """One for each SOP class and transfer syntax; uncompressed files are offered in both forms of
    little endian, into which pynetdicom converts them."""
    pairs = set()
    uncompressed = {ExplicitVRLittleEndian, ImplicitVRLittleEndian}
    for image in images:
        meta = dcmread(image, stop_before_pixels=True, specific_tags=[]).file_meta
        syntax = meta.TransferSyntaxUID
        offered = uncompressed if syntax in uncompressed else {syntax}
        pairs |= {(meta.MediaStorageSOPClassUID, one) for one in offered}
    return [build_context(sop_class, syntax) for sop_class, syntax in sorted(pairs)]

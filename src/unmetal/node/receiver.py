"""The service class provider: answers C-ECHO and C-STORE (PS3.4 annexes A and B)."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    CTImageStorage,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_RELEASE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from unmetal.errors import InputError
from unmetal.node import identity
from unmetal.node.config import Receiving
from unmetal.node.health import Metrics
from unmetal.node.identity import application_entity
from unmetal.node.intake import CANNOT_UNDERSTAND, Intake, RefusedError
from unmetal.node.listening import ANNOUNCED_BYTES, BoundedSocket, Server
from unmetal.node.log import Log

SYNTAXES: tuple[UID, ...] = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    RLELossless,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    JPEG2000Lossless,
    JPEG2000,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    HTJ2K,
)
"""What is decoded here, in the order of liking. Not deflated: a megabyte can be a gigabyte."""

REQUEST_S = 10.0
"""Seconds from a connection to the request for an association."""


@dataclass
class Tally:
    """What one association brought."""

    calling: str = ""
    peer: str = ""
    new: int = 0
    copies: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    series: set[str] = field(default_factory=set)


class Receiver:
    """Listens, and answers success only for what is on the disk."""

    def __init__(self, config: Receiving, intake: Intake, log: Log, metrics: Metrics) -> None:
        self.config, self.intake, self.log, self.metrics = config, intake, log, metrics
        self._tallies: WeakKeyDictionary[Association, Tally] = WeakKeyDictionary()
        self._server: Server | None = None

    def start(self) -> None:
        """Listen; raises `InputError` if the port cannot be had."""
        _config.LOG_HANDLER_LEVEL = "none"  # it would format every header for a log nobody reads
        config = self.config
        try:
            server = self._entity().make_server(
                (config.host, config.port),
                ssl_context=identity.server(config),
                evt_handlers=self._handlers(),
                server_class=Server,
                allow_ip=config.allow_ip,
                associations=config.associations,
                turned_away=self._turned_away,
            )
        except OSError as error:
            where = f"{config.host}:{config.port}"
            raise InputError(f"{where}: cannot listen there: {error.strerror}") from error
        assert isinstance(server, Server)
        self._server = server
        threading.Thread(target=server.serve_forever, name="unmetal-listen", daemon=True).start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        assert self._server is not None
        return self._server.server_address[1]

    def stop(self) -> None:
        """No new connections; those there are end with the process, and lose nothing by it."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _entity(self) -> AE:
        entity = application_entity(self.config.aet)
        entity.require_called_aet = True
        entity.require_calling_aet = list(self.config.allow_aet)
        entity.acse_timeout = REQUEST_S
        entity.maximum_pdu_size = ANNOUNCED_BYTES
        entity.add_supported_context(Verification)
        entity.add_supported_context(CTImageStorage, list(SYNTAXES))
        return entity

    def _handlers(self) -> list:
        return [
            (evt.EVT_C_ECHO, self._echo),
            (evt.EVT_C_STORE, self._store),
            (evt.EVT_ACCEPTED, self._accepted),
            (evt.EVT_REJECTED, self._rejected),
            (evt.EVT_ACSE_RECV, self._heard),
            (evt.EVT_ABORTED, self._ended, ["aborted"]),
            (evt.EVT_CONN_CLOSE, self._ended, ["closed"]),
        ]

    def _echo(self, event: Event) -> int:
        _dealt_with(event.assoc)
        return 0x0000

    def _store(self, event: Event) -> int:
        tally = self._tallies.get(event.assoc) or Tally()
        try:
            status, result = 0x0000, self._stored(event, tally)
        except RefusedError as refusal:
            tally.refused[refusal.reason] = tally.refused.get(refusal.reason, 0) + 1
            status, result = refusal.status, "refused"
        except Exception as error:
            self.log("error", where="receive", kind=type(error).__name__)
            status, result = CANNOT_UNDERSTAND, "refused"
        _dealt_with(event.assoc)
        self.metrics.add("unmetal_images_received_total", result=result)
        return status

    def _stored(self, event: Event, tally: Tally) -> str:
        uid = str(event.request.AffectedSOPInstanceUID)  # type: ignore[union-attr]
        instance, new = self.intake.take(event.encoded_dataset(), instance_uid=uid)
        tally.series.add(instance.series)
        tally.new += new
        tally.copies += not new
        return "new" if new else "copy"

    def _accepted(self, event: Event) -> None:
        requestor = event.assoc.requestor
        self._tallies[event.assoc] = Tally(requestor.ae_title.strip(), requestor.address)

    def _rejected(self, event: Event) -> None:
        requestor = event.assoc.requestor
        self.metrics.add("unmetal_associations_total", end="rejected")
        calling = requestor.ae_title.strip()
        self.log("association", end="rejected", calling=calling, peer=requestor.address)

    def _turned_away(self, reason: str) -> None:
        self.metrics.add("unmetal_associations_total", end="turned away")
        self.log("connection turned away", why=reason)

    def _heard(self, event: Event) -> None:
        """A request to release: seen here before it is answered, and so before the peer closes."""
        if isinstance(event.primitive, A_RELEASE):  # type: ignore[attr-defined]
            self._ended(event, "released")

    def _ended(self, event: Event, how: str) -> None:
        tally = self._tallies.pop(event.assoc, None)
        if tally is None:
            return
        if how != "released":
            self.intake.arrivals.broke_off(tally.series)
        self.metrics.add("unmetal_associations_total", end=how)
        counts = {"new": tally.new, "copies": tally.copies, "refused": tally.refused}
        self.log("association", end=how, calling=tally.calling, peer=tally.peer, **counts)


def _dealt_with(association: Association) -> None:
    connection = association.dul.socket
    if isinstance(connection, BoundedSocket):
        connection.held = 0

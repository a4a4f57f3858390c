"""The service class provider: answers C-ECHO and C-STORE (PS3.4 annexes A and B)."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

from pydicom import uid
from pynetdicom import AE, _config, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.pdu_primitives import A_RELEASE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from unmetal.errors import InputError
from unmetal.node.config import ReceiveConfig
from unmetal.node.health import Metrics
from unmetal.node.identity import server_tls
from unmetal.node.intake import CANNOT_UNDERSTAND, Intake, RefusedError
from unmetal.node.listening import ANNOUNCED_PDU_BYTES, BoundedSocket, Server
from unmetal.node.log import Log
from unmetal.sending.application_entity import application_entity

TRANSFER_SYNTAXES: tuple[uid.UID, ...] = (
    uid.ExplicitVRLittleEndian,
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.RLELossless,
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEGLSNearLossless,
    uid.JPEG2000Lossless,
    uid.JPEG2000,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
    uid.HTJ2K,
)
"""Those that the reader decodes, in order of preference. Not deflated: a megabyte of it can hold a
gigabyte."""

REQUEST_TIMEOUT_S = 10.0
"""From a connection to the request for an association."""

SUCCESS = 0x0000


@dataclass
class AssociationStats:
    """What came over one association."""

    calling: str = ""
    peer: str = ""
    new: int = 0
    copies: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    """Number of images for each reason."""

    series: set[str] = field(default_factory=set)


class Receiver:
    """Listens, and answers success only for an image that is on the disk."""

    def __init__(self, config: ReceiveConfig, intake: Intake, log: Log, metrics: Metrics) -> None:
        self.config, self.intake, self.log, self.metrics = config, intake, log, metrics
        self._stats: WeakKeyDictionary[Association, AssociationStats] = WeakKeyDictionary()
        self._server: Server | None = None

    def start(self) -> None:
        """Listen; raises `InputError` if the port cannot be had."""
        _config.LOG_HANDLER_LEVEL = "none"  # pynetdicom would format every header for its log
        config = self.config
        handlers: list = [
            (evt.EVT_C_ECHO, self._on_echo),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_ACCEPTED, self._on_accepted),
            (evt.EVT_REJECTED, self._on_rejected),
            (evt.EVT_ACSE_RECV, self._on_acse),
            (evt.EVT_ABORTED, self._on_end, ["aborted"]),
            (evt.EVT_CONN_CLOSE, self._on_end, ["closed"]),
        ]
        try:
            server = self._entity().make_server(
                (config.host, config.port),
                ssl_context=server_tls(config),
                evt_handlers=handlers,
                server_class=Server,
                config=config,
                on_refused=self._on_refused_connection,
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
        """Take no new connections, and abort those there are."""
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _entity(self) -> AE:
        entity = application_entity(self.config.aet)
        entity.require_called_aet = True
        entity.require_calling_aet = list(self.config.allow_aet)
        entity.acse_timeout = REQUEST_TIMEOUT_S
        entity.maximum_pdu_size = ANNOUNCED_PDU_BYTES
        entity.add_supported_context(Verification)
        entity.add_supported_context(uid.CTImageStorage, list(TRANSFER_SYNTAXES))
        return entity

    def _on_echo(self, event: Event) -> int:
        _reset_pending(event.assoc)
        return SUCCESS

    def _on_store(self, event: Event) -> int:
        stats = self._stats.get(event.assoc) or AssociationStats()
        try:
            status, result = SUCCESS, self._store(event, stats)
        except RefusedError as refusal:
            stats.refused[refusal.reason] += 1
            status, result = refusal.status, "refused"
        except Exception as error:
            self.log("error", where="receive", kind=type(error).__name__)
            status, result = CANNOT_UNDERSTAND, "refused"
        _reset_pending(event.assoc)
        self.metrics.images_received.labels(result).inc()
        return status

    def _store(self, event: Event, stats: AssociationStats) -> str:
        announced = str(event.request.AffectedSOPInstanceUID)  # type: ignore[union-attr]
        instance, new = self.intake.take(event.encoded_dataset(), instance_uid=announced)
        stats.series.add(instance.series)
        stats.new += new
        stats.copies += not new
        return "new" if new else "copy"

    def _on_accepted(self, event: Event) -> None:
        requestor = event.assoc.requestor
        self._stats[event.assoc] = AssociationStats(requestor.ae_title.strip(), requestor.address)

    def _on_rejected(self, event: Event) -> None:
        requestor = event.assoc.requestor
        self.metrics.associations.labels("rejected").inc()
        calling, peer = requestor.ae_title.strip(), requestor.address
        self.log("association", end="rejected", calling=calling, peer=peer)

    def _on_refused_connection(self, reason: str) -> None:
        self.metrics.associations.labels("turned away").inc()
        self.log("connection turned away", why=reason)

    def _on_acse(self, event: Event) -> None:
        """A-RELEASE-RQ arrives here before it is answered, and so before the peer closes."""
        if isinstance(event.primitive, A_RELEASE):  # type: ignore[attr-defined]
            self._on_end(event, "released")

    def _on_end(self, event: Event, how: str) -> None:
        stats = self._stats.pop(event.assoc, None)
        if stats is None:
            return
        if how != "released":
            self.intake.arrivals.mark_broken_off(stats.series)
        self.metrics.associations.labels(how).inc()
        counts = {"new": stats.new, "copies": stats.copies, "refused": stats.refused}
        self.log("association", end=how, calling=stats.calling, peer=stats.peer, **counts)


def _reset_pending(association: Association) -> None:
    """The message is dealt with: what the connection may send is counted from 0 again."""
    connection = association.dul.socket
    if isinstance(connection, BoundedSocket):
        connection.pending_bytes = 0

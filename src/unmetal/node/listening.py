"""The DICOM port: who may connect, and how much memory and time a connection may take.

pynetdicom reads a PDU of any length, and takes messages faster than they are dealt with. Here a
connection that wants more than any CT image needs is dropped.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from socketserver import TCPServer
from typing import Any

from pynetdicom import evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from unmetal.files.dicom.pixels import MAX_PIXELS
from unmetal.node.config import ReceiveConfig, parse_networks

ANNOUNCED_PDU_BYTES = 1 << 16
"""Maximum PDU length that is negotiated (PS3.8 annex D.1)."""

MAX_PDU_BYTES = 1 << 20
"""Longest PDU that is read. A-ASSOCIATE-RQ, to which the negotiated length does not apply, has some
30 KB with 128 presentation contexts."""

MAX_PENDING_BYTES = 4 * MAX_PIXELS + (32 << 20)
"""What one connection may send before its message is dealt with, 96 MiB: the largest image that is
read, with 32 bits a pixel, and a header of 32 MiB."""

PDU_TIMEOUT_S = 60.0
"""For one whole PDU: a byte a minute does not keep a connection open."""

CHUNK_BYTES = 1 << 16


class BoundedSocket(AssociationSocket):
    """A connection with limits."""

    pending_bytes = 0
    """Bytes received since the last message was dealt with."""

    def recv(self, nr_bytes: int) -> bytearray:
        """Read exactly so many bytes, or fewer if the peer closed; raises OSError over a limit."""
        self.pending_bytes += nr_bytes
        if nr_bytes > MAX_PDU_BYTES or self.pending_bytes > MAX_PENDING_BYTES:
            raise ConnectionAbortedError("too long")
        until, received = time.monotonic() + PDU_TIMEOUT_S, bytearray()
        while len(received) < nr_bytes:
            if time.monotonic() > until or self.socket is None:
                raise TimeoutError("too slow")
            some = self.socket.recv(min(CHUNK_BYTES, nr_bytes - len(received)))
            if not some:
                break
            received += some
        return received

    def _shutdown_socket(self) -> None:
        """Close the socket, also where the peer was faster: pynetdicom leaves it to the garbage
        collector then, and a thousand of them are all the files that a process may have."""
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()


class Handler(RequestHandler):
    """Gives every association a bounded socket."""

    def _create_association(self) -> Association:
        association = super()._create_association()
        assert isinstance(self.request, socket.socket)
        # pynetdicom's own socket has queued the event of the new connection; that of ours goes,
        # as the same event twice ends the association.
        queued = association.dul.event_queue.qsize()
        association.dul.socket = BoundedSocket(association, client_socket=self.request)
        while association.dul.event_queue.qsize() > queued:
            association.dul.event_queue.get_nowait()
        return association


class Server(ThreadedAssociationServer):
    """Accepts connections from allowed addresses, up to a number of associations."""

    daemon_threads = True
    request_queue_size = 128
    """Connections that the system holds until they are accepted: many scanners may call at once."""

    def __init__(
        self, *args: Any, config: ReceiveConfig, on_refused: Callable[[str], None], **kwargs: Any
    ) -> None:
        """on_refused: called with the reason when a connection is closed unanswered."""
        self.allowed, self.on_refused = parse_networks(config.allow_ip), on_refused
        self.associations = config.associations
        super().__init__(*args, **kwargs)
        self.RequestHandlerClass = Handler
        # pynetdicom would count connections that have not requested an association yet.
        self.ae.maximum_associations = 10**6
        self.bind(evt.EVT_REQUESTED, self._on_request)
        self.bind(evt.EVT_CONN_CLOSE, _on_close)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection. The TLS handshake is left to its own thread, at the first read, so
        that a peer which does not finish it keeps nobody else waiting."""
        assert self.socket is not None
        connection, address = self.socket.accept()
        connection.settimeout(self.ae.network_timeout)
        if self.ssl_context is not None:
            connection = self.ssl_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            )
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether to answer a connection at all."""
        peer = ipaddress.ip_address(client_address[0])
        if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
            peer = peer.ipv4_mapped
        if self.allowed and not any(peer in network for network in self.allowed):
            self.on_refused("address not allowed")
            return False
        # More than `associations`, so that those over the limit are rejected with a reason.
        if len(self.active_associations) >= 4 * self.associations:
            self.on_refused("too many connections")
            return False
        return True

    def _on_request(self, event: Event) -> None:
        """Reject an association over the limit: transient, by the presentation service, local
        limit exceeded (PS3.8 table 9-21)."""
        if sum(one.is_established for one in self.active_associations) >= self.associations:
            event.assoc.acse.send_reject(0x02, 0x03, 0x02)
            evt.trigger(event.assoc, evt.EVT_REJECTED, {})
            event.assoc.kill()

    def shutdown(self) -> None:
        """Stop listening, and abort every association once its image is dealt with.

        Not by pynetdicom's own `shutdown`, which leaves a list of servers that only its
        `start_server` enters.
        """
        TCPServer.shutdown(self)
        self.server_close()
        for association in self.active_associations:
            if association.is_established:
                association.abort()


def _on_close(event: Event) -> None:
    """End an association whose peer closed before it requested anything, as probes of load
    balancers do: pynetdicom would wait for the request until the timeout."""
    if event.assoc.requestor.primitive is None:
        event.assoc.dul.to_user_queue.put(None)

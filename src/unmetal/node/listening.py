"""The port: who may connect, and how much a connection may ask of this machine.

pynetdicom reads a PDU of any length, and messages faster than they are dealt with. Here a
connection is dropped as soon as it wants more than any CT image needs.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from socketserver import TCPServer
from typing import Any

from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event
from pynetdicom.transport import AssociationSocket, RequestHandler, ThreadedAssociationServer

from unmetal.node.config import networks

PDU_BYTES = 1 << 20
"""Longest protocol data unit that is read. We announce 64 KiB; a request for an association with
128 contexts has some 30 KB."""

ANNOUNCED_BYTES = 1 << 16

HELD_BYTES = 160 << 20
"""What one connection may send before it is dealt with: 8192 x 8192 pixels of 16 bits, and some."""

PDU_S = 60.0
"""Time for one PDU: dripping a byte a minute does not keep a connection."""

CHUNK = 1 << 16


class BoundedSocket(AssociationSocket):
    """A connection with a limit."""

    held = 0
    """Bytes that came since the last message was dealt with."""

    def recv(self, nr_bytes: int) -> bytearray:
        """Exactly so many bytes, or fewer when the peer went; raises OSError over a limit."""
        self.held += nr_bytes
        if nr_bytes > PDU_BYTES or self.held > HELD_BYTES:
            raise ConnectionAbortedError("too long")
        until, received = time.monotonic() + PDU_S, bytearray()
        while len(received) < nr_bytes:
            if time.monotonic() > until or self.socket is None:
                raise TimeoutError("too slow")
            some = self.socket.recv(min(CHUNK, nr_bytes - len(received)))
            if not some:
                break
            received += some
        return received

    def _shutdown_socket(self) -> None:
        """Close it, also where the peer was faster; pynetdicom would leave that to the garbage
        collector, and a thousand of them are all the files that a process may have."""
        if self.socket is not None:
            with suppress(OSError):
                self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()


class Handler(RequestHandler):
    """Gives every association a bounded socket."""

    def _create_association(self) -> Association:
        association = super()._create_association()
        assert isinstance(self.request, socket.socket)
        # The first socket announced the connection already; twice would end it.
        announced = association.dul.event_queue.qsize()
        association.dul.socket = BoundedSocket(association, client_socket=self.request)
        while association.dul.event_queue.qsize() > announced:
            association.dul.event_queue.get_nowait()
        return association


class Server(ThreadedAssociationServer):
    """Lets in who may come."""

    daemon_threads = True
    request_queue_size = 128
    """Connections that the system holds until we look: a department's scanners may all call."""

    def __init__(
        self,
        ae: AE,
        address: tuple[str, int],
        ae_title: str,
        contexts: list,
        ssl_context: ssl.SSLContext | None = None,
        evt_handlers: list | None = None,
        *,
        allow_ip: tuple[str, ...] = (),
        associations: int = 10,
        turned_away: Callable[[str], None] = lambda reason: None,
    ) -> None:
        self.allowed, self.turned_away = networks(allow_ip), turned_away
        self.associations = associations
        # pynetdicom would count connections that have not asked for an association yet.
        ae.maximum_associations = 10**6
        super().__init__(ae, address, ae_title, contexts, ssl_context, evt_handlers, Handler)
        self.bind(evt.EVT_REQUESTED, self._requested)
        self.bind(evt.EVT_CONN_CLOSE, _closed)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept a connection. A TLS handshake happens when it is first read, in its own thread:
        who does not finish it keeps nobody else waiting."""
        assert self.socket is not None
        connection, address = self.socket.accept()
        connection.settimeout(self.ae.network_timeout)
        if self.ssl_context is None:
            return connection, address
        return (
            self.ssl_context.wrap_socket(
                connection, server_side=True, do_handshake_on_connect=False
            ),
            address,
        )

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether to answer at all."""
        peer = ipaddress.ip_address(client_address[0])
        if isinstance(peer, ipaddress.IPv6Address) and peer.ipv4_mapped is not None:
            peer = peer.ipv4_mapped
        if self.allowed and not any(peer in network for network in self.allowed):
            self.turned_away("address not allowed")
            return False
        # Those over the number of associations are there to be told so.
        if len(self.active_associations) >= 4 * self.associations:
            self.turned_away("too many connections")
            return False
        return True

    def _requested(self, event: Event) -> None:
        """Reject an association, for the moment, when there are enough (PS3.8 table 9-21)."""
        if sum(one.is_established for one in self.active_associations) >= self.associations:
            event.assoc.acse.send_reject(0x02, 0x03, 0x02)
            evt.trigger(event.assoc, evt.EVT_REJECTED, {})
            event.assoc.kill()

    def shutdown(self) -> None:
        """Stop listening, and abort every association once its image is dealt with.

        pynetdicom's own also leaves a list that `make_server` did not put us on.
        """
        TCPServer.shutdown(self)
        self.server_close()
        for association in self.active_associations:
            if association.is_established:
                association.abort()


def _closed(event: Event) -> None:
    """Let go of a connection that was closed before it asked for anything, as a load balancer's
    probes are: pynetdicom would wait for its request until the timeout."""
    if event.assoc.requestor.primitive is None:
        event.assoc.dul.to_user_queue.put(None)

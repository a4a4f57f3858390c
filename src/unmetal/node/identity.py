"""The node's application entity, and its TLS contexts.

TLS follows the BCP 195 profile of PS3.15 section B.12, as Python's defaults give it.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from pynetdicom import AE

from unmetal.errors import InputError
from unmetal.node.config import ReceiveConfig
from unmetal.software import version

IMPLEMENTATION_CLASS_UID = "2.25.140675195350144410717538523626253145305"
"""PS3.7 annex D.3.3.2; from a UUID, as PS3.5 annex B.2 allows."""


def application_entity(title: str) -> AE:
    """An application entity with the implementation class UID and version of this software."""
    entity = AE(title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = f"UNMETAL {version()}"[:16]
    return entity


def server_tls(config: ReceiveConfig) -> ssl.SSLContext | None:
    """For senders, None without a certificate; with --tls-ca they must show one, too. Raises
    `InputError` for files that hold no certificate and key."""
    if config.tls_cert is None:
        return None
    context = _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), config)
    if config.tls_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client_tls(config: ReceiveConfig) -> ssl.SSLContext:
    """For destinations: their certificate is checked, and ours is shown if there is one. Raises
    `InputError` for files that hold no certificate and key."""
    return _load(ssl.create_default_context(), config)


def _load(context: ssl.SSLContext, config: ReceiveConfig) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    file: Path | None = None
    try:
        if (file := config.tls_cert) is not None and config.tls_key is not None:
            context.load_cert_chain(file, config.tls_key)
        if (file := config.tls_ca) is not None:
            context.load_verify_locations(file)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise InputError(f"{file}: not a certificate and its key: {error}") from error
    return context

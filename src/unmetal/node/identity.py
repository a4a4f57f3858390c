"""TLS for DICOM: the BCP 195 profile of PS3.15 section B.12, as Python's defaults give it."""

from __future__ import annotations

import ssl
from importlib.metadata import version
from pathlib import Path

from pynetdicom import AE

from unmetal.errors import InputError
from unmetal.node.config import Receiving


def server(config: Receiving) -> ssl.SSLContext | None:
    """What senders meet; None without a certificate. With authorities, senders must show one."""
    if config.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, config)
    if config.tls_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def client(config: Receiving) -> ssl.SSLContext:
    """How destinations are met: their certificate is checked, ours is shown if there is one."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    _load(context, config)
    return context


def _load(context: ssl.SSLContext, config: Receiving) -> None:
    held: Path | None = None
    try:
        if (held := config.tls_cert) is not None and config.tls_key is not None:
            context.load_cert_chain(held, config.tls_key)
        if (held := config.tls_ca) is not None:
            context.load_verify_locations(held)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        raise InputError(f"{held}: not a certificate and its key: {error}") from error


IMPLEMENTATION = "2.25.140675195350144410717538523626253145305"
"""Implementation Class UID (PS3.7 annex D.3.3.2), from a UUID as PS3.5 annex B.2 allows."""


def application_entity(title: str) -> AE:
    """An application entity of this software."""
    entity = AE(title)
    entity.implementation_class_uid = IMPLEMENTATION
    entity.implementation_version_name = f"UNMETAL {version('unmetal')}"[:16]
    return entity

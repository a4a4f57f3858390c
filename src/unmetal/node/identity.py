"""The node's TLS contexts: the certificate it shows, and whose it trusts.

TLS follows the BCP 195 profile of PS3.15 section B.12, as Python's defaults give it.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from unmetal.errors import InputError
from unmetal.node.config import ReceiveConfig


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

"""Who this node says it is to others."""

from __future__ import annotations

from importlib.metadata import version

from pynetdicom import AE

IMPLEMENTATION = "2.25.140675195350144410717538523626253145305"
"""Implementation Class UID (PS3.7 annex D.3.3.2), from a UUID as PS3.5 annex B.2 allows."""


def application_entity(title: str) -> AE:
    """An application entity of this software."""
    entity = AE(title)
    entity.implementation_class_uid = IMPLEMENTATION
    entity.implementation_version_name = f"UNMETAL {version('unmetal')}"[:16]
    return entity

"""Who this software says it is, in every association."""

from __future__ import annotations

from pynetdicom import AE

from unmetal.software import version

IMPLEMENTATION_CLASS_UID = "2.25.140675195350144410717538523626253145305"
"""PS3.7 annex D.3.3.2; from a UUID, as PS3.5 annex B.2 allows."""


def application_entity(title: str) -> AE:
    """An application entity with the implementation class UID and version of this software."""
    entity = AE(title)
    entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
    entity.implementation_version_name = f"UNMETAL {version()}"[:16]
    return entity

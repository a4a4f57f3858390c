"""Which of several segments or regions of interest is metal, by their names."""

from __future__ import annotations

from collections.abc import Sequence

METAL = (
    "metal",
    "implant",
    "prosthe",
    "prothes",
    "hardware",
    "screw",
    "amalgam",
    "pacemaker",
)
"""Parts of names of metal, in small letters."""

ARTIFACT = ("artifact", "artefact", "streak")
"""Parts of names of what metal does to an image, which planners outline as well."""


def metal_names(names: Sequence[str]) -> list[int]:
    """Places of the names that speak of metal, in order; none where no name does."""
    small = [name.lower() for name in names]
    return [
        place
        for place, name in enumerate(small)
        if any(word in name for word in METAL) and not any(word in name for word in ARTIFACT)
    ]

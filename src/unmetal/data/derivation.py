"""What was done to a series, for formats whose header can say so."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Derivation:
    """How an output came from its input. DICOM writes it down; the other formats cannot."""

    method: str = "MAR"
    """Short name, as it appears in the series description: `ADN`."""

    description: str = "Metal artifact reduction"
    """One sentence for DerivationDescription. Whoever uses weights or options names them here:
    two different results of one series must not share their UIDs."""

    kind: str = "MAR"
    """Value 4 of ImageType."""

"""What was done to a series, for formats whose header can say so."""

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from unmetal.software import software

Compression = Literal["rle", "jpegls", "j2k"]
"""Lossless encodings of DICOM pixels: RLE, JPEG-LS, JPEG 2000."""


@dataclass(frozen=True)
class Derivation:
    """How an output came from its input. DICOM writes it down; the other formats hardly can.

    The UIDs of a derived DICOM series follow from the source's and from everything here but
    `outcome` and `warnings`, which follow from the rest, and `compress`, which does not change
    what is stored; so they are known before anything is computed.
    """

    method: str = "MAR"
    """Short name, as it appears in the series description: `ADN`."""

    description: str = "Metal artifact reduction"
    """What is done with which options, for DerivationDescription (1024 characters with the
    outcome)."""

    _: KW_ONLY

    outcome: str = ""
    """What came of it, for the end of DerivationDescription."""

    kind: str = "MAR"
    """Value 4 of ImageType: `MAR`, `MAR_DIFFERENCE`, `MAR_METAL`; `SIMULATED` where an artifact was
    put in, not taken out."""

    weights: str = ""
    """sha256 of the weights; empty for a method that learned nothing."""

    warnings: tuple[str, ...] = ()
    """Keys of the reasons to distrust the result, for the end of the series description."""

    compress: Compression | None = None
    """How pixels are encoded, without loss; None stores them as they are."""

    equipment: Literal["keep", "replace"] = "keep"
    """Whose Manufacturer and ManufacturerModelName the header names: the scanner's, by which
    treatment planning chooses its density curve, or unmetal's."""

    private: Literal["keep", "drop"] = "keep"
    """What becomes of the manufacturers' private elements."""

    series_offset: int = 1000
    """Added to SeriesNumber, so that the derived series sorts below the scanner's own; twice that
    for the difference, three times for the metal."""

    @property
    def reduced(self) -> bool:
        """Whether it comes of a reduction, which is not to be reduced again."""
        return self.kind.startswith("MAR")

    @property
    def entropy(self) -> list[str]:
        """All that decides what a derived object holds, for its UID."""
        what = (self.method, self.description, self.kind, self.weights, software())
        return [*what, self.equipment, self.private, str(self.series_offset)]

"""How a series was derived, for headers and UIDs."""

from dataclasses import KW_ONLY, dataclass
from typing import Literal

from unmetal.software import software

Compression = Literal["rle", "jpegls", "j2k"]
"""Lossless encodings of DICOM pixels: RLE, JPEG-LS, JPEG 2000."""


@dataclass(frozen=True)
class Derivation:
    """How an output was derived from its input. DICOM headers hold all of it, the other formats
    the method only.

    UIDs of a derived DICOM series follow from those of the source and from the fields here, but
    not from `outcome` and `warnings`, which are results of the computation, from `metal_given`,
    which the description says as well, nor from `compress`, which does not change the pixels. So
    the UIDs are known before anything is computed.
    """

    method: str = "MAR"
    """Short name, as it appears in the series description: `ADN`."""

    description: str = "Metal artifact reduction"
    """What is done with which options, for DerivationDescription (1024 characters with the
    outcome)."""

    _: KW_ONLY

    outcome: str = ""
    """The result in numbers, appended to DerivationDescription."""

    kind: str = "MAR"
    """Value 4 of ImageType: `MAR`, `MAR_DIFFERENCE`, `MAR_METAL`; `SIMULATED` where an artifact was
    put in, not taken out. `MAR_CONTOURS` is the metal as a structure set, `MAR_REPORT` the report:
    these are no images."""

    metal_given: bool = False
    """Whether the metal was given as a mask, not found; `description` then holds its hash."""

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
    """Whether private elements (odd group numbers) of the source are copied."""

    series_offset: int = 1000
    """Added to SeriesNumber, so that the derived series sorts below the scanner's own; twice that
    for the difference, three times for the metal, four times for its contours, five times for
    the report."""

    @property
    def reduced(self) -> bool:
        """Whether it is the output of a reduction, which must not be reduced again."""
        return self.kind.startswith("MAR")

    @property
    def entropy(self) -> list[str]:
        """The texts that a derived UID is hashed from, after the UID of the source."""
        what = (self.method, self.description, self.kind, self.weights, software())
        return [*what, self.equipment, self.private, str(self.series_offset)]

"""Options of a reduction, which the command line and the node share; imports nothing slow."""

from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from unmetal.errors import InputError
from unmetal.files.derivation import Compression
from unmetal.methods import DEFAULT_METHOD
from unmetal.units import METAL_HU


@dataclass(frozen=True)
class Settings:
    """The options of `unmetal reduce` that say what comes out, not where it comes from."""

    method: str = DEFAULT_METHOD
    """See `unmetal methods`; or the path of a run folder or of weights."""

    weights: str | None = None
    """Weights of a learned method, by name or path: see `unmetal weights`; its default ones
    otherwise."""

    metal_hu: float = METAL_HU
    """HU above which a pixel inside the body is metal."""

    min_metal_mm2: Annotated[float, tyro.conf.arg(metavar="A")] = 0.0
    """Leave alone pieces of metal with a smaller area in their slice, mm2 (clips, seeds, specks);
    not those of a mask that is given."""

    spacing: float | None = None
    """Pixel size in mm, for formats that state none (default 384 mm / matrix)."""

    force: bool = False
    """Replace an output that exists; process a series that unmetal made itself."""

    save_difference: bool = False
    """Also write what was changed, in HU: OUTPUT-difference, a series of its own."""

    save_metal: bool = False
    """Also write what was taken for metal: OUTPUT-metal, for DICOM a segmentation object, and
    OUTPUT-metal-rtstruct, the same as contours (RT Structure Set)."""

    skip_flips: bool = False
    """Skip the second pass, which reduces every slice mirrored to see where both disagree: half the
    time of a learned method, and one warning less."""

    compress: Compression | None = None
    """Compress DICOM output without loss."""

    equipment: Literal["keep", "replace"] = "keep"
    """Manufacturer and model in DICOM output: keep the scanner's, or replace them by unmetal's."""

    private: Literal["keep", "drop"] = "keep"
    """Private elements in DICOM output."""

    series_offset: int = 1000
    """Added to the DICOM series number; twice for the difference, three times for the metal,
    four times for its contours, five times for the report."""

    def __post_init__(self) -> None:
        """Raise InputError for numbers that make no sense."""
        if not 0 < self.metal_hu < float("inf"):
            raise InputError(f"metal at {self.metal_hu} HU: give a positive number, such as 2500")
        if not 0 <= self.min_metal_mm2 < float("inf"):
            raise InputError(f"least area {self.min_metal_mm2} of metal: give mm2, 0 or more")
        if not 0 <= self.series_offset < 1_000_000:
            raise InputError(f"series offset {self.series_offset}: give 0 to 999999")

"""One series from file to file: read, reduce by `reduce_volume`, write."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from unmetal import files, methods
from unmetal.errors import InputError
from unmetal.files.derivation import Derivation
from unmetal.files.header import dicom_headers
from unmetal.files.staging import refuse_overlap
from unmetal.methods.method import Method
from unmetal.reduction.reduce_volume import Reduced, reduce_volume
from unmetal.reduction.settings import Settings
from unmetal.scan import Progress, Volume
from unmetal.software import software
from unmetal.weights.load import load_method

log = logging.getLogger("unmetal")


@dataclass(frozen=True)
class Tool:
    """A method ready to use, and what names it in a header or a report."""

    method: Method
    """In evaluation mode, on the device where it computes."""

    name: str
    """`ADN`; of weights or a run folder their own name."""

    weights: str = ""
    """Name of the weights, or empty."""

    sha256: str = ""
    """Hash of the weights, as `unmetal weights` lists it; of other authors' checkpoints that of the
    file."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    """Where it computes."""

    caution: str = ""
    """What the weights' card warns of."""


@dataclass(frozen=True)
class Done:
    """What became of a series, and how."""

    reduced: Reduced
    derivation: Derivation
    """What the output's header says about it."""

    tool: Tool
    settings: Settings
    seconds: float
    """Reading and writing included."""


def load_tool(settings: Settings, device: torch.device | None = None) -> Tool:
    """Load the method that the settings name; raises `InputError`."""
    device = device or torch.device("cpu")
    method, card = load_method(settings.method, settings.weights)
    known = methods.find(settings.method)
    name = Path(settings.method).stem if known is None else known.upper()
    weights, sha256 = card.get("name", ""), card.get("sha256", "")
    return Tool(method.to(device), name, weights, sha256, device, card.get("caution", ""))


def reduce_series(
    source: Path,
    output: Path,
    settings: Settings,
    tool: Tool,
    *,
    mask: Path | None = None,
    only: Iterable[str] | None = None,
    progress: Progress = lambda done, total: None,
) -> Done:
    """Read a series, reduce it and write the result, the difference and the metal: all or nothing.

    mask: a file that says what is metal, see `unmetal.files.masks`; found otherwise.
    only: of a folder of DICOM, no other files than these, relative to it.
    Raises `InputError`, one line that says why and what to do; the input is never touched.
    """
    begun = time.perf_counter()
    # Read; and refuse what could not be written before minutes of computing, not after.
    volume = files.read(source, spacing=settings.spacing, only=only)
    check_request(volume, output, settings, mask)
    metal = None if mask is None else files.read_mask(mask, volume)

    # Find the metal, correct the slices that have some, check the result.
    reduced = reduce_volume(
        volume,
        tool.method,
        threshold=settings.metal_hu,
        min_metal_mm2=settings.min_metal_mm2,
        metal=metal,
        device=tool.device,
        progress=progress,
        flips=not settings.skip_flips,
    )
    reduced.log_warnings()

    # Write, with what was done in the header.
    described = with_outcome(derivation(tool, settings, metal), reduced)
    extra = _extra_outputs(reduced, output, settings, described)
    result = files.Output(reduced.volume, output, described)
    files.write_all([result, *extra], force=settings.force)
    return Done(reduced, described, tool, settings, time.perf_counter() - begun)


def check_request(
    volume: Volume, output: Path, settings: Settings, mask: Path | None = None
) -> None:
    """Raise InputError for a series that unmetal made, and for outputs that cannot be written, or
    would replace the mask that is given."""
    if volume.meta.get("made_by_unmetal") and not settings.force:
        raise InputError(
            f"{volume.path}: unmetal made this series: give the original, or add --force"
        )
    for path in (output, *extra_paths(volume, output, settings).values()):
        if mask is not None:
            refuse_overlap(path, mask)
        files.check_output(volume, path, force=settings.force)
    if settings.save_metal:
        files.check_mask(volume)


def derivation(tool: Tool, settings: Settings, metal: np.ndarray | None = None) -> Derivation:
    """What is done, for headers and reports. The new UIDs are hashes of it and of the source's.

    metal: bool `[slices H W]`, where it is given and not found.
    """
    weights = f", weights {tool.weights} sha256:{tool.sha256[:12]}" if tool.weights else ""
    # The keys of warnings stand in the header. A run that skips a check can lack one, and must not
    # give another object the same UID.
    learned = tool.method.input_size is not None
    flips = ", mirrored slices not compared" if learned and settings.skip_flips else ""
    size = f", pixels of {settings.spacing:g} mm" if settings.spacing else ""
    return Derivation(
        method=tool.name,
        description=f"{tool.name} by {software()}{weights}{size}{flips}, "
        f"{_metal_rule(settings, metal)}, in the image domain. RESEARCH USE ONLY.",
        metal_given=metal is not None,
        weights=tool.sha256,
        compress=settings.compress,
        equipment=settings.equipment,
        private=settings.private,
        series_offset=settings.series_offset,
    )


def _metal_rule(settings: Settings, metal: np.ndarray | None) -> str:
    """What counts as metal, in words; a mask that is given by its hash."""
    if metal is not None:
        digest = hashlib.sha256(np.packbits(metal).tobytes()).hexdigest()
        return f"metal as given, mask sha256:{digest[:12]}"
    smallest = f" from {settings.min_metal_mm2:g} mm2" if settings.min_metal_mm2 else ""
    return f"metal above {settings.metal_hu:g} HU{smallest}"


def with_outcome(described: Derivation, reduced: Reduced) -> Derivation:
    """The derivation with its outcome and the keys of its warnings."""
    kept = (
        "Metal, dense objects without an artifact, padding, what is outside the body and slices "
        "without metal to correct are unchanged."
    )
    outcome = kept if len(reduced.changed) else "Nothing had to be done: all values unchanged."
    keys = tuple(flag.key for flag in reduced.warnings)
    return replace(described, outcome=outcome, warnings=keys)


def extra_paths(volume: Volume, output: Path, settings: Settings) -> dict[str, Path]:
    """Paths of the difference, the metal and its contours, as far as they are asked for."""
    wanted = {
        "difference": settings.save_difference,
        "metal": settings.save_metal,
        "metal-rtstruct": settings.save_metal and bool(dicom_headers(volume)),
    }
    return {what: files.companion_path(output, what, volume) for what in wanted if wanted[what]}


def _extra_outputs(
    reduced: Reduced, output: Path, settings: Settings, described: Derivation
) -> Iterator[files.Output]:
    """The difference and the metal, as far as they are asked for; logs which of them is empty."""
    paths = extra_paths(reduced.source, output, settings)
    if "difference" in paths and len(reduced.changed):
        change = files.difference(reduced.source, reduced.volume)
        of_change = replace(described, kind="MAR_DIFFERENCE")
        yield files.Output(change, paths.pop("difference"), of_change)
    for what, kind in (("metal", "MAR_METAL"), ("metal-rtstruct", "MAR_CONTOURS")):
        if what in paths and len(reduced.affected):
            of_metal, contours = replace(described, kind=kind), kind == "MAR_CONTOURS"
            yield files.Output(reduced.source, paths.pop(what), of_metal, reduced.metal, contours)
    for what, path in paths.items():
        log.info("%s: there is no %s, so it is not written", path, what.partition("-")[0])

"""What `unmetal reduce` does, for one series of the spool; it runs in a process of its own."""

from __future__ import annotations

import errno
import time
import traceback
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom import dcmread

from unmetal.data.dicom.provenance import is_own
from unmetal.data.dicom.reading import tolerant
from unmetal.dicom.config import Reducing
from unmetal.errors import InputError

NO_ROOM = {errno.ENOSPC, errno.EDQUOT}


@dataclass(frozen=True)
class Outcome:
    """What came of a reduction that ended by itself."""

    slices: int = 0
    changed: int = 0
    """Slices that are not as they were."""

    warnings: tuple[str, ...] = ()
    """Each `name: sentence`."""

    skipped: str = ""
    """Why there is nothing to send."""

    error: str = ""
    """Why the series cannot be reduced; it never will be."""

    no_room: bool = False
    """Whether the disk was full: it can be, later."""

    seconds: float = 0.0


class Reduction:
    """A method, ready, and what is done with it."""

    def __init__(self, config: Reducing) -> None:
        """Load the method; raises `InputError` where `unmetal reduce` would."""
        from unmetal.engine.device import choose_device  # noqa: PLC0415  (torch takes seconds)
        from unmetal.engine.series import load_tool  # noqa: PLC0415

        self.config, self.tool = config, load_tool(config, choose_device(config.device))

    def __call__(self, images: Path, target: Path) -> Outcome:
        """Reduce the series in a folder into another one, with what else is asked for beside it."""
        begun = time.monotonic()
        try:
            if reason := not_for_us(images):
                outcome = Outcome(skipped=reason)
            else:
                outcome = self._reduce(images, target)
        except InputError as error:
            cause = error.__cause__
            full = isinstance(cause, OSError) and cause.errno in NO_ROOM
            outcome = Outcome(error=str(error), no_room=full)
        except OSError as error:
            outcome = Outcome(error=str(error), no_room=error.errno in NO_ROOM)
        except Exception:  # what nobody foresaw must not end the process: the next series is fine
            outcome = Outcome(error=f"a bug of unmetal:\n{traceback.format_exc()}")
        return replace(outcome, seconds=time.monotonic() - begun)

    def _reduce(self, images: Path, target: Path) -> Outcome:
        from unmetal.engine.series import reduce_series  # noqa: PLC0415

        reduced = reduce_series(images, target, self.config, self.tool).reduced
        warnings = [*reduced.source.meta["warnings"]]
        warnings += [f"{caution.key}: {caution.said}" for caution in reduced.warnings]
        changed = len(reduced.changed)
        skipped = "" if changed else "nothing had to be done"
        return Outcome(len(reduced.metal), changed, tuple(dict.fromkeys(warnings)), skipped)


def not_for_us(images: Path) -> str:
    """Why a series is none that `reduce` is for; empty if it may be.

    A study brings localizers, and an archive that sends on whatever is new sends our own series
    back: neither is a failure that a person has to look at.
    """
    tags = ["ImageType", "DerivationCodeSequence", "ContributingEquipmentSequence"]
    with tolerant():
        headers = [
            dcmread(path, stop_before_pixels=True, specific_tags=tags) for path in images.iterdir()
        ]
        if any(map(is_own, headers)):
            return "made by unmetal"
        if all("LOCALIZER" in (header.get("ImageType") or ()) for header in headers):
            return "localizer"
    return ""

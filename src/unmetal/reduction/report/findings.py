"""Sentences of a report: what must not have changed, and where not to believe the result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from unmetal.metrics.strata import BANDS, TISSUES
from unmetal.reduction.report.changes import (
    DENSE_HU,
    DOUBTFUL_HU,
    LEVELS,
    VISIBLE_HU,
    Changes,
    ChangeStats,
    SliceChanges,
)
from unmetal.reduction.report.format import counted, hu, ml, percent, slices

FAR = len(BANDS) - 1
"""The band farthest from metal: what fat and muscle read there is what they should read
everywhere."""

ENOUGH = 50
"""Voxels below which no mean is given."""

DISAGREE_HU = 20.0
"""Disagreement, HU, from which a slice is named."""


State = Literal["kept", "look", "broken"]


class Check(NamedTuple):
    """Something that should not change, and what was found when it was counted."""

    name: str
    message: str
    state: State
    """`kept` only where it was counted and nothing of it changed; `look` where something changed
    that may have been an artifact or not, which no count can tell; `broken` where it must not."""

    @property
    def kept(self) -> bool:
        """Whether no promise is broken."""
        return self.state != "broken"


def checks(found: Changes) -> list[Check]:
    """What must not have changed, counted in the result as it is written; the worst first."""
    metal, kept, again, outside = (
        sum(getattr(one, name) for one in found.slices)
        for name in ("metal", "kept", "found_again", "outside")
    )
    if not metal:
        listed = [_promise("Every slice", _count(found.elsewhere), found.elsewhere == 0)]
        return [*listed, *_objects_left_alone(found)]
    what = "given" if found.metal_given else "corrected"
    same = "every voxel is as it was" if metal == kept else f"{_count(metal - kept)}"
    text = f"{ml(metal * found.voxel_ml)} in {counted(len(found.slices), 'slice')}: {same}"
    if not found.metal_given:
        text += f". The same rule finds {ml(again * found.voxel_ml)} in the result"
    listed = [_promise(f"The metal that was {what}", text, metal == kept), *_dense_parts(found)]
    listed.append(_promise("Padding and outside the body", _count(outside), outside == 0))
    if without := found.count - len(found.slices):
        text = f"{without} of {found.count}: {_count(found.elsewhere)}"
        listed.append(_promise("Slices without metal to correct", text, found.elsewhere == 0))
    listed += _objects_left_alone(found)
    return sorted(listed, key=lambda one: ("broken", "look", "kept").index(one.state))


def _promise(name: str, message: str, kept: bool) -> Check:
    return Check(name, message, "kept" if kept else "broken")


def _dense_parts(found: Changes) -> Iterator[Check]:
    """What is dense and was not counted as metal: part of an implant, or the foot of a streak."""
    name = "Dense parts that do not count as metal"
    if found.dense_lost:
        where = slices(one.index for one in found.slices if one.dense_lost)
        text = (
            f"{ml(found.dense_lost * found.voxel_ml)} fell by more than {hu(DENSE_HU)} ({where}). "
            "Streaks, or a part of an implant that is missing now: compare with the original"
        )
        yield Check(name, text, "look")
    else:
        yield Check(name, f"none fell by more than {hu(DENSE_HU)}", "kept")


def _objects_left_alone(found: Changes) -> Iterator[Check]:
    """Whether what was judged to have no artifact has its values."""
    alone = [one for one in found.objects if not one.corrected_slices]
    if alone:
        voxels, changed = found.left_alone
        text = f"{counted(len(alone), 'object')}, {ml(voxels * found.voxel_ml)}: {_count(changed)}"
        yield _promise("Dense objects left alone", text, changed == 0)


def _count(voxels: int) -> str:
    return f"{counted(voxels, 'voxel')} changed" if voxels else "no voxel changed"


def caveats(found: Changes) -> list[str]:
    """Where not to believe the result, the worst first; a sentence or two each."""
    if not found.slices:
        return []
    stats = found.stats
    listed = [*_next_to_metal(stats, found.voxel_ml), *_dense(found)]
    listed += _bone(stats, found.voxel_ml)
    listed += _expected_error(found)
    return [*listed, *_disagreement(found), *_far(found, stats)]


def _next_to_metal(stats: ChangeStats, voxel_ml: float) -> Iterator[str]:
    voxels, absolute = (stats.by_band(name)[0] for name in ("voxels", "absolute"))
    if not voxels:
        return
    text = (
        f"Within 5 mm of metal ({ml(voxels * voxel_ml)}), where the change is "
        f"{hu(absolute / voxels)} on average and errors of every method are largest."
    )
    for place, name in enumerate(LEVELS):
        near, far = stats.levels[place, 0], stats.levels[place, FAR]
        if min(near[0], far[0]) >= ENOUGH:
            text += f" There {name} now reads {hu(near[3] / near[0])}"
            text += f", far from metal {hu(far[3] / far[0])}."
    yield text


def _dense(found: Changes) -> Iterator[str]:
    if found.dense_lost:
        worst = sorted(found.slices, key=lambda one: -one.dense_lost)[:5]
        yield (
            f"{ml(found.dense_lost * found.voxel_ml)} outside of metal fell by more than "
            f"{hu(DENSE_HU)}, most in {slices(one.index for one in worst if one.dense_lost)}: "
            "bright streaks, or else a part of an implant or contrast medium that is missing now. "
            "Compare with the original."
        )


def _bone(stats: ChangeStats, voxel_ml: float) -> Iterator[str]:
    bone = TISSUES.index("bone")
    lost = stats.transitions[bone, :bone].sum()
    new = stats.transitions[:bone, bone].sum()
    if lost or new:
        yield (
            f"At bone: {ml(lost * voxel_ml)} that read as bone or as dense no longer do, and "
            f"{ml(new * voxel_ml)} do now. Some was artifact; fractures, screws and their seat are "
            "to be read from the original alone."
        )


def _expected_error(found: Changes) -> Iterator[str]:
    worst = sorted(found.slices, key=lambda one: -one.doubtful)
    if worst and worst[0].doubtful:
        total = sum(one.doubtful for one in worst)
        named = slices(one.index for one in worst[:5] if one.doubtful)
        yield (
            f"{ml(total * found.voxel_ml)} that the method itself expects to be wrong by more than "
            f"{hu(DOUBTFUL_HU)}, most in {named}: on simulated slices more than half of such "
            "pixels were wrong by more than 50 HU. See the pictures of the expected error."
        )


def _disagreement(found: Changes) -> Iterator[str]:
    worst = sorted(found.slices, key=lambda one: -one.disagreement_p99)
    worst = [one for one in worst if one.disagreement_p99 >= DISAGREE_HU]
    if worst:
        named = slices(one.index for one in worst[:5])
        yield (
            f"Where the network contradicts itself when the slice is mirrored: most in {named}. In "
            f"slice {worst[0].index + 1} a hundredth of the body differs by "
            f"{hu(worst[0].disagreement_p99)} or more. See the pictures of disagreement."
        )


def _far(found: Changes, stats: ChangeStats) -> Iterator[str]:
    voxels, visible = (stats.by_band(name)[FAR] for name in ("voxels", "visible"))
    if voxels and visible:
        most = max(found.slices, key=_far_extreme)
        yield (
            f"Farther than 40 mm from metal {percent(visible / voxels)} of the body changed by "
            f"more than {hu(VISIBLE_HU)}, most in slice {most.index + 1} (up to "
            f"{hu(_far_extreme(most))}). Streaks reach that far, and so do a method's own mistakes."
        )


def _far_extreme(one: SliceChanges) -> float:
    """HU: the largest amount of change in the last band of a slice."""
    return float(np.maximum(one.stats.rise[:, FAR], -one.stats.fall[:, FAR]).max())

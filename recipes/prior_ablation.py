"""What each part of priornet is worth: the method without it, on pairs, as in `unmetal reduce`.

usage: python recipes/prior_ablation.py DATA... [--weights WEIGHTS]

DATA is as in recipes/calibration.py. Prints a Markdown table: RMSE in HU in the body, 2 px from
metal and clipped to [-1000, 2000] HU, and harmed, helped and the worst harmed slice in % (of
`metrics.harm`), means over slices.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from calibration import Slice, slices
from rich.progress import track
from torch import Tensor

import unmetal
from unmetal.methods import build
from unmetal.methods.method import Method
from unmetal.methods.prior_net import PriorNet, Refinement
from unmetal.metrics.harm import harmed_and_helped
from unmetal.metrics.image_quality import hu_protocol
from unmetal.reduction import reduce_volume as main_line
from unmetal.reduction.reduce_volume import reduce_volume
from unmetal.scan import Volume

Result = np.ndarray
Way = Callable[[Volume, np.ndarray], Result]
"""(slice, true metal bool `[1 H W]`) -> HU `[H W]`."""


class OneImage(PriorNet):
    """Without the refiner: one of the slice, the completed and the fitted image as it is."""

    which = 1

    def refine(self, images: Tensor, metal: Tensor) -> Refinement:
        """As the method's own, but for that."""
        refined = super().refine(images, metal)
        shares = torch.zeros_like(refined.shares)
        shares[:, self.which] = 1
        return replace(refined, shares=shares, change=torch.zeros_like(refined.change))


class Fitted(OneImage):
    """The fitted image."""

    which = 2


class NoChange(PriorNet):
    """The refiner may choose between images, and take nothing off."""

    def refine(self, images: Tensor, metal: Tensor) -> Refinement:
        """As the method's own, but for that."""
        refined = super().refine(images, metal)
        return replace(refined, change=torch.zeros_like(refined.change))


class NmarPrior(OneImage):
    """Without the generator, too: NMAR's image for a prior."""

    def prior_of(self, images: Tensor, *_: object) -> Tensor:
        """As the method's own, but for that."""
        return images[:, 2:3]


class AnyDense(PriorNet):
    """Without the segmenter: the metal is what the threshold and the streaks say, and beside it
    anything dense may be a part of the implant."""

    def segment_metal(self, image: Tensor) -> Tensor:
        """As the method's own, but for that."""
        return torch.ones_like(image, dtype=torch.bool)


def of(kind: type[PriorNet], weights: str) -> PriorNet:
    """A variant with the same weights."""
    whole = unmetal.load(weights)
    assert isinstance(whole, PriorNet)
    method = kind(whole.config)
    method.load_state_dict(whole.state_dict())
    return method.eval().requires_grad_(False)


def found(method: Method) -> Way:
    """From the image alone."""
    return lambda volume, _: reduce_volume(volume, method).volume.hu[0]


def given(method: Method) -> Way:
    """With the true metal."""
    return lambda volume, metal: reduce_volume(volume, method, metal=metal).volume.hu[0]


def hard_edge(method: Method) -> Way:
    """The metal pasted as it is, without a smooth edge, a filled rim or other implant parts."""

    def way(volume: Volume, _: np.ndarray) -> Result:
        with mock.patch.object(main_line, "paste", lambda old, new, *_: new):
            return reduce_volume(volume, method).volume.hu[0]

    return way


def ways(weights: str) -> dict[str, Way]:
    whole = of(PriorNet, weights)
    return {
        "input": lambda volume, _: volume.hu[0],
        "LI": found(build("li")),
        "NMAR": found(build("nmar")),
        "priornet": found(whole),
        "the true mask": given(whole),
        "no segmenter, nor for the edge": found(of(AnyDense, weights)),
        "no smooth edge": hard_edge(whole),
        "the refiner only chooses": found(of(NoChange, weights)),
        "no refiner: completed": found(of(OneImage, weights)),
        "no refiner: fitted": found(of(Fitted, weights)),
        "no refiner, NMAR's prior": found(of(NmarPrior, weights)),
    }


def score(
    volume: Volume, after: np.ndarray, truth: np.ndarray, metal: np.ndarray, body: np.ndarray
) -> tuple[float, float, float]:
    """RMSE in HU, and % harmed and helped."""
    # [1 1 H W], as `hu_protocol` takes them.
    images = (torch.from_numpy(x)[None, None] for x in (after, truth, body, metal))
    rmse = hu_protocol(*images)["rmse_hu"].item()
    harm = harmed_and_helped(volume.hu[0], after, truth, body, metal, volume.square_pixel)
    return rmse, harm["harmed"], harm["helped"]


def table(data: list[Slice], rows: dict[str, Way]) -> dict[str, np.ndarray]:
    """Scores `[slices 3]` of each row."""
    scores: dict[str, list[tuple[float, float, float]]] = {name: [] for name in rows}
    for hu, truth, metal, body, pixel in track(data):
        volume = Volume(hu[None], (pixel, pixel, pixel))
        for name, way in rows.items():
            scores[name].append(score(volume, way(volume, metal[None]), truth, metal, body))
    return {name: np.array(values) for name, values in scores.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, nargs="+")
    parser.add_argument("--weights", default="priornet")
    parser.add_argument("--every", type=int, default=1, help="take every n-th slice")
    given_ = parser.parse_args()
    rows, tables = ways(given_.weights), {}
    for data in given_.data:
        some = slices(data)[:: given_.every]
        tables[f"{data.name}, {len(some)} slices"] = table(some, rows)
    print("| |" + "".join(f" {name}: RMSE | harmed / helped | worst |" for name in tables))
    print("|---|" + "---:|---:|---:|" * len(tables))
    for row in rows:
        cells = ""
        for scores in tables.values():
            (rmse, harmed, helped), worst = np.nanmean(scores[row], 0), np.nanmax(scores[row][:, 1])
            cells += f" {rmse:.1f} | {harmed:.1f} / {helped:.1f} | {worst:.0f} |"
        print(f"| {row} |{cells}")


if __name__ == "__main__":
    main()

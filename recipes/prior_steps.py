"""PriorNet's losses on crops of pairs and on frames, and what its networks reach there."""

from collections.abc import Sequence

import numpy as np
import torch
from prior_frames import COMPLETED, CORRECTED, TRUE_SHARE, Frames
from scipy import ndimage
from torch import Tensor

from unmetal.cohorts.pairs import Pair
from unmetal.methods.prior_inputs import RANGE_HU, SCALE_HU, segmenter_inputs
from unmetal.methods.prior_losses import OUTSIDE, multiscale_l1, refiner_losses, segmentation_losses
from unmetal.methods.prior_net import PriorNet
from unmetal.metrics.harm import harmed_and_helped
from unmetal.physics.derive import metal_mask
from unmetal.units import MU_WATER, hu_to_mu, mu_to_hu

SCORED_HU = (-1000.0, 2000.0)
"""HU to which errors are clipped where they are counted."""

IMAGES = ("slice", "completed", "fitted", "prior", "refined")


def draw_crops(
    pairs: Sequence[Pair], rng: np.random.Generator, count: int, side: int
) -> tuple[Tensor, Tensor]:
    """HU and metal, float32 `[n 1 side side]`: most about something dense, in any of the eight
    ways to turn and mirror a square."""
    crops = [_crop(pairs[rng.integers(len(pairs))], rng, side) for _ in range(count)]
    hu, metal = (torch.from_numpy(np.stack(images))[:, None] for images in zip(*crops, strict=True))
    return hu, metal


def _crop(pair: Pair, rng: np.random.Generator, side: int) -> tuple[np.ndarray, np.ndarray]:
    size, spots = len(pair.image), np.zeros((0, 2), int)
    if rng.random() < 0.85:
        spots = np.argwhere((pair.image > 1500) | (pair.share > 100))
    middle = spots[rng.integers(len(spots))] if len(spots) else rng.integers(size, size=2)
    # Off the middle by up to a quarter: metal is anywhere in a crop.
    away = rng.integers(-(side // 4), side // 4 + 1, 2)
    top, left = np.clip(middle - side // 2 + away, 0, size - side)
    box = np.s_[top : top + side, left : left + side]
    turns, mirrored = rng.integers(4), rng.random() < 0.5
    hu, share = (np.rot90(x[box], turns) for x in (pair.image, pair.share))
    hu, share = (x[:, ::-1] if mirrored else x for x in (hu, share))
    return hu.astype(np.float32), (share > TRUE_SHARE).astype(np.float32)


def segmenter_loss(method: PriorNet, hu: Tensor, metal: Tensor) -> Tensor:
    """Scalar; HU and metal `[B 1 H W]`."""
    logits = method.segmenter(segmenter_inputs(hu))
    return _sum(segmentation_losses(logits, hu, metal))


def generator_loss(method: PriorNet, x: dict[str, Tensor]) -> Tensor:
    """Scalar, of a batch of corrected frames."""
    images = hu_to_mu(torch.cat([x[name] for name in CORRECTED[:4]], 1))
    drawn = method.change(images, x["metal"]) / MU_WATER * 1000
    error = x["nmar"].clamp(*RANGE_HU) + drawn - x["truth"].clamp(*RANGE_HU)
    return _sum(multiscale_l1(error / SCALE_HU, _weight(x)))


def refined(method: PriorNet, x: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The refined slice and the absolute error that is expected of it, HU, `[B 1 H W]` each, of a
    batch of completed frames."""
    images = hu_to_mu(torch.cat([x[name].clamp(*RANGE_HU) for name in COMPLETED[:4]], 1))
    refinement = method.refine(images, x["metal"])
    return mu_to_hu(refinement.image(images)), refinement.error


def refiner_loss(method: PriorNet, x: dict[str, Tensor]) -> Tensor:
    """Scalar, of a batch of completed frames."""
    result, expected = refined(method, x)
    truth = x["truth"].clamp(*RANGE_HU)
    after = (result - truth) / SCALE_HU
    before = (x["slice"].clamp(*RANGE_HU) - truth) / SCALE_HU
    return _sum(refiner_losses(after, before, expected, _weight(x)))


def _sum(losses: dict[str, Tensor]) -> Tensor:
    return torch.stack([*losses.values()]).sum()


def _weight(x: dict[str, Tensor]) -> Tensor:
    return (x["body"] > 0.5).float() + OUTSIDE


def metal_scores(method: PriorNet, pairs: Sequence[Pair]) -> dict[str, float]:
    """Mean Dice with the true metal of the threshold's mask and of the confirmed one; and pixels
    that each finds in slices without metal."""
    dice, wrong = [], np.zeros(2, int)
    for pair in pairs:
        hu, true = pair.image.astype(np.float32), pair.share > TRUE_SHARE
        found = metal_mask(hu, float(pair.pixel))
        image = hu_to_mu(torch.from_numpy(hu))[None, None]
        with torch.inference_mode():
            segmented = method.segment_metal(image)[0, 0].numpy()
        masks = (found, found & segmented)
        if true.any():
            dice.append([2 * (m & true).sum() / (m.sum() + true.sum()) for m in masks])
        else:
            wrong += [mask.sum() for mask in masks]
    threshold, confirmed_dice = np.mean(dice, 0) if dice else (np.nan, np.nan)
    return {
        "dice_threshold": round(float(threshold), 3),
        "dice_confirmed": round(float(confirmed_dice), 3),
        "false_pixels_threshold": int(wrong[0]),
        "false_pixels_confirmed": int(wrong[1]),
    }


def image_scores(method: PriorNet, frames: Frames) -> dict[str, dict[str, float]]:
    """RMSE in HU, and % harmed and helped, of every image of completed frames and of the refined
    one: means over frames, in the body, more than 2 px from metal."""
    rows: dict[str, list[list[float]]] = {}
    for array, pixel in zip(frames.arrays, frames.pixels, strict=True):
        x = frames.by_name([array])
        with torch.inference_mode():
            x |= {"refined": refined(method, x)[0]}
        hu = {name: x[name][0, 0].clamp(*SCORED_HU).numpy() for name in (*IMAGES, "truth")}
        body, metal = x["body"][0, 0].numpy() > 0.5, x["share"][0, 0].numpy() > 0.3
        counted = body & ~ndimage.binary_dilation(metal, iterations=2)
        for name in IMAGES:
            rmse = float(np.sqrt(((hu[name] - hu["truth"])[counted] ** 2).mean()))
            harm = harmed_and_helped(hu["slice"], hu[name], hu["truth"], body, metal, pixel)
            rows.setdefault(name, []).append([rmse, *harm.values()])
    means = {name: np.nanmean(values, 0).round(2).tolist() for name, values in rows.items()}
    return {k: dict(zip(("rmse_hu", "harmed", "helped"), v, strict=True)) for k, v in means.items()}

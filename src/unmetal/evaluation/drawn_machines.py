"""Methods on clean slices under machines whose settings, and implants, are drawn for each case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from unmetal.errors import InputError
from unmetal.evaluation.cases import Clean
from unmetal.evaluation.results import (
    Clinical,
    EvalRun,
    Result,
    run_methods,
    score_rows,
    without_nan,
)
from unmetal.evaluation.tables.rows import INPUT, TRUTH, Case, Row
from unmetal.metrics.harm import harmed_and_helped
from unmetal.metrics.image_quality import hu_protocol
from unmetal.metrics.lesion import choose_lesion
from unmetal.physics.derive import body_mask
from unmetal.physics.implants.kinds import METALS, choose_hardware, metal_of
from unmetal.physics.machines import protocol_for
from unmetal.physics.protocol import Protocol
from unmetal.physics.simulate import Simulation, resize, simulate
from unmetal.units import MU_WATER, hu_to_mu, mu_to_hu

SIZE = 256
"""Pixels a side at which slices are scanned: that of the ADN protocol, for the same networks."""


@dataclass(frozen=True)
class Scene:
    """A slice with implants, and the scanner that it is under."""

    clean: Tensor
    """`[1 1 H W]`, 1/cm."""
    metal: Tensor
    """Share of each pixel that is metal, by material: `[1 M H W]`."""
    materials: tuple[str, ...]
    protocol: Protocol
    seed: int
    """Of the noise."""
    facts: Row
    """What was drawn, for the rows."""

    def scan(self) -> Simulation:
        """The same at every call."""
        generator = torch.Generator(self.clean.device).manual_seed(self.seed)
        return simulate(self.clean, self.metal, self.materials, self.protocol, generator)

    def with_lesion(self, profile: np.ndarray, factor: int) -> Scene:
        """The same patient with a lesion, HU `[h w]` on a grid that is `factor` times coarser."""
        added = torch.from_numpy(profile).repeat_interleave(factor, 0).repeat_interleave(factor, 1)
        return replace(self, clean=self.clean + added.to(self.clean) * (MU_WATER / 1000))


def on_drawn(run: EvalRun, cases: Clean) -> Iterator[Row]:
    """Each slice at its own pixel size, `config.draws` times, by a machine and with implants that
    are drawn from the seed, the number of the slice and that of the draw.

    Rows hold `group`, `slice`, `mask` (the number of the draw), `mask_px`, the metrics of
    `metrics.image_quality.adn_protocol` as on the paper's own protocol, what `extra_metrics` adds,
    what was drawn, and a method's `seconds`.
    """
    assert cases.spacing is not None
    for number in run.slices(len(cases.hu)):
        pixel = float(cases.spacing[number]) * cases.hu.shape[-1] / SIZE
        hu = torch.from_numpy(cases.hu[number]).to(run.device)[None, None]
        clean = resize(hu_to_mu(hu), SIZE, SIZE).clamp_min(0)
        case: Row = {"group": cases.groups[number], "slice": number}
        for draw in range(run.config.draws):
            rng = np.random.default_rng([run.config.seed, number, draw])
            with torch.inference_mode():
                scene = random_scene(run.config.protocol, clean, pixel, rng)
                scanned = scene.scan()
                results = run_methods(run, scanned, pixel)
                extra = extra_metrics(run, scene, scanned, results, pixel)
            assert scanned.scan.metal is not None
            for row in score_rows(results, case, {draw: int(scanned.scan.metal.sum())}):
                yield row | extra[str(row["method"])] | scene.facts
            images = {name: mu_to_hu(result.image[0, 0]) for name, result in results.items()}
            run.pictures.keep(Case(str(number), draw), images)


def extra_metrics(
    run: EvalRun, scene: Scene, scanned: Simulation, results: Mapping[str, Result], pixel: float
) -> dict[str, Row]:
    """Metrics beside those of the ADN paper, by the name of the result: `rmse_body` (HU, of
    `hu_protocol`, with the metal put back), `harmed` and `helped` (%, of `metrics.harm`), and the
    clinical measures where they are wanted.

    pixel: mm, of the scan.
    """
    factor = run.config.downsample
    assert scanned.scan.metal is not None
    # Metal, body and images [1 1 h w] on the grid that is scored.
    metal = functional.max_pool2d(scanned.scan.metal.float(), factor) > 0
    hu = {name: mu_to_hu(result.image) for name, result in results.items()}
    put_back = {name: torch.where(metal, hu[INPUT], one) for name, one in hu.items()}
    inside = body_mask(hu[TRUTH][0, 0].cpu().numpy(), pixel * factor)
    body = torch.from_numpy(inside)[None, None].to(metal)
    metrics: dict[str, Row] = {
        name: {"rmse_body": hu_protocol(one, hu[TRUTH], body, metal)["rmse_hu"].item()}
        for name, one in put_back.items()
    }
    # Harm and the clinical measures take arrays [h w].
    flat = {name: one[0, 0].cpu().numpy() for name, one in put_back.items()}
    truth, mask = (x[0, 0].cpu().numpy() for x in (hu[TRUTH], metal))
    for name, one in flat.items():
        given = flat[INPUT], one, truth, inside, mask
        metrics[name] |= without_nan(harmed_and_helped(*given, pixel * factor))
    if not run.config.clinical:
        return metrics

    clinical = Clinical.of(truth, flat[INPUT], mask, inside, pixel * factor)
    for name, one in flat.items():
        metrics[name] |= clinical.row(one)

    # The same scan again, with the same noise, of the same patient with a lesion.
    lesion = choose_lesion(truth, mask, inside, pixel * factor)
    if lesion is not None:
        again = run_methods(run, scene.with_lesion(lesion.profile, factor).scan(), pixel)
        its = {name: mu_to_hu(one.image[0, 0]).cpu().numpy() for name, one in again.items()}
        for name, one in its.items():
            with_it = clinical.with_metal(one)
            metrics[name] |= clinical.lesion_row(flat[name], with_it, its[TRUTH], lesion)
    return metrics


def random_scene(name: str, clean: Tensor, pixel: float, rng: np.random.Generator) -> Scene:
    """A scene under the machine of that name: draws its settings, the implant and its material.

    clean: `[1 1 H W]`, 1/cm. pixel: mm. Raises `InputError` for a slice that no implant fits into.
    """
    height, width = clean.shape[-2:]
    protocol = protocol_for(name, rng, (height, width), pixel)
    hu = mu_to_hu(clean[0, 0]).cpu().numpy()
    for _ in range(20):
        hardware = choose_hardware(hu, pixel, METALS, rng)
        share, materials = metal_of(hardware, height, width, pixel)
        # Metal thinner than a pixel, or outside a small field of view, leaves nothing to reduce.
        if hardware is not None and (share * protocol.scanner.fov_mask(share) > 0.5).any():
            break
    else:
        raise InputError("no implant fits into a slice: is it one of a patient, in HU?")
    facts: Row = {"implant": hardware.kind, "material": hardware.material, **protocol.settings()}
    seed = int(rng.integers(2**62))
    return Scene(clean, share.to(clean), materials, protocol, seed, facts)

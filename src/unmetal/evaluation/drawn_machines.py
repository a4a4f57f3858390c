"""Methods on clean slices under machines whose settings, and implants, are drawn for each case."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from unmetal.errors import InputError
from unmetal.evaluation.cases import Clean
from unmetal.evaluation.conditions import Setting, spread
from unmetal.evaluation.pictures import Case, Pictures
from unmetal.evaluation.results import Clinical, Result, results, rows
from unmetal.evaluation.tables.rows import INPUT, TRUTH, Row
from unmetal.methods.method import Method
from unmetal.metrics.image_quality import hu_protocol
from unmetal.metrics.lesion import choose_lesion
from unmetal.physics.derive import body_mask
from unmetal.physics.implants.kinds import choose_hardware, metal_of
from unmetal.physics.machines import protocol_for
from unmetal.physics.protocol import Protocol
from unmetal.physics.simulate import Simulation, resize, simulate
from unmetal.scan import Progress
from unmetal.units import MU_WATER, hu_to_mu, mu_to_hu

METALS = ("ti", "steel", "cocr", "au", "amalgam")
"""What implants are made of."""

TRIES = 20
"""Implants that are drawn for a slice until one is as thick as a pixel and in the field of view."""

SIZE = 256
"""Pixels a side at which slices are scanned: that of the ADN protocol, for the same networks."""


@dataclass(frozen=True)
class Scene:
    """What is scanned, and how."""

    clean: Tensor
    """`[1 1 H W]`, 1/cm."""
    metal: Tensor
    """`[1 M H W]`."""
    materials: tuple[str, ...]
    protocol: Protocol
    noise: int
    """Seed."""
    facts: Row
    """What was drawn, for the rows."""

    def scan(self) -> Simulation:
        """The same at every call."""
        generator = torch.Generator(self.clean.device).manual_seed(self.noise)
        return simulate(self.clean, self.metal, self.materials, self.protocol, generator)

    def with_lesion(self, profile: np.ndarray, factor: int) -> "Scene":
        """The same patient with a lesion, HU `[h w]` on a grid that is `factor` times coarser."""
        added = torch.from_numpy(profile).repeat_interleave(factor, 0).repeat_interleave(factor, 1)
        return replace(self, clean=self.clean + added.to(self.clean) * (MU_WATER / 1000))


def on_drawn(
    methods: Mapping[str, Method],
    cases: Clean,
    setting: Setting,
    device: torch.device,
    progress: Progress,
    pictures: Pictures,
) -> Iterator[Row]:
    """Each slice at its own pixel size, `setting.draws` times, by a machine and with implants that
    are drawn from the seed, the number of the slice and that of the draw.

    Rows hold `group`, `slice`, `mask` (the number of the draw), `mask_px`, the metrics of
    `metrics.image_quality.adn_protocol` as on the paper's own protocol, `rmse_body` (HU, of
    `hu_protocol`, with the metal put back), what was drawn, a method's `seconds`, and the clinical
    measures where the setting wants them.
    """
    assert cases.spacing is not None
    numbers = spread(len(cases.hu), setting.slices)
    for count, number in enumerate(numbers):
        progress(count, len(numbers))
        pixel = float(cases.spacing[number]) * cases.hu.shape[-1] / SIZE
        slice_ = hu_to_mu(torch.from_numpy(cases.hu[number]).to(device))[None, None]
        clean = resize(slice_, SIZE, SIZE).clamp_min(0)
        for draw in range(setting.draws):
            rng = np.random.default_rng([setting.seed, number, draw])
            with torch.inference_mode():
                scene = drawn(setting.protocol, clean, pixel, rng)
                done = scene.scan()
                found = results(methods, done, setting.coarser, pixel)
                more = further(scene, done, found, methods, setting, pixel)
            case: Row = {"group": cases.groups[number], "slice": number}
            assert done.scan.metal is not None
            for row in rows(found, case, {draw: int(done.scan.metal.sum())}):
                yield row | more[str(row["method"])] | scene.facts
            shown = {name: mu_to_hu(result.image[0, 0]) for name, result in found.items()}
            pictures.take(Case(str(number), draw), shown)
    progress(len(numbers), len(numbers))


def further(
    scene: Scene,
    done: Simulation,
    found: Mapping[str, Result],
    methods: Mapping[str, Method],
    setting: Setting,
    pixel: float,
) -> dict[str, Row]:
    """What rows hold beside the metrics of the ADN paper, by the name of the result."""
    assert done.scan.metal is not None
    metal = functional.max_pool2d(done.scan.metal.float(), setting.coarser) > 0
    pixel = pixel * setting.coarser
    hu = {name: mu_to_hu(result.image) for name, result in found.items()}
    put_back = {name: torch.where(metal, hu[INPUT], one) for name, one in hu.items()}
    body = torch.from_numpy(body_mask(hu[TRUTH][0, 0].cpu().numpy(), pixel))[None, None].to(metal)
    more: dict[str, Row] = {
        name: {"rmse_body": hu_protocol(one, hu[TRUTH], body, metal)["rmse_hu"].item()}
        for name, one in put_back.items()
    }
    if not setting.clinical:
        return more
    flat = {name: one[0, 0].cpu().numpy() for name, one in put_back.items()}
    truth, mask, inside = (x[0, 0].cpu().numpy() for x in (hu[TRUTH], metal, body))
    clinical = Clinical.of(truth, flat[INPUT], mask, inside, pixel)
    for name, one in flat.items():
        more[name] = more[name] | clinical.row(one)
    lesion = choose_lesion(truth, mask, inside, pixel)
    if lesion is not None:
        again = scene.with_lesion(lesion.profile, setting.coarser).scan()
        seen = results(methods, again, setting.coarser, pixel / setting.coarser)
        its = {name: mu_to_hu(one.image[0, 0]).cpu().numpy() for name, one in seen.items()}
        for name, one in its.items():
            found_again = clinical.lesion_row(
                flat[name], clinical.with_metal(one), its[TRUTH], lesion
            )
            more[name] = more[name] | found_again
    return more


def drawn(name: str, clean: Tensor, pixel: float, rng: np.random.Generator) -> Scene:
    """A scene by the machine of that name: its settings, the implant, what that is made of.

    clean: `[1 1 H W]`, 1/cm. pixel: mm. Raises `InputError` for a slice that no implant fits into.
    """
    height, width = clean.shape[-2:]
    protocol = protocol_for(name, rng, (height, width), pixel)
    hu = mu_to_hu(clean[0, 0]).cpu().numpy()
    for _ in range(TRIES):
        hardware = choose_hardware(hu, pixel, METALS, rng)
        share, materials = metal_of(hardware, height, width, pixel)
        # Metal outside of a small field of view leaves nothing to reduce that is scored.
        if hardware is not None and (share * protocol.scanner.seen(share) > 0.5).any():
            break
    else:
        raise InputError("no implant fits into a slice: is it one of a patient, in HU?")
    facts: Row = {"implant": hardware.kind, "material": hardware.material, **protocol.settings()}
    noise = int(rng.integers(2**62))
    return Scene(clean, share.to(clean), materials, protocol, noise, facts)

"""What can be trained: the one table of presets."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import entry_points
from typing import Any

from unmetal.cohorts import unpaired
from unmetal.errors import InputError
from unmetal.methods import (
    adn,
    cganmar,
    cnnmar,
    cyclegan,
    destreaknet,
    drit,
    munit,
    prior_net,
    rl_arcnn,
    unet,
)
from unmetal.nets.adn import Architecture
from unmetal.physics.implants.kinds import METALS
from unmetal.training import loop
from unmetal.training.adn_stages import AUGMENTED, LIKE_ADN, NARROW, STAGES, TABLE_SAMPLES
from unmetal.training.experiment import Experiment

PAIRED = replace(AUGMENTED, disjoint_patients=False)
"""The same, for supervised methods: pairs from all training patients."""

UNPAIRED = unpaired.Config()
"""Affected and clean slices of a cohort of `unmetal prepare`, with the paper's flips."""

FOR_UNET = loop.Config(samples=TABLE_SAMPLES, batch=8, lr=1e-3, lr_decay_fraction=0.3)
"""ADN's but for the learning rate: the U-Net was published for segmentation and has none of its own
for images. Of 2e-4 and 1e-3 the latter was 5 dB ahead on validation slices after 1,200 steps at a
quarter of the width. Averaged weights do not fit batch statistics (0.3 dB behind there)."""

LIKE_CYCLEGAN = loop.Config(
    samples=TABLE_SAMPLES, batch=4, lr=2e-4, weight_decay=0, lr_decay_fraction=0.5
)
"""CycleGAN's and pix2pix's, whose learning rate falls over the second half; their batch is 1."""

LIKE_MUNIT = loop.Config(samples=TABLE_SAMPLES, batch=4, lr=1e-4, lr_halve_every=100_000)
"""MUNIT's; its batch is 1, and it takes a million iterations."""

LIKE_DRIT = loop.Config(
    samples=TABLE_SAMPLES, batch=6, lr=1e-4, lr_decay_fraction=0.5,
    lr_scale={"content_discriminator": 0.4}, grad_clip_norm={"content_discriminator": 5.0},
)  # fmt: skip
"""DRIT's: the content discriminator is trained on all three pairs of a batch, all on the last."""

FOR_PLAIN = loop.Config(
    samples=TABLE_SAMPLES, batch=8, lr=1e-3, betas=(0.9, 0.999), weight_decay=0, lr_decay_fraction=1
)
"""For plain convolutions without norms: Adam at 1e-3, falling from the first step."""

FOR_PRIOR = loop.Config(
    samples=TABLE_SAMPLES, batch=4, lr=1e-3, betas=(0.9, 0.99), weight_decay=0,
    lr_decay_fraction=0.6, muon_lr={"generator": 0.02, "segmenter": 0.02, "refiner": 0.02},
)  # fmt: skip
"""Muon, as in recipes/prior_net.py: it learned one batch by heart in far fewer steps than Adam."""

SGD = loop.Config(
    samples=TABLE_SAMPLES, batch=16, lr=0.02, optimizer="sgd", betas=(0.9, 0.0), weight_decay=0
)
"""CNNMAR's own."""

CLINICAL = replace(AUGMENTED, protocol="clinical", metals=METALS)
"""A clinical scanner, whose settings are drawn for each scan."""

CBCT = replace(AUGMENTED, protocol="cbct", metals=METALS)
"""A flat-panel scanner; the clean slices are CT slices as they are."""

FOR_CL2 = adn.Config(recon=5, cycle=5, artifact=5)
"""The paper's weights for CL2, whose affected images are noisy."""

EXPERIMENTS: dict[str, Experiment] = {
    "adn-syn": Experiment(
        "ADN on simulated titanium, as in the paper", data=AUGMENTED, training=LIKE_ADN
    ),
    "unet-syn": Experiment("the U-Net, on pairs", "unet", unet.Config(), PAIRED, FOR_UNET),
    "cganmar-syn": Experiment(
        "cGANMAR, on pairs", "cganmar", cganmar.Config(), PAIRED, LIKE_CYCLEGAN
    ),
    "cyclegan-syn": Experiment(
        "CycleGAN, without pairs", "cyclegan", cyclegan.Config(), AUGMENTED, LIKE_CYCLEGAN
    ),
    "munit-syn": Experiment("MUNIT, without pairs", "munit", munit.Config(), AUGMENTED, LIKE_MUNIT),
    "drit-syn": Experiment("DRIT, without pairs", "drit", drit.Config(), AUGMENTED, LIKE_DRIT),
    "adn-cl1": Experiment("ADN on clinical slices (CL1)", data=UNPAIRED, training=LIKE_ADN),
    "adn-cl2": Experiment(
        "ADN on cone-beam CT and CT (CL2), the paper's weights", "adn", FOR_CL2, UNPAIRED, LIKE_ADN
    ),
    "cyclegan-cl1": Experiment(
        "CycleGAN on clinical slices", "cyclegan", cyclegan.Config(), UNPAIRED, LIKE_CYCLEGAN
    ),
    "cnnmar-syn": Experiment(
        "CNNMAR, on pairs, whole slices", "cnnmar", cnnmar.Config(), PAIRED, FOR_PLAIN
    ),
    "rl-arcnn-syn": Experiment(
        "RL-ARCNN-style, on pairs", "rl-arcnn", rl_arcnn.Config(), PAIRED, FOR_PLAIN
    ),
    "destreaknet-syn": Experiment(
        "DestreakNet-style, on pairs", "destreaknet", destreaknet.Config(), PAIRED, FOR_PLAIN
    ),
    "adn-clinical": Experiment("ADN, unpaired, clinical CT", data=CLINICAL, training=LIKE_ADN),
    "cyclegan-clinical": Experiment(
        "CycleGAN, unpaired, clinical CT", "cyclegan", cyclegan.Config(), CLINICAL, LIKE_CYCLEGAN
    ),
    "adn-cbct": Experiment("ADN, unpaired, cone-beam CT and CT", "adn", FOR_CL2, CBCT, LIKE_ADN),
    "priornet": Experiment(
        "PriorNet, on pairs; recipes/prior_net.py is broader",
        "priornet",
        prior_net.Config(),
        PAIRED,
        FOR_PRIOR,
    ),
    "cyclegan-cbct": Experiment(
        "CycleGAN, unpaired, cone-beam CT and CT",
        "cyclegan",
        cyclegan.Config(),
        CBCT,
        LIKE_CYCLEGAN,
    ),
}
"""Name -> preset; `unmetal train NAME`."""

QUARTER_WIDTH: dict[str, dict[str, Any]] = {
    "adn": {"architecture": NARROW.architecture},
    "unet": {"width": 16},
    "cganmar": {"width": 16, "discriminator_width": 32},
    "cyclegan": {"width": 16, "discriminator_width": 32},
    "munit": {"width": 16, "discriminator_width": 32},
    "drit": {"width": 16, "discriminator_width": 32, "content_layers": 2},
    "rl-arcnn": {"width": 16},
}
"""The methods' networks at a quarter of their width, for CPUs."""

PUBLISHED_LR = {"adn": 1e-4, "cganmar": 2e-4, "cyclegan": 2e-4, "munit": 1e-4, "drit": 1e-4}
"""Learning rates that were published for images, at batches of one or two."""


def small(name: str) -> Experiment:
    """An experiment scaled down for a CPU.

    Every network a quarter as wide and at half the resolution, 2,000 samples, one a step (a pair
    for DRIT, which translates one of the two), twice the published learning rates. The methods that
    read the sinogram are cheap and stay as they are.
    """
    full = EXPERIMENTS[name]
    training = replace(
        full.training,
        samples=2000,
        batch=2 if full.method == "drit" else 1,
        lr=2 * PUBLISHED_LR.get(full.method, full.training.lr / 2),
        lr_decay_fraction=0.3,
        ema_decay=0.0 if full.method == "unet" else 0.99,
        validate_every=500,
    )
    if full.method not in QUARTER_WIDTH:
        return replace(full, description=f"{full.description}; for a CPU", training=training)
    return replace(
        full,
        description=f"{full.description}; a quarter as wide, at half the resolution, for a CPU",
        method_config=replace(full.method_config, **QUARTER_WIDTH[full.method], size=128),
        data=replace(full.data, downsample=2),
        training=replace(training, precision="bf16"),
    )


EXPERIMENTS |= {f"{name}-small": small(name) for name in list(EXPERIMENTS)}

EXPERIMENTS |= {
    "adn-syn-paper": Experiment("adn-syn with the paper's flips, batch and rate and nothing else"),
    "adn-syn-log": Experiment(
        "adn-syn with the paper's logarithmic adversarial loss",
        method_config=adn.Config(gan_mode="vanilla"),
        data=AUGMENTED,
    ),
    **STAGES,
    "cnnmar-syn-sgd": replace(
        EXPERIMENTS["cnnmar-syn"],
        description="CNNMAR as published: patches in 1/cm, momentum",
        method_config=cnnmar.Config(scale=1.0, patches=16),
        training=SGD,
    ),
    "tiny": Experiment(
        "a few seconds on a CPU, to see that everything runs",
        method_config=adn.Config(Architecture(width=4, residuals=1, discriminator_width=4)),
        data=AUGMENTED,
        training=loop.Config(samples=8, batch=2, validate_every=4, ema_decay=0.9),
    ),
}

ABLATION: dict[str, dict[str, Any]] = {
    "adversarial": {"recon": 0.0, "cycle": 0.0, "artifact": 0.0},
    "reconstruction": {"cycle": 0.0, "artifact": 0.0},
    "artifact": {"cycle": 0.0},
    "self-reduction": {},
}
"""The paper's ablation: each row adds the loss it is named after to those above it."""

EXPERIMENTS |= {
    f"{base}-{row}": replace(
        EXPERIMENTS[base],
        description=f"{base}, ablation: {row}",
        method_config=replace(EXPERIMENTS[base].method_config, **off),
    )
    for base in ("adn-syn", "adn-syn-small")
    for row, off in ABLATION.items()
}


def find_experiment(name: str) -> Experiment:
    """A preset, or an experiment of an installed package (entry-point group
    `unmetal.experiments`); raises `InputError` if there is none of that name."""
    others = {point.name: point for point in entry_points(group="unmetal.experiments")}
    if name in EXPERIMENTS:
        return EXPERIMENTS[name]
    if name in others:
        return others[name].load()
    raise InputError(f"no experiment {name!r}; there are {', '.join([*EXPERIMENTS, *others])}")

"""How ADN is trained: its data and optimizer, and the stages in which a CPU trains it, each begun
`--from` the one before; docs/adn_experiments.md says what each of them did."""

from __future__ import annotations

from dataclasses import replace

from unmetal.cohorts import samples
from unmetal.methods import adn
from unmetal.nets.adn import Architecture
from unmetal.training import loop
from unmetal.training.experiment import Experiment

AUGMENTED = samples.Config(zoom=(0.75, 1.0), rotation=0.15)
"""Zoom and rotation beside the paper's flips: there are 25 patients where it had thousands."""

TABLE_SAMPLES = 60_000
"""Samples that every method of the table sees: what ADN sees of 25 minutes of a large GPU."""

LIKE_ADN = loop.Config(
    samples=TABLE_SAMPLES, batch=8, lr=2e-4, lr_decay_fraction=0.3, ema_decay=0.999
)
"""ADN's published optimizer at four times the batch and twice the learning rate."""

NARROW = adn.Config(Architecture(width=16, discriminator_width=32))
"""ADN at a quarter of its width, for a CPU."""

CARRYING = replace(
    NARROW,
    artifact_pull=0.3,
    recon_pull=0.3,
    cycle=10.0,
    pasted=20.0,
    near_metal=10.0,
    discriminator_steps=2,
)
"""The artifact leaves the content for the artifact code: docs/adn_experiments.md, row 6. Both forms
of self-reduction share its weight."""

CARRIED = replace(CARRYING, artifact_pull=1.0, paste_nothing=0.4)
"""Once the code carries the artifact, equation (7) keeps the corrected slice from going too far:
rows 8 and 9."""

DISTILLING = replace(
    CARRIED, distill=True, cycle=10.0, recon=10.0, paste_nothing=0.0, near_metal=1.0
)
"""What the corrected slices have lost of their sharpness is learned back: row 10."""

SCANNED = replace(AUGMENTED, scan_other=True)
"""Clean slices as the simulated scanner shows them, too."""

IN_STAGES = replace(
    LIKE_ADN,
    samples=6_000,
    batch=1,
    lr=5e-4,
    lr_decay_fraction=0.5,
    lr_scale={"discriminator": 2.0},
    muon_lr={"generator": 0.02},
    ema_decay=0.99,
    validate_every=125,
)
"""In single precision on a CPU: one without AVX-512 takes thirteen times as long in bfloat16."""

STAGES: dict[str, Experiment] = {
    "adn-syn-copy": Experiment(
        "first stage of adn-syn-fine: an autoencoder, at half the resolution",
        method_config=replace(NARROW, autoencoder=True),
        data=replace(AUGMENTED, downsample=2),
        training=replace(IN_STAGES, samples=3_000, batch=2),
    ),
    "adn-syn-carry": Experiment(
        "second, --from adn-syn-copy: the artifact code learns to carry the artifact",
        method_config=CARRYING,
        data=replace(SCANNED, downsample=2),
        training=replace(IN_STAGES, samples=700, lr_decay_fraction=0.0),
    ),
    "adn-syn-coarse": Experiment(
        "third, --from adn-syn-carry: at half the resolution, the rate falling",
        method_config=CARRIED,
        data=replace(SCANNED, downsample=2),
        training=replace(IN_STAGES, samples=1_500),
    ),
    "adn-syn-fine": Experiment(
        "fourth, --from adn-syn-coarse: adn-syn for a CPU, at full resolution",
        method_config=CARRIED,
        data=SCANNED,
        training=replace(
            IN_STAGES, lr=3e-4, muon_lr={"generator": 0.01}, ema_decay=0.995, validate_every=50
        ),
    ),
    "adn-syn-distill": Experiment(
        "last, --from adn-syn-fine: corrected slices sharper, a fifth of the cost",
        method_config=DISTILLING,
        data=SCANNED,
        training=replace(
            IN_STAGES, samples=900, lr=3e-4, lr_decay_fraction=0.7, muon_lr={"generator": 0.01}
        ),
    ),
}
"""Name -> preset, in their order."""

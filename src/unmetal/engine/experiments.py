"""What can be trained: one table of presets, each a method, its data and how it is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import Any, get_type_hints

from unmetal.data import samples
from unmetal.engine import train
from unmetal.errors import InputError
from unmetal.methods import METHODS, adn
from unmetal.methods.method import Method
from unmetal.nets.adn import Architecture


@dataclass(frozen=True)
class Experiment:
    """A preset of `unmetal train`."""

    line: str
    """What it is."""

    method: str = "adn"
    """A name in `unmetal.methods.METHODS`."""

    learns: Any = field(default_factory=adn.Config)
    """The method's own configuration, the `Config` beside its class."""

    data: samples.Config = field(default_factory=samples.Config)
    """What samples are made of."""

    training: train.Config = field(default_factory=train.Config)
    """How it is trained."""

    def build(self) -> Method:
        """The method, with fresh weights."""
        return method_class(self.method)(self.learns)


WIDER = samples.Config(zoom=(0.75, 1.0), turn=0.15)
"""Sizes and rotations beside the paper's flips: there are 25 patients where it had thousands."""

SYN = Experiment("ADN on simulated titanium, as in the paper", data=WIDER)

CPU = replace(
    SYN,
    line="adn-syn at a quarter of the width, for a CPU overnight",
    learns=adn.Config(Architecture(width=16, critic_width=32)),
    training=train.Config(
        samples=20_000,
        batch=1,
        rate=2e-4,
        ema=0.998,
        precision="bf16",
        validate_every=500,
    ),
)

def small(full: Experiment, learns: Any) -> Experiment:
    """What an experiment becomes where there is no GPU: every method a quarter as wide (`learns`)
    and at half the resolution, one sample a step, 2,000 samples at twice the published rate."""
    return replace(
        full,
        line=f"{full.line}; a quarter as wide, at half the resolution, for a CPU",
        learns=learns,
        data=replace(full.data, coarser=2),
        training=replace(
            full.training,
            samples=2000,
            batch=1,
            rate=2 * full.training.rate,
            fall=0.3,
            ema=0.99,
            precision="bf16",
            validate_every=500,
        ),
    )


TINY = replace(
    SYN,
    line="a few seconds on a CPU, to see that everything runs",
    learns=adn.Config(Architecture(width=4, residuals=1, critic_width=4)),
    training=train.Config(samples=8, batch=2, validate_every=4, ema=0.9),
)

EXPERIMENTS: dict[str, Experiment] = {
    "adn-syn": replace(
        SYN, training=train.Config(samples=60_000, batch=8, rate=2e-4, fall=0.3, ema=0.999)
    ),
    "adn-syn-paper": replace(
        SYN,
        line="adn-syn with the paper's flips, batch and rate and nothing else",
        data=samples.Config(),
    ),
    "adn-syn-log": replace(
        SYN,
        line="adn-syn with the paper's logarithmic adversarial loss",
        learns=adn.Config(adversarial="log"),
    ),
    "adn-cl2": replace(
        SYN,
        line="ADN with the paper's weights of 5 for cone-beam CT (CL2)",
        learns=adn.Config(recon=5, cycle=5, artifact=5),
    ),
    "adn-syn-small": small(SYN, CPU.learns),
    "adn-syn-cpu": replace(CPU, training=replace(CPU.training, fall=0.3)),
    "adn-syn-cpu-coarse": replace(
        CPU,
        line="adn-syn-cpu at half the resolution, to begin with: four times the samples an hour",
        data=replace(WIDER, coarser=2),
    ),
    "tiny": TINY,
}
"""Name -> preset; `unmetal train NAME`."""

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
        line=f"{base}, ablation: {row}",
        learns=replace(EXPERIMENTS[base].learns, **off),
    )
    for base in ("adn-syn", "adn-syn-small")
    for row, off in ABLATION.items()
}


def named(name: str) -> Experiment:
    """A preset; raises `InputError` if there is none of that name."""
    if name not in EXPERIMENTS:
        raise InputError(f"no experiment {name!r}; there are {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]


def method_class(name: str) -> Callable[[Any], Method]:
    """The class of a learned method by its name; it takes the `Config` beside it."""
    module, kind = METHODS[name].where.split(":")
    return getattr(import_module(module), kind)


def config_class(name: str) -> Any:
    """The `Config` of a learned method by its name."""
    return import_module(METHODS[name].where.split(":")[0]).Config


def rebuilt(card: dict[str, Any]) -> Method:
    """The method that a card describes, with fresh weights.

    Raises `InputError` if this version does not know it.
    """
    try:
        config = from_dict(config_class(card["method"]), card["learns"])
        return method_class(card["method"])(config)
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"weights of another version of unmetal: {error}") from error


def from_dict(kind: Any, values: Any) -> Any:
    """The dataclass that `dataclasses.asdict` and JSON have taken apart."""
    if not dataclasses.is_dataclass(kind):
        return tuple(values) if isinstance(values, list) else values
    hints = get_type_hints(kind)
    if kind is Experiment:
        hints["learns"] = config_class(values["method"])
    return kind(**{name: from_dict(hints[name], value) for name, value in values.items()})

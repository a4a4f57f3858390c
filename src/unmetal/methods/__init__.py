"""Ways of reducing metal artifacts, one paper per file; `METHODS` is the one table of them.

Other packages add methods of their own by the entry-point group `unmetal.methods`
(docs/add-a-method.md). The tables are read without importing torch.
"""

from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, NamedTuple

from unmetal.errors import InputError

if TYPE_CHECKING:
    from unmetal.methods.method import Method


DEFAULT_METHOD = "priornet"
"""What `reduce` takes when no method is named: it harms a quarter as much of the body as
NMAR on another group's simulator (docs/results.md), and leaves less streak in most real slices
(docs/priornet.md)."""


class MethodEntry(NamedTuple):
    """One row of `METHODS`."""

    target: str
    """`module:class`, or a function there that returns an instance."""

    description: str
    """One line for `unmetal methods`."""

    weights: str = ""
    """The released weights that a learned method uses when none are named, whether or not this
    version has them; empty where there is nothing to learn."""


METHODS: dict[str, MethodEntry] = {
    "adn": MethodEntry(
        "unmetal.methods.adn:ADN",
        "artifact disentanglement, learned without pairs (Liao 2019)",
        weights="adn-syn",
    ),
    "unet": MethodEntry(
        "unmetal.methods.unet:SupervisedUNet",
        "a U-Net from affected to clean slices, learned on pairs (Ronneberger 2015)",
        weights="unet-syn",
    ),
    "cganmar": MethodEntry(
        "unmetal.methods.cganmar:CGANMAR",
        "a conditional adversarial network (pix2pix), learned on pairs (Wang 2018)",
        weights="cganmar-syn",
    ),
    "cyclegan": MethodEntry(
        "unmetal.methods.cyclegan:CycleGAN",
        "two networks, to clean slices and back, learned without pairs (Zhu 2017)",
        weights="cyclegan-syn",
    ),
    "munit": MethodEntry(
        "unmetal.methods.munit:MUNIT",
        "contents and styles disentangled, learned without pairs (Huang 2018)",
        weights="munit-syn",
    ),
    "drit": MethodEntry(
        "unmetal.methods.drit:DRIT",
        "contents in a shared space and attributes, learned without pairs (Lee 2018)",
        weights="drit-syn",
    ),
    "li": MethodEntry(
        "unmetal.methods.li:LI",
        "straight lines across the metal trace of the sinogram (Kalender 1987)",
    ),
    "bhc": MethodEntry(
        "unmetal.methods.bhc:BHC",
        "corrects the sinogram for the metal's beam hardening (Verburg and Seco 2012)",
    ),
    "nmar": MethodEntry(
        "unmetal.methods.nmar:NMAR",
        "interpolation normalized by a prior image made from LI's (Meyer 2010)",
    ),
    "cnnmar": MethodEntry(
        "unmetal.methods.cnnmar:CNNMAR",
        "sinogram completed from a prior that a network makes of BHC and LI (Zhang 2018)",
        weights="cnnmar-syn",
    ),
    "priornet": MethodEntry(
        "unmetal.methods.prior_net:PriorNet",
        "NMAR whose prior image a network draws, learned on broad simulation (ours)",
        weights="priornet",
    ),
    "dip": MethodEntry(
        "unmetal.methods.dip:DIP",
        "an untrained network fitted to each slice; slow without a GPU (Ulyanov 2018)",
    ),
    "dip-small": MethodEntry(
        "unmetal.methods.dip:small",
        "the same with a quarter of the channels, for a CPU",
    ),
    "rl-arcnn": MethodEntry(
        "unmetal.methods.rl_arcnn:RLARCNN",
        "RL-ARCNN-style: a deep network subtracts the artifact, learned on pairs (Huang 2018)",
        weights="rl-arcnn-syn",
    ),
    "destreaknet": MethodEntry(
        "unmetal.methods.destreaknet:DestreakNet",
        "DestreakNet-style: a two-stream network after NMAR, learned on pairs (Gjesteby 2019)",
        weights="destreaknet-syn",
    ),
}
"""The package's own methods by name."""


def all_methods() -> dict[str, MethodEntry]:
    """`METHODS`, then those of installed packages, each described by its package's summary."""
    found = dict(METHODS)
    for point in entry_points(group="unmetal.methods"):
        summary = (point.dist and point.dist.metadata["Summary"]) or point.value
        found.setdefault(point.name, MethodEntry(point.value, summary))
    return found


def find(name: str) -> str | None:
    """The name as the tables have it, whatever its case; None if there is no such method."""
    if name.lower() in METHODS:  # the metadata of all packages take 0.1 s to read
        return name.lower()
    return next((known for known in all_methods() if known.lower() == name.lower()), None)


def entry(name: str) -> MethodEntry:
    """The row of a method; raises `InputError` if there is no such method."""
    known = find(name)
    if known is None:
        raise InputError(f"no method {name!r}; there are {', '.join(all_methods())}")
    return METHODS[known] if known in METHODS else all_methods()[known]


def build(name: str, config: Any = None) -> "Method":
    """A new instance of the method called `name`, with initial weights.

    config: an instance of `config_class(name)`; the default when None.
    Raises `InputError` if there is no such method.
    """
    make = getattr(*_target(name))
    return make() if config is None else make(config)


def config_class(name: str) -> Any:
    """The `Config` beside the class of a method; raises `InputError` if there is no such method."""
    return _target(name)[0].Config


def _target(name: str) -> tuple[Any, str]:
    """The module of a method, imported, and the name of its class in it."""
    module, kind = entry(name).target.split(":")
    return import_module(module), kind

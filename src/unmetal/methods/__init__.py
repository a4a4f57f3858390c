"""Ways of reducing metal artifacts, one paper per file; `METHODS` is the one table of them.

The table is read without importing torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from unmetal.errors import InputError

if TYPE_CHECKING:
    from unmetal.methods.method import Method


class MethodEntry(NamedTuple):
    """One row of `METHODS`."""

    where: str
    """`module:class`, or a function there that makes one."""

    line: str
    """What it is, for the command line."""

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
        "contents and styles taken apart, learned without pairs (Huang 2018)",
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
        "takes the metal's beam hardening out of the sinogram (Verburg and Seco 2012)",
    ),
    "nmar": MethodEntry(
        "unmetal.methods.nmar:NMAR",
        "interpolation normalised by a prior image made from LI's (Meyer 2010)",
    ),
    "cnnmar": MethodEntry(
        "unmetal.methods.cnnmar:CNNMAR",
        "sinogram completed from a network's image of BHC and LI (Zhang 2018)",
        weights="cnnmar-syn",
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
        "RL-ARCNN-style: a deep network takes the artifact off, from pairs (Huang 2018)",
        weights="rl-arcnn-syn",
    ),
    "destreaknet": MethodEntry(
        "unmetal.methods.destreaknet:DestreakNet",
        "DestreakNet-style: a two-stream network after NMAR, from pairs (Gjesteby 2019)",
        weights="destreaknet-syn",
    ),
}
"""Every method by its name."""


def load(name: str) -> "Method":
    """A new instance of the method called `name`; raises `InputError` if there is none."""
    if name not in METHODS:
        raise InputError(f"no method {name!r}; there are {', '.join(METHODS)}")
    module, kind = METHODS[name].where.split(":")
    return getattr(import_module(module), kind)()

"""How good a method is while it is trained: slices of patients kept out of the training."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from unmetal.data.samples import Choice, Samples, View
from unmetal.methods.method import Method
from unmetal.metrics.protocol import adn_protocol
from unmetal.physics.protocol import PROTOCOLS
from unmetal.scan import Scan
from unmetal.units import mu_to_unit


class Validation:
    """The same scans every time: each validation slice with metal of its own, noise included."""

    def __init__(self, samples: Samples, batch: int = 8) -> None:
        slices = samples.cohort.having("validation")
        choices = [plain(samples, index, int(slice)) for index, slice in enumerate(slices)]
        noise = torch.Generator(samples.device).manual_seed(20_011)
        self.scans: list[Scan] = [
            samples.scan(choices[first : first + batch], noise)
            for first in range(0, len(choices), batch)
        ]
        self.before = mean([adn_protocol(*protocol(scan, scan.image)) for scan in self.scans])

    @torch.no_grad()
    def __call__(self, method: Method) -> dict[str, float]:
        """The paper's metrics, means over all validation slices."""
        method.eval()
        found = [adn_protocol(*protocol(scan, method.reduce(scan))) for scan in self.scans]
        method.train()
        return mean(found)

    @torch.no_grad()
    def pictures(self, method: Method, count: int = 6) -> list[Tensor]:
        """Input, output and truth of the first slices, `[count 1 H W]` in [0, 1] each."""
        scan = self.scans[0]
        assert scan.clean is not None
        method.eval()
        rows = [scan.image, method.reduce(scan), scan.clean]
        method.train()
        return [mu_to_unit(row[:count]) for row in rows]


def plain(samples: Samples, index: int, slice: int) -> Choice:
    """A validation slice as it is, with metal drawn for it alone."""
    draw = np.random.default_rng([20_011, index])
    view = View(slice, flip=False, zoom=1.0, turn=0.0)
    if samples.metalwork:
        return samples.choose_in_mm(draw, view, view)
    metal = samples.shapes.choose(draw, samples.cohort.hu[slice] > -300)
    protocol = PROTOCOLS[samples.config.protocol]
    return Choice(view, view, metal, samples.config.metals[0], protocol)


def protocol(scan: Scan, output: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Output, truth and corrupted image, as `adn_protocol` takes them."""
    assert scan.clean is not None
    return output, scan.clean, scan.image


def mean(found: list[Mapping[str, Tensor]] | list[dict[str, Tensor]]) -> dict[str, float]:
    """One number per metric, over all slices of all batches."""
    return {name: float(torch.cat([f[name] for f in found]).mean()) for name in found[0]}

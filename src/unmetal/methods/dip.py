"""DIP: Ulyanov, Vedaldi and Lempitsky, "Deep image prior".

CVPR 2018. A network that has seen nothing is fitted to the one slice: it takes up structure sooner
than noise, and what lies under the metal it has to invent. Streaks are structure too: on two
simulated slices of 31.4 and 34.4 dB (128 x 128, channels 16 to 128) the fit rose towards these from
below, 30.4 and 32.7 dB after 1,000 steps, and did not pass them in 1,500. The ADN paper compares
with it.

The settings are those of the authors' released code for denoising, but for what the ADN paper does
not tell and was chosen here: 1,000 iterations and not 3,000; the target is the slice in the
networks' window, scaled to [0, 1]; metal and what is brighter than the window does not count.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from unmetal.methods.method import Method
from unmetal.nets.dip import Architecture, Skip
from unmetal.scan import Scan
from unmetal.units import WINDOW, mu_to_unit, network_to_mu


@dataclass(frozen=True)
class Config:
    """How a slice is fitted."""

    architecture: Architecture = field(default_factory=Architecture)

    iterations: int = 1000
    """Steps, which is where the fit is stopped; the released code takes 3,000 for denoising."""

    lr: float = 0.01
    """Adam's learning rate."""

    amplitude: float = 0.1
    """The fixed input is uniform between 0 and this."""

    jitter: float = 1 / 30
    """Standard deviation of the noise that is added to the input in each step."""

    smoothing: float = 0.99
    """What comes out is a running mean of all steps' images, which keeps this share a step."""

    check_every: int = 100
    """Steps between looks at whether the fit has collapsed."""

    collapse: float = 5.0
    """Loss of PSNR in dB since the last look after which the weights of that look are restored."""

    seed: int = 0
    """Of the weights and the noise; the same for every slice."""


class DIP(Method):
    """A deep image prior for each slice. There is nothing to train, and much to compute: at
    256 x 256, 58 GMAC a step and slice.

    All slices start from the same weights and see the same noise, so that what comes out depends
    neither on the rest of the batch nor on the state of torch's generators. On a GPU sums may come
    in another order each time, and a thousand steps make that visible.
    """

    inputs: ClassVar[frozenset[str]] = frozenset({"image", "metal"})

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config or Config()

    def reduce(self, scan: Scan) -> Tensor:
        """`[B 1 H W]`, 1/cm: invented where the metal is, as it came where it is brighter than the
        window of `units`, which nothing is fitted to."""
        assert scan.metal is not None
        bright = scan.image > WINDOW[1]
        # Callers are in inference mode, whose tensors no gradient passes.
        with torch.inference_mode(False), torch.enable_grad():
            counts = ~(scan.metal | bright)
            fitted = self.fit(mu_to_unit(scan.image.clone()).float(), counts)
        fitted = network_to_mu(fitted * 2 - 1).to(scan.image)
        return torch.where(bright & ~scan.metal, scan.image, fitted)

    def fit(self, target: Tensor, counts: Tensor) -> Tensor:
        """Images `[B 1 H W]` in [0, 1] that are like `target`, the same, where `counts`, bool."""
        config, (height, width) = self.config, target.shape[-2:]
        architecture = config.architecture.fitting(height, width)
        more = (0, -width % architecture.stride, 0, -height % architecture.stride)
        target = functional.pad(target, more, mode="reflect")
        weight = functional.pad(counts.to(target), more)
        network = start(architecture, len(target), config.seed).to(target.device)
        draw = torch.Generator(target.device).manual_seed(config.seed)
        shape = (1, architecture.inputs, *target.shape[-2:])
        noise = torch.rand(shape, generator=draw, device=target.device) * config.amplitude
        optimizer = torch.optim.Adam(network.parameters(), config.lr)
        safe, mean = Safe(network.parameters(), len(target), config.collapse), None
        for step in range(config.iterations):
            jitter = torch.randn(shape, generator=draw, device=target.device) * config.jitter
            image = network(noise + jitter)
            errors = ((image - target) * weight).square().mean((1, 2, 3))
            optimizer.zero_grad()
            errors.sum().backward()
            optimizer.step()
            if step % config.check_every == 0:
                safe.check(errors.detach())
            image = image.detach()
            mean = image if mean is None else mean.lerp(image, 1 - config.smoothing)
        assert mean is not None
        return mean[..., :height, :width]


def small() -> DIP:
    """A quarter of the channels at each scale, as the other networks of the table have on a CPU."""
    published = Architecture()
    channels = tuple(count // 4 for count in published.channels)
    return DIP(Config(replace(published, channels=channels)))


class Safe:
    """The weights of the last look, to which those images return whose fit has collapsed since.

    In the released code the look comes at all steps but every hundredth, where plainly the opposite
    was meant, and on a CPU what it keeps are not copies.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], images: int, collapse: float) -> None:
        self.present = [p.detach().view(images, -1) for p in parameters]
        self.kept = [p.clone() for p in self.present]
        self.worst_factor = 10 ** (collapse / 10)
        self.errors = self.present[0].new_full((images,), torch.inf)

    def check(self, errors: Tensor) -> None:
        """Keep or restore each image's weights by its mean squared error, `[B]`."""
        good = errors <= self.worst_factor * self.errors
        for present, kept in zip(self.present, self.kept, strict=True):
            present.copy_(torch.where(good[:, None], present, kept))
            kept.copy_(present)
        self.errors = torch.where(good, errors, self.errors)


def start(architecture: Architecture, images: int, seed: int) -> Skip:
    """A fresh network, the same for each image; torch's generators stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return Skip(architecture).copies(images)

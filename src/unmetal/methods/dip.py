"""DIP: Ulyanov, Vedaldi and Lempitsky, "Deep image prior".

CVPR 2018. An untrained network is fitted to the one slice by equation (2): it fits structure sooner
than noise, and fills in what is masked, here the metal. Streaks are structure too: on two simulated
slices of 31.4 and 34.4 dB (128 x 128, channels 16 to 128) the fit rose towards these from below,
30.4 and 32.7 dB after 1,000 steps, and did not pass them in 1,500. The ADN paper compares with it.

The settings are those of the authors' released code for denoising. The ADN paper does not give its
own; chosen here: 1,000 iterations and not 3,000; the target is the slice in the networks' window,
scaled to [0, 1]; metal and values above the window are left out of the loss.
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
    """Optimizer steps; the released code takes 3,000 for denoising."""

    lr: float = 0.01
    """Adam's learning rate."""

    amplitude: float = 0.1
    """The fixed input is uniform between 0 and this."""

    jitter: float = 1 / 30
    """Standard deviation of the noise that is added to the input in each step."""

    smoothing: float = 0.99
    """Decay of the exponential mean of all steps' images, which is the result."""

    check_every: int = 100
    """Steps between checks whether the fit has collapsed."""

    collapse: float = 5.0
    """Loss of PSNR, dB, since the last check from which on that check's weights are restored."""

    seed: int = 0
    """Of the weights and the noise; the same for every slice."""


class DIP(Method):
    """A deep image prior for each slice. There is nothing to train, but each slice costs 58 GMAC a
    step at 256 x 256.

    All slices start from the same weights and see the same noise, so that the result depends
    neither on the rest of the batch nor on the state of torch's generators. On a GPU the order of
    sums may differ from run to run, and a thousand steps make that visible.
    """

    inputs: ClassVar[frozenset[str]] = frozenset({"image", "metal"})

    def __init__(self, config: Config | None = None) -> None:
        super().__init__()
        self.config = config or Config()

    def reduce(self, scan: Scan) -> Tensor:
        """`[B 1 H W]`, 1/cm: invented under the metal, and unchanged above the window of `units`,
        which is not fitted."""
        assert scan.metal is not None
        bright = scan.image > WINDOW[1]
        # Callers are in inference mode, where no gradient can be taken.
        with torch.inference_mode(False), torch.enable_grad():
            counts = ~(scan.metal | bright)
            fitted = self.fit(mu_to_unit(scan.image.clone()).float(), counts)
        fitted = network_to_mu(fitted * 2 - 1).to(scan.image)
        return torch.where(bright & ~scan.metal, scan.image, fitted)

    def fit(self, target: Tensor, counts: Tensor) -> Tensor:
        """Images `[B 1 H W]` in [0, 1] fitted to `target`, of that shape, where `counts`, bool."""
        config, (height, width) = self.config, target.shape[-2:]
        architecture = config.architecture.for_size(height, width)
        # Sides are padded to multiples of the stride; the padding has no weight.
        more = (0, -width % architecture.stride, 0, -height % architecture.stride)
        target = functional.pad(target, more, mode="reflect")
        weight = functional.pad(counts.to(target), more)
        network = start(architecture, len(target), config.seed).to(target.device)
        draw = torch.Generator(target.device).manual_seed(config.seed)
        shape = (1, architecture.inputs, *target.shape[-2:])
        noise = torch.rand(shape, generator=draw, device=target.device) * config.amplitude
        # One noise [1 32 H W] for all slices; each step adds a little to it.
        optimizer = torch.optim.Adam(network.parameters(), config.lr)
        backup = Backup(network.parameters(), len(target), config.collapse)
        mean = None
        for step in range(config.iterations):
            jitter = torch.randn(shape, generator=draw, device=target.device) * config.jitter
            image = network(noise + jitter)
            # Equation (2): the mean squared error of each slice, [B]; their weights are separate.
            errors = ((image - target) * weight).square().mean((1, 2, 3))
            optimizer.zero_grad()
            errors.sum().backward()
            optimizer.step()
            if step % config.check_every == 0:
                backup.check(errors.detach())
            image = image.detach()
            mean = image if mean is None else mean.lerp(image, 1 - config.smoothing)
        assert mean is not None
        return mean[..., :height, :width]


def small() -> DIP:
    """DIP with a quarter of the channels at each scale, for a CPU."""
    published = Architecture()
    channels = tuple(count // 4 for count in published.channels)
    return DIP(Config(replace(published, channels=channels)))


class Backup:
    """The weights of the last check, restored for the images whose fit has collapsed since.

    The released code checks at all steps but every hundredth, where plainly the opposite was meant,
    and on a CPU it keeps references and not copies.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], images: int, collapse: float) -> None:
        # Parameters hold image after image along their first axis: views [B n].
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
    """A new network, the same for each image; torch's global generator stays as it is."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        return Skip(architecture).copies(images)

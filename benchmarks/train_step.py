"""Samples per second of one ADN training step: ours beside a plain one.

Plain is what the released code does: eager, fp32, contiguous, batch 2, the artifact encoder's dead
residual blocks computed, fakes and reals in two passes of the discriminators. Ours is the
training loop's step with its defaults on the device at hand.

    python benchmarks/train_step.py [--width 64] [--size 256] [--batch 8] [--device auto]
"""

import argparse
import resource
import time
from contextlib import nullcontext

import torch
from torch import nn

from unmetal.device import choose_device
from unmetal.methods import adn
from unmetal.nets.adn import Architecture, ArtifactEncoder, Encoder, ToOneChannel
from unmetal.scan import Scan
from unmetal.training.loop import Config, Training, next_step


class DeadBlocks(ArtifactEncoder):
    """The released artifact encoder: four residual blocks whose output nothing uses."""

    def __init__(self, architecture):
        super().__init__(architecture)
        self.residual = Encoder(architecture).residual

    def forward(self, x):
        """As its parent's."""
        code = super().forward(x)
        self.residual(code[0])
        return code


def plain(method):
    """The same method as the released code would compute it."""
    generator = method.generator
    generator.encode_artifact = DeadBlocks(generator.architecture)
    for decoder in (generator.decode_clean, generator.decode_affected):
        ours = decoder.to_image[0]
        assert isinstance(ours, ToOneChannel)
        decoder.to_image[0] = nn.Conv2d(ours.in_channels, 1, 7, padding=3, padding_mode="reflect")
        for doubling in decoder.doublings:
            c, outputs = doubling[0].in_channels, doubling[0].out_channels
            convolution = nn.Conv2d(c, outputs, 5, padding=2, padding_mode="reflect")
            doubling[0] = nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), convolution)
    return method


def plain_step(training, scan):
    steps = training.method.training_step(scan)
    while step := next_step(steps, nullcontext()):
        player, losses = step
        sum(losses.values()).backward()
        training.optimizers[player].step()
        training.method.zero_grad(set_to_none=True)


def measured(training, move, batch, arguments):
    """Samples per second and peak memory in GiB."""
    size, device = arguments.size, training.device
    image, other = torch.rand(2, batch, 1, size, size, device=device) * 0.5
    scan = Scan(image=image, other=other)
    done = (lambda: None) if device.type == "cpu" else torch.cuda.synchronize
    for _ in range(1 if device.type == "cpu" else 5):  # compiling, choosing algorithms
        move(training, scan)
    done()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    steps, begun = 0, time.perf_counter()
    while time.perf_counter() - begun < arguments.seconds or steps < 2:
        move(training, scan)
        done()
        steps += 1
    pace = steps * batch / (time.perf_counter() - begun)
    if device.type == "cuda":
        return pace, torch.cuda.max_memory_allocated() / 2**30
    return pace, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=None)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--batch", type=int, default=None)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    device = choose_device(arguments.device)
    small = device.type == "cpu"
    architecture = Architecture(arguments.width or (16 if small else 64))
    batch = arguments.batch or (1 if small else 8)
    slow = Config(channels_last=False, compile=False, precision="fp32", batch=2)
    fast = Config(precision="bf16" if small else "auto", batch=batch)
    print(f"{device}, width {architecture.width}, {arguments.size} x {arguments.size}")

    def report(name, method, config, move):
        pace, memory = measured(Training(method, config, device), move, config.batch, arguments)
        print(f"{name:6} batch {config.batch}  {pace:8.2f} samples/s  {memory:6.2f} GiB peak")
        return pace

    # Ours first: what a process has held at most, which is all a CPU tells, never falls.
    ours = report("ours", adn.ADN(adn.Config(architecture)), fast, Training.train_on_batch)
    plainly = report("plain", plain(adn.ADN(adn.Config(architecture))), slow, plain_step)
    print(f"ratio  {ours / plainly:.2f}")


if __name__ == "__main__":
    main()

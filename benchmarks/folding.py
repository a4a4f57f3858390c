"""One pass of ADN's network over a 512 x 512 slice: folded, as the package computes it, and as
published (nearest neighbour before each 5 x 5 convolution), at the width of the weights and in
full.
"""

import time

import torch
from torch import Tensor
from train_step import plain

from unmetal.methods.adn import ADN, Config
from unmetal.methods.method import Method
from unmetal.nets.adn import Architecture

ROUNDS = 3


def seconds(method: Method, slice_: Tensor) -> float:
    begun = time.perf_counter()
    method.generator.clean(slice_)
    return time.perf_counter() - begun


@torch.inference_mode()
def main() -> None:
    slice_ = torch.rand(1, 1, 512, 512)
    print(f"{torch.get_num_threads()} threads")
    print("| width | folded, s | as published, s | ratio |\n|---:|---:|---:|---:|")
    for width in (16, 64):
        config = Config(Architecture(width=width))
        both = ADN(config).eval(), plain(ADN(config)).eval()
        # In turns, so that what else the machine does falls on both; the first round warms up.
        rounds = [[seconds(method, slice_) for method in both] for _ in range(ROUNDS + 1)]
        folded, published = (min(times) for times in zip(*rounds[1:], strict=True))
        print(f"| {width} | {folded:.2f} | {published:.2f} | {published / folded:.2f} |")


if __name__ == "__main__":
    main()

"""The one training loop, for every method that has something to learn."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor, nn

from unmetal.device import Precision, autocast, average_gradients, init_distributed
from unmetal.methods.method import Method, OptimizerStep
from unmetal.scan import Scan
from unmetal.training.muon import Muon

SampleSource = Callable[[int, int], Scan]
"""`source(first, count)` is a batch of samples, the same whenever the same ones are asked for."""


@dataclass(frozen=True)
class Config:
    """How a method is trained; the defaults are ADN's."""

    samples: int = 100_000
    """Samples seen in all; the released run has seen about 100,000."""

    batch: int = 2
    """Samples per step, over all ranks together."""

    lr: float = 1e-4
    """Learning rate of every player."""

    optimizer: Literal["adam", "sgd"] = "adam"
    """`sgd` has plain momentum of `betas[0]`."""

    betas: tuple[float, float] = (0.5, 0.999)
    """Adam's averaging factors."""

    weight_decay: float = 1e-4
    """Added to the gradient as in the original Adam, not decoupled."""

    lr_scale: dict[str, float] = field(default_factory=dict)
    """Player -> factor on its learning rate, for those that have one of their own."""

    muon_lr: dict[str, float] = field(default_factory=dict)
    """Player -> learning rate of its convolutions under Muon (see `training.muon`), for those that
    have it; their biases, gains, first and last layers are updated by Adam at `lr`."""

    grad_clip_norm: dict[str, float] = field(default_factory=dict)
    """Player -> norm to which its gradient is clipped."""

    lr_decay_fraction: float = 0.0
    """Share of the samples, at the end, over which the learning rate falls linearly to 0."""

    lr_halve_every: int = 0
    """Samples after which the learning rate is halved, again and again; 0 never."""

    ema_decay: float = 0.0
    """Decay per step of the exponential moving average of the weights, which is validated and
    saved; 0 takes the weights themselves."""

    precision: Precision = "auto"
    """bf16 where the GPU has it."""

    channels_last: bool | None = None
    """Memory layout of the convolutions; None is channels last on a GPU."""

    compile: bool | None = None
    """Compile the networks; None is on a GPU. On a CPU it gained 14 % and cost two minutes."""

    seed: int = 0
    """Of the initial weights and of everything random."""

    validate_every: int = 2000
    """Samples between validations, each of which also saves."""


class Training:
    """A method in training: the networks, an optimizer for each player, the samples seen."""

    def __init__(self, method: Method, config: Config, device: torch.device) -> None:
        self.config, self.device = config, device
        on_gpu = device.type == "cuda"
        last = on_gpu if config.channels_last is None else config.channels_last
        layout = torch.channels_last if last else torch.contiguous_format
        self.method = method.to(device, memory_format=layout).train()  # type: ignore[call-overload]
        self.ema = deepcopy(self.method).requires_grad_(False) if config.ema_decay else None
        self.optimizers = {
            player: build_optimizer(player, network, config, fused=on_gpu)
            for player, network in method.named_children()
        }
        if on_gpu if config.compile is None else config.compile:
            compile_networks(self.method)
        self.seen = 0
        """Samples so far."""

    @property
    def result(self) -> Method:
        """The method to validate and to save: of averaged weights, where there are any."""
        return self.ema or self.method

    def run(self, source: SampleSource) -> Iterator[dict[str, Tensor]]:
        """Train to the end, yielding the losses of every step."""
        rank, ranks = init_distributed(self.device)
        share = self.config.batch // ranks
        while self.seen < self.config.samples:
            # All randomness of a step depends on the seed and the step only: no state to resume.
            torch.manual_seed(self.config.seed * 1_000_003 + self.seen)
            self.set_lr()
            # Each rank takes its own part of the batch.
            losses = self.train_on_batch(source(self.seen + rank * share, share))
            self.seen += self.config.batch
            self.update_ema()
            yield losses

    def train_on_batch(self, scan: Scan) -> dict[str, Tensor]:
        """Take all optimizer steps of one batch; returns the losses as `player/name`, detached."""
        all_losses: dict[str, Tensor] = {}
        steps = self.method.training_step(scan)
        while step := next_step(steps, autocast(self.config.precision, self.device)):
            names, losses = step
            players = (names,) if isinstance(names, str) else names
            updated = {p: list(self.method.get_submodule(p).parameters()) for p in players}
            parameters = [p for some in updated.values() for p in some if p.requires_grad]
            # Gradients of these players only: a generator's step leaves none in the discriminator.
            sum(losses.values()).backward(inputs=parameters)  # type: ignore[union-attr]
            average_gradients(parameters)
            for player in players:
                if most := self.config.grad_clip_norm.get(player):
                    nn.utils.clip_grad_norm_(updated[player], most)
                self.optimizers[player].step()
                self.optimizers[player].zero_grad(set_to_none=True)
            all_losses |= {f"{players[0]}/{name}": loss.detach() for name, loss in losses.items()}
        return all_losses

    def set_lr(self) -> None:
        """Set the learning rates of this point of the run."""
        config = self.config
        left = 1 - self.seen / config.samples
        factor = min(1.0, left / config.lr_decay_fraction) if config.lr_decay_fraction else 1.0
        if config.lr_halve_every:
            factor *= 0.5 ** (self.seen // config.lr_halve_every)
        for player, optimizer in self.optimizers.items():
            lr = config.lr * factor * config.lr_scale.get(player, 1.0)
            for group in optimizer.param_groups:
                # Orthogonal updates have a size of their own, and so a learning rate.
                group["lr"] = config.muon_lr[player] * factor if group.get("muon") else lr

    @torch.no_grad()
    def update_ema(self) -> None:
        """Move the averaged weights towards the present ones; buffers are copied."""
        if self.ema is None:
            return
        # In the first steps a long mean would be of little but the initial weights.
        steps = self.seen / self.config.batch
        decay = min(self.config.ema_decay, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(list(self.ema.parameters()), list(self.method.parameters()), 1 - decay)
        for mean, present in zip(self.ema.buffers(), self.method.buffers(), strict=True):
            mean.copy_(present)

    def state(self) -> dict:
        """Everything that resuming needs."""
        return {
            "seen": self.seen,
            "method": self.method.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
            "optimizers": {name: o.state_dict() for name, o in self.optimizers.items()},
        }

    def resume(self, state: dict) -> None:
        """Go on exactly where `state` was taken."""
        self.seen = state["seen"]
        self.method.load_state_dict(state["method"])
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"] or state["method"])
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])

    def start_from(self, weights: dict[str, Tensor], seen: int) -> None:
        """Go on from weights alone, with new optimizers.

        Players that the weights do not have, such as discriminators that were not kept, keep their
        initial values. Raises `ValueError` for weights of another method.
        """
        self.seen = seen
        for method in filter(None, (self.method, self.ema)):
            missing, unexpected = method.load_state_dict(weights, strict=False)
            absent = {name.split(".")[0] for name in missing}
            if unexpected or absent - (set(self.optimizers) - {n.split(".")[0] for n in weights}):
                raise ValueError(f"weights of another method: {[*unexpected, *missing][0]}")


def build_optimizer(
    player: str, network: nn.Module, config: Config, *, fused: bool
) -> torch.optim.Optimizer:
    """The optimizer of one player."""
    lr, decay, parameters = config.lr, config.weight_decay, network.parameters()
    if player in config.muon_lr:
        return Muon(parameters, config.muon_lr[player], lr, config.betas, decay)
    if config.optimizer == "sgd":
        return torch.optim.SGD(parameters, lr, config.betas[0], weight_decay=decay)
    return torch.optim.Adam(parameters, lr, config.betas, weight_decay=decay, fused=fused)


def next_step(
    steps: Iterator[OptimizerStep], precision: AbstractContextManager
) -> OptimizerStep | None:
    """The next player and its losses, computed under `precision`; None after the last."""
    # The context reaches the body of the method's generator, which runs until its next yield.
    with precision:
        return next(steps, None)


def compile_networks(method: nn.Module) -> None:
    """Compile every network of every player in place; names of parameters stay as they are."""
    for player in method.children():
        for network in networks(player):
            # `network.compile()` captures nothing of a Sequential (torch 2.13), which PatchGAN is.
            network.forward = torch.compile(network.forward)


def networks(player: nn.Module) -> list[nn.Module]:
    """The modules that are called as a whole: the player itself, or those that it holds.

    ADN's generator has a forward pass for each of its uses and none of its own.
    """
    whole = type(player).forward is not nn.Module.forward
    return [player] if whole else list(player.children())

"""The one loop: two ranks are one, an interruption is none."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import multiprocessing, nn

from unmetal import methods
from unmetal.device import choose_device
from unmetal.errors import InputError
from unmetal.methods import METHODS, adn
from unmetal.methods.adn import ADN
from unmetal.methods.method import Method
from unmetal.nets.adn import Architecture
from unmetal.scan import Scan
from unmetal.training.experiment import Experiment
from unmetal.training.loop import Config, Training, compile_networks, networks
from unmetal.training.presets import ABLATION, EXPERIMENTS, TABLE_SAMPLES
from unmetal.weights.load import method_from_card

TINY = adn.Config(Architecture(width=2, residuals=1, discriminator_width=2))
SHORT = Config(samples=24, batch=4, lr=1e-3, lr_decay_fraction=0.5, ema_decay=0.9, precision="fp32")


def samples(first, count):
    """A stand-in for a cohort: sample i is the same whoever asks for it."""
    slices = []
    for index in range(first, first + count):
        draw = torch.Generator().manual_seed(index)
        slices.append(torch.rand(2, 1, 16, 16, generator=draw) * 0.5)
    image, other = torch.stack(slices, 1)
    return Scan(image=image, other=other)


def fresh(config=SHORT):
    torch.manual_seed(config.seed)
    return Training(ADN(TINY), config, torch.device("cpu"))


def trained(training):
    return [
        {name: loss.item() for name, loss in losses.items()} for losses in training.run(samples)
    ]


def test_every_loss_of_every_player_is_reported():
    losses = trained(fresh())
    assert len(losses) == 6
    assert losses[0].keys() == {
        *(
            f"generator/{name}"
            for name in ("adv_clean", "adv_artifact", "recon", "cycle", "artifact")
        ),
        "discriminator/clean",
        "discriminator/affected",
    }


WITH_MUON = replace(SHORT, muon_lr={"generator": 0.02, "discriminator": 0.01})


@pytest.mark.parametrize("config", [SHORT, WITH_MUON], ids=["adam", "muon"])
@pytest.mark.parametrize("stop", [1, 4])
def test_an_interruption_changes_nothing(tmp_path, stop, config):
    whole = fresh(config)
    expected = trained(whole)
    first = fresh(config)
    steps = first.run(samples)
    for _ in range(stop):
        next(steps)
    torch.save(first.state(), tmp_path / "state.pt")
    torch.manual_seed(99)
    second = Training(ADN(TINY), config, torch.device("cpu"))
    second.resume(torch.load(tmp_path / "state.pt", weights_only=True))
    assert trained(second) == expected[stop:]
    for a, b in zip(whole.result.parameters(), second.result.parameters(), strict=True):
        assert torch.equal(a, b)


def test_going_on_from_weights_alone():
    first = fresh()
    trained(first)
    second = fresh(replace(SHORT, samples=28))
    second.start_from(first.method.state_dict(), seen=24)
    assert len(trained(second)) == 1
    generator_only = {n: p for n, p in first.method.state_dict().items() if n.startswith("gen")}
    fresh().start_from(generator_only, seen=0)
    del generator_only["generator.decode_clean.to_image.0.bias"]
    with pytest.raises(ValueError, match="another method"):
        fresh().start_from(generator_only, seen=0)


def rank(number, ranks, port_file, out):
    torch.set_num_threads(1)
    torch.distributed.init_process_group(
        "gloo", init_method=f"file://{port_file}", rank=number, world_size=ranks
    )
    import os  # noqa: PLC0415  (in the child only)

    os.environ |= {"WORLD_SIZE": str(ranks), "RANK": str(number)}
    training = fresh(replace(SHORT, samples=12))
    trained(training)
    if number == 0:
        torch.save(training.method.state_dict(), out)
    torch.distributed.destroy_process_group()


@pytest.mark.recipe
def test_two_ranks_equal_one(tmp_path):
    out = tmp_path / "weights.pt"
    multiprocessing.spawn(rank, (2, str(tmp_path / "meet"), str(out)), nprocs=2)
    alone = fresh(replace(SHORT, samples=12))
    trained(alone)
    # Outputs, not weights: a bias in front of a normalisation has no gradient but rounding, which
    # Adam turns into steps that differ and mean nothing.
    together = ADN(TINY)
    together.load_state_dict(torch.load(out, weights_only=True))
    scan = samples(100, 2)
    with torch.no_grad():
        difference = alone.method.reduce(scan) - together.reduce(scan)
        moved = alone.method.reduce(scan) - fresh().method.reduce(scan)
    assert difference.abs().max() < 1e-5
    assert moved.abs().max() > 1e-3


def test_rate_falls_at_the_end_only():
    training = fresh(replace(SHORT, samples=100, lr_decay_fraction=0.25, lr=1.0))
    rates = []
    for training.seen in (0, 74, 76, 90):
        training.set_lr()
        rates.append(training.optimizers["discriminator"].param_groups[0]["lr"])
    assert rates == pytest.approx([1, 1, 0.96, 0.4])


def test_a_player_with_muon_has_two_rates_and_both_fall():
    scale = {"discriminator": 2}
    config = replace(SHORT, samples=100, lr=1e-3, muon_lr={"generator": 0.05}, lr_scale=scale)
    training = fresh(config)
    training.seen = 75
    training.set_lr()
    rates = {
        player: [group["lr"] for group in optimizer.param_groups]
        for player, optimizer in training.optimizers.items()
    }
    assert rates == {
        "generator": pytest.approx([0.025, 0.5e-3]),
        "discriminator": pytest.approx([1e-3]),
    }


def test_averaged_weights_follow():
    training = fresh(replace(SHORT, ema_decay=0.5))
    start = [p.clone() for p in training.result.parameters()]
    trained(training)
    moved = [
        (a - s).abs().sum() < (p - s).abs().sum()
        for a, s, p in zip(
            training.result.parameters(), start, training.method.parameters(), strict=True
        )
    ]
    assert sum(moved) > len(moved) / 2
    assert fresh(replace(SHORT, ema_decay=0.0)).ema is None


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_preset_can_be_built_from_its_json(name):
    import json  # noqa: PLC0415
    from dataclasses import asdict  # noqa: PLC0415

    preset = EXPERIMENTS[name]
    again = Experiment.of(json.loads(json.dumps(asdict(preset))))
    assert again == preset
    with torch.device("meta"):
        default = methods.build(preset.method)
        method = method_from_card(
            {"method": preset.method, "method_config": asdict(preset.method_config)}
        )
    assert isinstance(method, type(default))
    assert method.config == preset.method_config


def test_every_learned_method_has_presets_named_as_its_weights():
    learned = [entry.weights for entry in METHODS.values() if entry.weights]
    for name in learned:
        full, cpu = EXPERIMENTS[name], EXPERIMENTS[f"{name}-small"]
        assert METHODS[full.method].weights == name
        assert cpu.method == full.method
        assert full.training.samples == TABLE_SAMPLES
        assert full.training.samples % full.training.batch == 0
        assert cpu.training.samples % cpu.training.batch == 0


def test_ablation_adds_one_loss_after_another():
    kept = [5 - len(off) for off in ABLATION.values()]
    assert kept == [2, 3, 4, 5]


def test_weights_of_another_version_are_refused():
    with pytest.raises(InputError, match="another version"):
        method_from_card({"method": "adn", "method_config": {"colour": "red"}})


def test_no_gpu_is_said_plainly(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == torch.device("cpu")
    with pytest.raises(InputError, match="--device cpu"):
        choose_device("cuda")


class Three(Method):
    """Players of which two move together, and one has a rate and a bound of its own."""

    def __init__(self):
        super().__init__()
        self.encoder, self.generator, self.discriminator = (nn.Conv2d(1, 1, 1) for _ in range(3))

    def reduce(self, scan):
        return self.generator(self.encoder(scan.image))

    def training_step(self, scan):
        yield ("encoder", "generator"), {"recon": self.reduce(scan).abs().mean()}
        yield "discriminator", {"mean": 100 * self.discriminator(scan.image).mean()}


def test_players_that_move_together_and_one_that_is_slower():
    torch.manual_seed(1)
    config = Config(
        samples=4, batch=4, lr=0.1, optimizer="sgd", betas=(0.0, 0.0), weight_decay=0,
        lr_scale={"discriminator": 0.5}, grad_clip_norm={"discriminator": 1e-2},
    )  # fmt: skip
    training = Training(Three(), config, torch.device("cpu"))
    before = {name: p.clone() for name, p in training.method.named_parameters()}
    (losses,) = trained(training)
    assert losses.keys() == {"encoder/recon", "discriminator/mean"}
    moved = {n: (p - before[n]).flatten() for n, p in training.method.named_parameters()}
    assert all(change.abs().sum() > 0 for change in moved.values())
    # Half the rate times the longest gradient allowed, whatever the loss was.
    discriminator = torch.cat([moved["discriminator.weight"], moved["discriminator.bias"]])
    assert discriminator.norm().item() == pytest.approx(0.1 * 0.5 * 1e-2, rel=1e-4)


def test_a_rate_that_halves():
    config = Config(samples=8, batch=2, lr=1.0, lr_halve_every=4)
    training = Training(Three(), config, torch.device("cpu"))
    rates = []
    for _ in training.run(samples):
        rates.append(training.optimizers["discriminator"].param_groups[0]["lr"])
    assert rates == [1.0, 1.0, 0.5, 0.5]


def test_averages_take_over_what_is_counted_and_not_learned():
    class Normed(Three):
        def __init__(self):
            super().__init__()
            self.generator = nn.BatchNorm2d(1)

    training = Training(Normed(), replace(SHORT, samples=4), torch.device("cpu"))
    trained(training)
    seen = training.method.generator.running_mean
    assert torch.equal(training.ema.generator.running_mean, seen)
    assert seen.abs().sum() > 0


def test_networks_are_compiled_whole():
    held = nn.ModuleDict({"clean": nn.Conv2d(1, 1, 1), "affected": nn.Conv2d(1, 1, 1)})
    assert networks(held) == list(held.values())
    whole = nn.Sequential(nn.Conv2d(1, 1, 1), nn.ReLU())
    assert networks(whole) == [whole]
    generator = ADN(TINY).generator
    assert networks(generator) == list(generator.children())


def test_compiling_captures_a_critic_that_is_a_sequence(monkeypatch):
    captured = []
    compiler = partial(torch.compile, backend=lambda graph, _: captured.append(graph) or graph)
    monkeypatch.setattr(torch, "compile", compiler)
    method = ADN(TINY)
    names = list(method.state_dict())
    compile_networks(method)
    method.discriminator["clean"](torch.rand(1, 1, 32, 32))
    assert len(captured) == 1
    assert list(method.state_dict()) == names

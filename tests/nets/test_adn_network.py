"""The networks against the paper's figures 5 to 7: counts, shapes, arithmetic, behaviour."""

import pytest
import torch
from counting import macs, parameters

from unmetal.nets.adn import Architecture, ArtifactEncoder, Decoder, Encoder, Generator
from unmetal.nets.patchgan import PatchGAN

PAPER = Architecture()
SMALL = Architecture(width=8)


@pytest.fixture
def generator():
    torch.manual_seed(0)
    return Generator(SMALL).eval()


@pytest.fixture
def slices():
    torch.manual_seed(1)
    return torch.rand(2, 1, 32, 32) * 2 - 1, torch.rand(2, 1, 32, 32) * 2 - 1


def test_parameters_of_the_paper():
    with torch.device("meta"):
        assert parameters(Encoder(PAPER)) == 5_379_584
        assert parameters(ArtifactEncoder(PAPER)) == 658_944
        assert parameters(Decoder(PAPER)) == 5_748_353
        assert parameters(Decoder(PAPER, merges=True)) == 5_920_833
        assert parameters(PatchGAN(layers=2)) == 660_929


def test_only_live_parameters():
    assert parameters(Generator(PAPER)) == 23_087_298


@pytest.mark.parametrize(("width", "count"), [(8, 10_937), (16, 42_353), (32, 166_625)])
def test_parameters_of_narrow_critics(width, count):
    assert parameters(PatchGAN(1, width, layers=2)) == count


@torch.no_grad()
def test_arithmetic_of_the_paper():
    image, code = torch.zeros(1, 1, 64, 64), torch.zeros(1, 256, 16, 16)
    artifact = ArtifactEncoder(PAPER)(image)
    # A sixteenth of the pixels of the paper's 256 x 256.
    assert 16 * macs(Encoder(PAPER), image) == 23_827_841_024
    assert 16 * macs(Decoder(PAPER), code) == 46_376_419_328
    assert 16 * macs(Decoder(PAPER, merges=True), code, artifact) == 47_987_032_064
    with torch.device("meta"):
        assert macs(PatchGAN(layers=2), torch.empty(1, 1, 256, 256)) == 2_650_292_224


def test_shapes_of_the_codes():
    with torch.device("meta"):
        image = torch.empty(1, 1, 256, 256)
        assert Encoder(PAPER)(image).shape == (1, 256, 64, 64)
        assert [f.shape[1:] for f in ArtifactEncoder(PAPER)(image)] == [
            (256, 64, 64),
            (128, 128, 128),
            (64, 256, 256),
        ]


@pytest.mark.parametrize(("side", "scores"), [(256, 62), (216, 52), (128, 30), (64, 14)])
def test_shapes_of_the_scores(side, scores):
    with torch.device("meta"):
        assert PatchGAN(layers=2)(torch.empty(1, 1, side, side)).shape == (1, 1, scores, scores)


@torch.no_grad()
def test_generator_is_blind_to_offset_and_gain_but_the_critic_is_not(generator, slices):
    x, _ = slices
    assert (generator.clean(0.5 * x + 0.3) - generator.clean(x)).abs().max() < 1e-3
    flat = torch.ones(1, 1, 32, 32)
    assert torch.allclose(generator.clean(flat * 0.2), generator.clean(flat * -0.9), atol=1e-4)
    discriminator = PatchGAN(1, 8, layers=2)
    assert (discriminator(0.5 * x + 0.3) - discriminator(x)).abs().max() > 1e-3


@torch.no_grad()
def test_both_decoders_start_equal(generator, slices):
    x, _ = slices
    code, artifact = generator.encode_affected(x), generator.encode_artifact(x)
    for merge in generator.decode_affected.merges:
        set_merge(merge, keep="content")
    assert torch.equal(generator.decode_affected(code, artifact), generator.decode_clean(code))


def set_merge(merge, keep):
    """A 1x1 convolution that passes one half of its input on and drops the other."""
    channels = merge.weight.shape[0]
    identity, zero = torch.eye(channels), torch.zeros(channels, channels)
    halves = [identity, zero] if keep == "content" else [zero, identity]
    with torch.no_grad():
        merge.weight.copy_(torch.cat(halves, dim=1)[:, :, None, None])
        merge.bias.zero_()


@torch.no_grad()
def test_merges_see_content_and_artifact_apart(generator, slices):
    x, y = slices
    decode, artifact = generator.decode_affected, generator.encode_artifact
    code_x, code_y = generator.encode_affected(x), generator.encode_clean(y)
    for merge in decode.merges:
        set_merge(merge, keep="content")
    assert torch.equal(decode(code_x, artifact(x)), decode(code_x, artifact(y)))
    assert not torch.equal(decode(code_x, artifact(x)), decode(code_y, artifact(x)))
    for merge in decode.merges:
        set_merge(merge, keep="artifact")
    assert torch.equal(decode(code_x, artifact(x)), decode(code_y, artifact(x)))
    with pytest.raises(RuntimeError):
        decode(code_x, artifact(x)[::-1])


@torch.no_grad()
def test_slices_of_a_batch_do_not_meet(generator, slices):
    x, y = slices
    for together, alone in zip(generator.split(x), generator.split(x[:1]), strict=True):
        torch.testing.assert_close(together[:1], alone, atol=1e-5, rtol=0)
    for together, alone in zip(generator.merge(x, y), generator.merge(x[1:], y[1:]), strict=True):
        torch.testing.assert_close(together[1:], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("architecture", [SMALL, Architecture(4, 3, 2), Architecture(4, 1, 0)])
def test_every_depth_gives_back_the_image_size(architecture):
    generator = Generator(architecture)
    x = torch.rand(1, 1, 32, 48)
    assert all(out.shape == x.shape for out in (*generator.split(x), *generator.merge(x, x)))


def test_split_and_merge_are_the_passes_of_figure_1(generator, slices):
    x, y = slices
    x_again, x_clean = generator.split(x)
    y_affected, y_again = generator.merge(x, y)
    artifact = generator.encode_artifact(x)
    assert torch.equal(x_clean, generator.clean(x))
    assert torch.equal(x_again, generator.decode_affected(generator.encode_affected(x), artifact))
    assert torch.equal(y_again, generator.decode_clean(generator.encode_clean(y)))
    assert torch.equal(y_affected, generator.decode_affected(generator.encode_clean(y), artifact))

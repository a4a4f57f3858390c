"""The 130 entries of a generator that ADN's authors released, filled by a rule."""

import math

import torch


def released_shapes(width):
    """Name and shape of the 130 entries, in the order of the released state dict."""
    shapes = {}
    for encoder in ("encoder_low", "encoder_high", "encoder_art"):
        for i, (outputs, inputs, kernel) in enumerate(
            [(width, 1, 7), (2 * width, width, 4), (4 * width, 2 * width, 4)]
        ):
            shapes[f"{encoder}.conv{i}.conv.weight"] = (outputs, inputs, kernel, kernel)
            shapes[f"{encoder}.conv{i}.conv.bias"] = (outputs,)
        shapes |= residual_shapes(encoder, 4 * width)
    for decoder in ("decoder", "decoder_art"):
        shapes |= residual_shapes(decoder, 4 * width)
        for i, c in enumerate([2 * width, width]):
            shapes[f"{decoder}.conv{i}.1.conv.weight"] = (c, 2 * c, 5, 5)
            shapes[f"{decoder}.conv{i}.1.conv.bias"] = (c,)
            shapes[f"{decoder}.conv{i}.1.norm.gamma"] = (c,)
            shapes[f"{decoder}.conv{i}.1.norm.beta"] = (c,)
        shapes[f"{decoder}.conv2.conv.weight"] = (1, width, 7, 7)
        shapes[f"{decoder}.conv2.conv.bias"] = (1,)
        for i, c in enumerate([4 * width, 2 * width, width]):
            shapes[f"{decoder}.fuse{i}.weight"] = (c, 2 * c, 1, 1)
            shapes[f"{decoder}.fuse{i}.bias"] = (c,)
    return shapes


def residual_shapes(network, channels):
    return {
        f"{network}.res{i}.model.{j}.conv.{name}": shape
        for i in range(4)
        for j in range(2)
        for name, shape in {"weight": (channels, channels, 3, 3), "bias": (channels,)}.items()
    }


def filled(width):
    """Weights by a rule that scatters like noise, the same on every machine."""
    state = {}
    for entry, (name, shape) in enumerate(sorted(released_shapes(width).items())):
        gain = math.sqrt(6 / math.prod(shape[1:])) if len(shape) > 1 else 0.3
        scattered = (torch.arange(math.prod(shape)).double() * 12.9898 + entry).sin() * 4375.85
        state[name] = (gain * (2 * scattered.frac().abs() - 1)).float().reshape(shape)
    return state

"""The layout of the ADN checkpoints that its authors released, read into ours.

Their generator has 130 entries and 27,980,418 numbers at width 64, of which 23,087,298 take part.
Dropped are the residual blocks of the artifact encoder, which are run and never used, and
`decoder_art.fuse*`: the second decoder is a deep copy that kept calling the first one's
`decoder.fuse*`.
"""

import re
from collections.abc import Mapping

from torch import Tensor

from unmetal.errors import InputError
from unmetal.nets.adn import Architecture, Generator

DEAD = re.compile(r"encoder_art\.res|decoder_art\.fuse")

RENAMED = {
    r"^decoder\.fuse(\d+)": r"decode_affected.merges.\1",
    r"^encoder_low": "encode_affected",
    r"^encoder_high": "encode_clean",
    r"^encoder_art": "encode_artifact",
    r"^decoder_art": "decode_affected",
    r"^decoder": "decode_clean",
    r"\.res(\d+)\.model\.(\d)\.conv": r".residual.\1.body.\2.0",
    r"^(encode_\w+)\.conv(\d+)\.conv": r"\1.down.\2.0",
    r"^(decode_\w+)\.conv(\d+)\.1\.conv": r"\1.doublings.\2.0",
    r"^(decode_\w+)\.conv(\d+)\.1\.norm\.gamma": r"\1.doublings.\2.1.weight",
    r"^(decode_\w+)\.conv(\d+)\.1\.norm\.beta": r"\1.doublings.\2.1.bias",
    r"^(decode_\w+)\.conv\d+\.conv": r"\1.to_image.0",
}
"""Applied in this order: whose network it is, then which layer."""


def our_name(name: str) -> str:
    """`encoder_low.conv0.conv.weight` is our `encode_affected.down.0.0.weight`."""
    for pattern, replacement in RENAMED.items():
        name = re.sub(pattern, replacement, name)
    return name


def generator_from_released(state: Mapping[str, Tensor]) -> Generator:
    """Our generator with the weights of a released one; width and depth are read off the shapes.

    `state` is the generator's own state dict or a whole checkpoint that holds it as `model_g`.

    Raises `InputError` if an entry is missing, unknown or of another shape.
    """
    # A whole checkpoint holds discriminators and optimizers beside it.
    state = state.get("model_g", state)  # type: ignore[assignment]
    parameters = {our_name(name): value for name, value in state.items() if not DEAD.match(name)}
    try:
        generator = Generator(architecture_of(parameters))
        generator.load_state_dict(parameters)
    except (KeyError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"not a generator in the released ADN layout: {reason[:200]}") from error
    return generator


def architecture_of(parameters: Mapping[str, Tensor]) -> Architecture:
    """Width and depth of a generator, from the names and shapes of its parameters.

    Raises `KeyError` if its first layer is missing.
    """

    def count(layers: str) -> int:
        return len({m[1] for name in parameters if (m := re.match(rf"{layers}\.(\d+)\.", name))})

    # The first convolution is [width 1 7 7]; every other entry of `down` halves the image.
    return Architecture(
        width=parameters["encode_affected.down.0.0.weight"].shape[0],
        downs=count(r"encode_affected\.down") - 1,
        residuals=count(r"encode_affected\.residual"),
    )

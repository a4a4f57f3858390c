"""The layout of the authors' checkpoints, against numbers their own network gave.

The stored numbers are outputs of the released code (ADN at width 8, images 32 x 32) with the
weights that `filled` makes; the names and shapes of its 130 entries are spelled out here.
"""

import math

import pytest
import torch
from released_layout import filled, released_shapes

from unmetal.errors import InputError
from unmetal.nets.adn import Architecture
from unmetal.nets.adn_checkpoint import DEAD, generator_from_released


def images():
    """An affected and a clean stand-in, [2 1 32 32] in [-1, 1]."""
    t = torch.arange(2 * 32 * 32, dtype=torch.float64)
    x, y = torch.sin(0.37 * t + 0.001 * t**1.3), torch.cos(0.11 * t - 0.002 * t**1.2)
    return x.float().reshape(2, 1, 32, 32), y.float().reshape(2, 1, 32, 32)


def test_released_layout_has_130_entries_and_the_published_number_of_parameters():
    shapes = released_shapes(64)
    count = {name: math.prod(shape) for name, shape in shapes.items()}
    assert len(shapes) == 130
    assert sum(count.values()) == 27_980_418
    assert sum(n for name, n in count.items() if DEAD.match(name)) == 4_893_120
    assert sum(math.prod(shape) for shape in released_shapes(16).values()) == 1_754_274


STORED = {  # mean, standard deviation, pixel (0, 0) of the first, (17, 13) of the second image
    "ll": (0.102232, 0.529973, -0.979356, -0.084124),
    "lh": (-0.345632, 0.078614, -0.340324, -0.460154),
    "hl": (0.103313, 0.528398, -0.978907, -0.055535),
    "hh": (-0.348288, 0.068808, -0.332763, -0.433349),
    "hlh": (-0.357377, 0.070817, -0.377750, -0.328388),
}


def test_released_weights_give_the_released_outputs():
    generator = generator_from_released({"model_g": filled(8)}).eval()
    assert generator.architecture == Architecture(width=8)
    x, y = images()
    with torch.no_grad():
        x_again, x_clean = generator.split(x)
        y_affected, y_again = generator.merge(x, y)
        outputs = {"ll": x_again, "lh": x_clean, "hl": y_affected, "hh": y_again}
        outputs["hlh"] = generator.clean(y_affected)
    for name, (mean, spread, corner, middle) in STORED.items():
        out = outputs[name].double()
        found = out.mean(), out.std(), out[0, 0, 0, 0], out[1, 0, 17, 13]
        torch.testing.assert_close(
            torch.stack(found),
            torch.tensor([mean, spread, corner, middle]).double(),
            atol=2e-4,
            rtol=0,
        )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: state.pop("decoder.conv0.1.norm.gamma"),
        lambda state: state.pop("encoder_low.conv0.conv.weight"),
        lambda state: state.update({"decoder.surprise": torch.zeros(1)}),
        lambda state: state.update({"decoder.conv2.conv.bias": torch.zeros(2)}),
    ],
)
def test_other_layouts_are_refused_with_one_line(spoil):
    state = filled(8)
    spoil(state)
    with pytest.raises(InputError, match="not a generator in the released ADN layout") as raised:
        generator_from_released(state)
    assert "\n" not in str(raised.value)

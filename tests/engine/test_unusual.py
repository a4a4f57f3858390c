"""What is unlike the training data is said, what is like it is not."""

import numpy as np
import pytest

from unmetal.engine.unusual import unusual


def body(radius, size=256):
    """A noisy disc of muscle in air, [1 size size] HU."""
    y, x = np.mgrid[:size, :size] - size / 2
    noise = np.random.default_rng(0).normal(0, 15, (size, size))
    return (np.where(np.hypot(x, y) < radius, 50, -1000) + noise)[None].astype(np.float32)


def test_a_body_as_in_training_raises_no_warning():
    assert unusual(body(100), 1.6) == []


@pytest.mark.parametrize(
    ("hu", "pixel", "said"),
    [
        (body(100), 0.1, "pixels of 0.1 mm"),
        (np.random.default_rng(0).normal(-1000, 9, (2, 64, 64)), 1.0, "no body in 2 of 2 slices"),
        (body(10), 1.6, "mm across, trained"),
        (np.round(body(100) / 8) * 8, 1.6, "different values"),
    ],
)
def test_each_oddity_is_named(hu, pixel, said):
    assert any(said in caution.said for caution in unusual(hu, pixel))

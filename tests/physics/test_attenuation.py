"""The table that comes with the package against the tables of the original simulation."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch

from unmetal.errors import InputError
from unmetal.physics.beam.attenuation import (
    ENERGIES,
    MATERIALS,
    linear_attenuation,
    mass_attenuation,
)


def test_every_material_has_a_column_and_falls_but_for_its_edges() -> None:
    edges = {"au": 1, "amalgam": 3}  # K edges in the range: gold; silver, tin, mercury
    for name in MATERIALS:
        values = mass_attenuation(name)
        assert values.shape == ENERGIES.shape
        assert values.dtype == torch.float64
        assert (values > 0).all()
        assert int((values.diff() > 0).sum()) <= edges.get(name, 1)


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("water", "H2O"),
        ("bone", "BONE_Cortical_ICRU44"),
        ("ti", "Ti"),
        ("fe", "Fe"),
        ("cu", "Cu"),
        ("au", "Au"),
    ],
)
def test_within_a_thousandth_of_the_original_tables(
    name: str, original: str, reference: Path
) -> None:
    table = scipy.io.loadmat(reference / "spectra" / f"Miuof{original}.mat")[f"Miuof{original}"]
    expected = table[19:120, 6]  # one row per keV from 1 keV; total with coherent scattering
    np.testing.assert_allclose(mass_attenuation(name)[:101].numpy(), expected, rtol=1e-3)


def test_titanium_at_70_kev_is_that_of_the_released_simulation() -> None:
    assert linear_attenuation("ti", 70) == pytest.approx(2.41245, rel=1e-4)


def test_gold_has_its_own_density() -> None:
    assert linear_attenuation("au", 70) == pytest.approx(19.3 * mass_attenuation("au")[50].item())


def test_half_way_between_two_energies_is_their_mean() -> None:
    pair = mass_attenuation("bone")[10:12].mean()
    between = mass_attenuation("bone", torch.tensor([30.5], dtype=torch.float64))
    assert between.item() == pytest.approx(pair.item())


def test_what_is_not_in_the_table_is_refused() -> None:
    with pytest.raises(InputError, match=r"kryptonite.*there are water"):
        mass_attenuation("kryptonite")
    with pytest.raises(ValueError, match="20 to 140 keV"):
        linear_attenuation("water", 150)

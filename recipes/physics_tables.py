"""Make the attenuation and spectrum tables that come with the package.

    python -m venv tables && tables/bin/pip install spekpy==2.5.4 xraylib==4.3.0
    tables/bin/python recipes/physics_tables.py

Two libraries of 180 MB make two tables of 30 kB: they are needed here and never at run time. The
same versions make the same bytes.

The tube is the one nearest to the 120 kVp spectrum of the original simulation (mean 55.1 keV,
lightly filtered), which that simulation states at every second keV with straight lines between.
Stated the same way, 8 degrees of tungsten and 2.5 mm of aluminium is the nearest of the angles 6
to 14 degrees and the filters 1 to 4.5 mm: the absolute differences of the two normalised spectra
sum to 0.044 (55.6 keV mean). At 1 keV the sum is 0.13, because the original smears the two
characteristic lines over 4 keV. The same tube makes the other voltages.
"""

from pathlib import Path

import numpy as np
import spekpy
import xraylib

TABLES = Path(__file__).parents[1] / "src" / "unmetal" / "physics" / "beam" / "tables"

ENERGIES = np.arange(20, 141)
"""keV. Below 20 keV nothing leaves a patient; 140 kVp is the highest voltage in use."""

VOLTAGES = (80, 100, 120, 140)
ANODE_DEGREES = 8.0
ALUMINIUM_MM = 2.5

COMPOSITIONS: dict[str, tuple[dict[str, float], str]] = {
    "water": ({"H": 0.1119, "O": 0.8881}, "H2O"),
    "soft_tissue": (
        {
            "H": 0.102,
            "C": 0.143,
            "N": 0.034,
            "O": 0.708,
            "Na": 0.002,
            "P": 0.003,
            "S": 0.003,
            "Cl": 0.002,
            "K": 0.003,
        },
        "ICRU Report 44, soft tissue",
    ),
    "bone": (
        {
            "H": 0.034,
            "C": 0.155,
            "N": 0.042,
            "O": 0.435,
            "Na": 0.001,
            "Mg": 0.002,
            "P": 0.103,
            "S": 0.003,
            "Ca": 0.225,
        },
        "ICRU Report 44, cortical bone",
    ),
    "ti": ({"Ti": 1.0}, "element"),
    "fe": ({"Fe": 1.0}, "element"),
    "steel": (
        {"Fe": 0.6325, "Cr": 0.18, "Ni": 0.14, "Mo": 0.0275, "Mn": 0.02},
        "ASTM F138 (316L for implants), middle of each range, manganese at its limit, balance iron",
    ),
    "cocr": (
        {"Co": 0.655, "Cr": 0.285, "Mo": 0.06},
        "ASTM F75, middle of the ranges of chromium and molybdenum, balance cobalt",
    ),
    "cu": ({"Cu": 1.0}, "element"),
    "au": ({"Au": 1.0}, "element"),
    "amalgam": (
        {"Hg": 0.5, "Ag": 0.295, "Sn": 0.14, "Cu": 0.065},
        "half mercury by mass (FDA, About Dental Amalgam Fillings), half a common high-copper "
        "single-composition alloy of 59 % Ag, 28 % Sn, 13 % Cu",
    ),
}
"""Mass fractions and where they are from."""


def mass_attenuation(fractions: dict[str, float]) -> np.ndarray:
    """Total mass attenuation with coherent scattering `[E]`, cm2/g, by the mixture rule."""
    total = sum(fractions.values())
    elements = {xraylib.SymbolToAtomicNumber(symbol): w for symbol, w in fractions.items()}
    return np.array(
        [
            sum(w / total * xraylib.CS_Total(z, float(kev)) for z, w in elements.items())
            for kev in ENERGIES
        ]
    )


def photons(kvp: int) -> np.ndarray:
    """Photons per keV `[E]`, summing to one; bin E holds the energies from E - 0.5 to E + 0.5."""
    tube = spekpy.Spek(kvp=kvp, th=ANODE_DEGREES, dk=0.5).filter("Al", ALUMINIUM_MM)
    kev, fluence = tube.get_spectrum(edges=False)
    spectrum = np.histogram(kev, bins=np.append(ENERGIES, 141) - 0.5, weights=fluence)[0]
    return spectrum / spectrum.sum()


def write(path: Path, about: list[str], columns: dict[str, np.ndarray], digits: int) -> None:
    rows = np.stack(list(columns.values()), axis=1)
    with path.open("w", encoding="ascii", newline="\n") as file:
        file.writelines(f"# {line}\n" for line in about)
        file.write(",".join(["energy_kev", *columns]) + "\n")
        for kev, row in zip(ENERGIES, rows, strict=True):
            file.write(",".join([str(kev), *(f"{value:.{digits}g}" for value in row)]) + "\n")


def main() -> None:
    TABLES.mkdir(exist_ok=True)
    made_by = "Made by recipes/physics_tables.py with"
    write(
        TABLES / "attenuation.csv",
        [
            "Mass attenuation in cm2/g, total with coherent scattering.",
            f"{made_by} xraylib {xraylib.__version__}.",
            *(
                f"{name}: {source}; mass fractions "
                + " ".join(f"{symbol} {w:g}" for symbol, w in fractions.items())
                for name, (fractions, source) in COMPOSITIONS.items()
            ),
        ],
        {name: mass_attenuation(fractions) for name, (fractions, _) in COMPOSITIONS.items()},
        digits=6,
    )
    write(
        TABLES / "spectra.csv",
        [
            "Photons per keV of a tungsten tube, each column summing to one; a column is a kVp.",
            f"{made_by} spekpy {spekpy.__version__}: anode {ANODE_DEGREES:g} degrees, "
            f"{ALUMINIUM_MM:g} mm Al.",
        ],
        {str(kvp): photons(kvp) for kvp in VOLTAGES},
        digits=7,
    )


if __name__ == "__main__":
    main()

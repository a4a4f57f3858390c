"""How much every method loses from SYN to other scanners: a table with intervals over patients.

usage: python recipes/clinical_drop.py NAME=ROWS.csv... [--metric psnr] [--over input]
           [--out FILE.md]

The first NAME is what drops are measured from; ROWS.csv are rows of `unmetal evaluate` on the same
index.csv:

    unmetal evaluate METHOD... --data DATA/index.csv --downsample 2 --out syn
    unmetal evaluate METHOD... --data DATA/index.csv --downsample 2 --protocol clinical \\
        --out clinical
    python recipes/clinical_drop.py SYN=syn/rows.csv clinical=clinical/rows.csv
"""

import argparse
from pathlib import Path

from unmetal.evaluation.tables.drop import drop_table, method_drops
from unmetal.evaluation.tables.means import COLUMNS
from unmetal.evaluation.tables.rows import CEILING, INPUT, read_rows

SAYS = """\
Gain over {over}, slice by slice, and what of it is lost from {first} to the others on slices \
of both; positive drops are losses. Mean of {patients} patients' means, 95 % t interval \
and p-value (signs flipped by patient), not corrected for how many there are.
"""


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", nargs="+", metavar="NAME=ROWS.csv")
    parser.add_argument("--metric", default="psnr", choices=[c.name for c in COLUMNS if c.best])
    parser.add_argument("--over", default=INPUT, help="the row that gains are over: input or li")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args(arguments)
    paths = dict(one.split("=", 1) for one in given.data)
    column = next(one for one in COLUMNS if one.name == given.metric)
    data = {name: read_rows(Path(path)) for name, path in paths.items()}
    patients = len({row["group"] for rows in data.values() for row in rows})
    # The ceiling is no method: what a perfect sinogram gains says how much there was to gain.
    found = sorted(method_drops(data, column, given.over), key=lambda one: one.method == CEILING)
    text = SAYS.format(over=given.over, first=next(iter(data)), patients=patients)
    text += "\n" + drop_table(found, list(data), column)
    print(text)
    if given.out:
        given.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

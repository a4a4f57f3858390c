"""Rows: what is written can be read back."""

import csv

from rows_of_methods import CASES, ROWS

from unmetal.evaluation.tables.means import write_summary
from unmetal.evaluation.tables.rows import read_rows, write_rows


def test_rows_come_back_from_csv_with_every_digit(tmp_path) -> None:
    rows = [{"method": "li", "psnr": 0.1 + 0.2}, {"method": "nmar", "psnr": 1e-17, "dice": 1.0}]
    write_rows(rows, tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as file:
        back = list(csv.DictReader(file))
    assert [float(row["psnr"]) for row in back] == [0.1 + 0.2, 1e-17]
    assert [row["dice"] for row in back] == ["", "1.0"]


def test_a_summary_has_a_line_for_each_method_with_its_interval(tmp_path) -> None:
    write_summary(ROWS, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first["method"] == "input"
    assert float(second["psnr_low"]) < float(second["psnr"]) < float(second["psnr_high"])


def test_what_is_read_is_what_was_written(tmp_path) -> None:
    rows = [*CASES, {"method": "3", "group": "007", "slice": "dev_L1", "psnr": float("inf")}]
    write_rows(rows, tmp_path / "rows.csv")
    assert read_rows(tmp_path / "rows.csv") == rows

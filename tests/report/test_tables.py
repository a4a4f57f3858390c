"""Tables: the means are those of the rows, and what is written can be read back."""

import csv
import math

import pytest

from unmetal.metrics.intervals import bootstrap
from unmetal.report.tables import (
    COLUMNS,
    Column,
    case_by_case,
    columns_of,
    crossed,
    grid,
    markdown,
    summary,
    write_rows,
    write_summary,
)

PSNR = COLUMNS[0]
ROWS = [
    {"method": method, "group": str(slice_), "slice": slice_, "mask_px": px, "psnr": base + slice_}
    for slice_ in range(4)
    for px in (300, 20)
    for method, base in (("input", 25.0), ("li", 31.0))
]


def test_means_and_intervals_are_those_of_the_rows_that_agree() -> None:
    first, second = summary(ROWS)
    assert (first.key, second.key) == ({"method": "input"}, {"method": "li"})
    assert first.cases == second.cases == 8
    assert second.means["psnr"] == bootstrap(
        [31.0, 31.0, 32.0, 32.0, 33.0, 33.0, 34.0, 34.0], list("00112233")
    )
    assert set(second.means) == {"psnr"}


def test_metrics_over_no_pixels_do_not_count_and_equal_images_are_infinitely_good() -> None:
    rows = [ROWS[0] | {"psnr": value} for value in (math.nan, 30.0)]
    assert summary(rows)[0].means["psnr"].mean == 30.0
    assert "psnr" not in summary(rows[:1])[0].means
    perfect = summary([ROWS[0] | {"psnr": math.inf}])
    assert perfect[0].means["psnr"].mean == math.inf
    assert "| inf |" in " ".join(markdown(perfect).split())


def test_rows_come_back_from_csv_with_every_digit(tmp_path) -> None:
    rows = [{"method": "li", "psnr": 0.1 + 0.2}, {"method": "nmar", "psnr": 1e-17, "dice": 1.0}]
    write_rows(rows, tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as file:
        back = list(csv.DictReader(file))
    assert [float(row["psnr"]) for row in back] == [0.1 + 0.2, 1e-17]
    assert [row["dice"] for row in back] == ["", "1.0"]


def test_a_summary_has_a_line_for_each_method_with_its_interval(tmp_path) -> None:
    write_summary(summary(ROWS), tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as file:
        first, second = csv.DictReader(file)
    assert first["method"] == "input"
    assert float(second["psnr_low"]) < float(second["psnr"]) < float(second["psnr_high"])


def test_markdown_shows_units_digits_and_only_metrics_that_there_are() -> None:
    text = markdown(summary(ROWS))
    head, rule, *lines = text.splitlines()
    assert [word.strip() for word in head.split("|")[1:-1]] == ["method", "cases", "PSNR (dB)"]
    assert set(rule) <= set("|-: ")
    assert len(lines) == 2
    assert "32.50 [31.5" in lines[1]
    assert len({len(line) for line in text.splitlines()}) == 1


def test_crossed_has_methods_down_and_sizes_rising_to_the_right() -> None:
    rows = [*ROWS, {"method": "ceiling", "group": "0", "mask_px": 20, "psnr": 34.25}]
    head, _, *lines = crossed(rows, PSNR).splitlines()
    assert [word.strip() for word in head.split("|")[2:-1]] == ["20", "300"]
    assert [line.split()[1] for line in lines] == ["input", "li", "ceiling"]
    assert [word.strip() for word in lines[2].split("|")[2:-1]] == ["34.25", "–"]


def test_columns_are_those_any_row_has() -> None:
    assert columns_of(ROWS) == [PSNR]
    assert Column("x", "X").head == "X"


def test_a_grid_whose_lines_differ_in_length_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        grid(["a", "b"], [["1"]])


def test_case_by_case_has_a_line_a_slice_and_a_column_a_method() -> None:
    table = case_by_case([row for row in ROWS if row["mask_px"] == 20], PSNR).splitlines()
    assert len(table) == 2 + 4
    assert [cell.strip() for cell in table[0].split("|")[1:-1]] == ["PSNR (dB)", "input", "li"]
    assert [cell.strip() for cell in table[3].split("|")[1:-1]] == ["1", "26.00", "32.00"]

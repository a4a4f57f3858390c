"""Summaries: the means are those of the rows, and differences are over cases in common."""

import math

import pytest
from rows_of_methods import CASES, ROWS

from unmetal.evaluation.tables.markdown import means_table
from unmetal.evaluation.tables.means import COLUMNS, Column, compare_to, present_columns, summarize
from unmetal.metrics.intervals import t_interval

PSNR = COLUMNS[0]


def test_means_and_intervals_are_those_of_the_rows_that_agree() -> None:
    first, second = summarize(ROWS)
    assert (first.key, second.key) == ({"method": "input"}, {"method": "li"})
    assert first.cases == second.cases == 8
    assert second.means["psnr"] == t_interval(
        [31.0, 31.0, 32.0, 32.0, 33.0, 33.0, 34.0, 34.0], list("00112233")
    )
    assert set(second.means) == {"psnr"}


def test_metrics_over_no_pixels_do_not_count_and_equal_images_are_infinitely_good() -> None:
    rows = [ROWS[0] | {"psnr": value} for value in (math.nan, 30.0)]
    assert summarize(rows)[0].means["psnr"].mean == 30.0
    assert "psnr" not in summarize(rows[:1])[0].means
    perfect = summarize([ROWS[0] | {"psnr": math.inf}])
    assert perfect[0].means["psnr"].mean == math.inf
    assert "| inf |" in " ".join(means_table(perfect).split())


def test_columns_are_those_any_row_has() -> None:
    assert present_columns(ROWS) == [PSNR]
    assert Column("x", "X").head == "X"


def test_a_method_is_compared_on_the_cases_that_both_have() -> None:
    fewer = [row for row in CASES if row["method"] != "li" or row["slice"] in {2, 3}]
    by_name = {one.method: one for one in compare_to(fewer, "adn_x")}
    assert set(by_name) == {"input", "li", "ceiling"}
    assert by_name["li"].cases == 4
    assert by_name["li"].differences["psnr"].mean == pytest.approx(-2)
    assert by_name["input"].cases == 12
    assert by_name["input"].differences["rmse_hu"].mean == pytest.approx(8)
    assert compare_to(fewer, "nothing") == []


def test_what_is_infinite_or_no_number_is_not_compared() -> None:
    rows = [row | {"psnr": math.inf} if row["slice"] == 0 else row for row in ROWS]
    (one,) = compare_to(rows, "input", [PSNR])
    assert one.differences["psnr"].mean == pytest.approx(6)
    rows = [row | {"psnr": math.nan} for row in ROWS]
    assert compare_to(rows, "input", [PSNR]) == []


def test_copies_of_a_case_by_other_masks_are_of_one_patient() -> None:
    # 6 slices of 3 patients: all signs alike happen in 2 of 8 ways.
    (li,) = (one for one in compare_to(CASES, "adn_x") if one.method == "li")
    assert li.differences["psnr"].p == 2 / 8

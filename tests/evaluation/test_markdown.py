"""Tables: they show the numbers, and only those that there are."""

import pytest
from rows_of_methods import CASES, FACTS, ROWS

from unmetal.evaluation.tables.markdown import (
    cases_table,
    costs_table,
    differences_table,
    format_difference,
    format_p,
    markdown_table,
    means_table,
    page,
    pivot,
)
from unmetal.evaluation.tables.means import COLUMNS, Summary, compare_to, summarize
from unmetal.metrics.intervals import Difference, Interval

PSNR = COLUMNS[0]


def test_markdown_shows_units_digits_and_only_metrics_that_there_are() -> None:
    text = means_table(summarize(ROWS))
    head, rule, *lines = text.splitlines()
    assert [word.strip() for word in head.split("|")[1:-1]] == ["method", "cases", "PSNR (dB)"]
    assert set(rule) <= set("|-: ")
    assert len(lines) == 2
    assert "32.50 [30.45, 34.55]" in lines[1]
    assert len({len(line) for line in text.splitlines()}) == 1


def test_crossed_has_methods_down_and_sizes_rising_to_the_right() -> None:
    rows = [*ROWS, {"method": "ceiling", "group": "0", "mask_px": 20, "psnr": 34.25}]
    head, _, *lines = pivot(rows, PSNR).splitlines()
    assert [word.strip() for word in head.split("|")[2:-1]] == ["20", "300"]
    assert [line.split()[1] for line in lines] == ["input", "li", "ceiling"]
    assert [word.strip() for word in lines[2].split("|")[2:-1]] == ["34.25", "–"]


def test_a_grid_whose_lines_differ_in_length_is_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        markdown_table(["a", "b"], [["1"]])


def test_case_by_case_has_a_line_a_slice_and_a_column_a_method() -> None:
    table = cases_table([row for row in ROWS if row["mask_px"] == 20], PSNR).splitlines()
    assert len(table) == 2 + 4
    assert [cell.strip() for cell in table[0].split("|")[1:-1]] == ["PSNR (dB)", "input", "li"]
    assert [cell.strip() for cell in table[3].split("|")[1:-1]] == ["1", "26.00", "32.00"]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


def test_differences_are_signed_and_say_how_sure_they_are() -> None:
    head, _, *lines = differences_table(compare_to(CASES, "adn_x")).splitlines()
    assert cells(head)[:3] == ["method", "cases", "Δ PSNR (dB)"]
    assert [cells(line)[0] for line in lines] == ["input", "li", "ceiling"]
    assert cells(lines[1])[1:3] == ["12", "−2.00 [−2.00, −2.00] p 0.25"]
    assert format_difference(Difference(0.5, float("nan"), float("nan"), 1), PSNR) == "+0.50"
    assert [format_p(p) for p in (0.0001, 0.0034, 0.096, 1)] == ["0.0001", "0.003", "0.10", "1.00"]


TIMED = Summary({"method": "adn_x"}, 12, {"seconds": Interval(0.25, 0.2, 0.3)})


def test_budgets_leave_out_what_nobody_has() -> None:
    head, _, li, adn = costs_table(FACTS, [TIMED]).splitlines()
    assert cells(head) == [
        *("method", "parameters", "with critics", "samples", "s per slice"),
        *("evaluated on", "CPU s", "CPU MiB"),
    ]
    assert cells(li) == ["li", *"–" * 7]
    assert cells(adn) == [
        *("adn_x", "1,000", "1,500", "60,000", "0.25", "CPU, 1 thread", "1.23", "512")
    ]


def test_a_page_says_what_it_shows() -> None:
    text = page("What this is.", CASES, FACTS, "adn_x")
    assert text.startswith("What this is.")
    for part in ("adn_x: every row minus adn_x", "with 3 rows", "0.02 for each", "at mask_px"):
        assert part in text
    assert "fewer cases" not in text
    fewer = [row for row in CASES if row["method"] != "li" or row["slice"] == 0]
    assert "fewer cases" in page("", fewer, FACTS, "adn_x")
    assert "Case by case" in page("", ROWS, {}, "li")


def test_the_worst_case_of_each_method_stands_under_its_mean():
    facts = {name: {"parameters": 0, "learned": 0, "samples": 0} for name in ("input", "li")}
    rows = [
        {"method": name, "group": case, "slice": case, "psnr": 30.0, "harmed": harmed, "helped": 9}
        for name, shares in (("input", (0.0, 0.0)), ("li", (1.25, 7.5)))
        for case, harmed in zip(("knee", "hip"), shares, strict=True)
    ]
    text = page("What.", rows, facts, "input")
    assert "harmed (%)" in text
    worst = text[text.index("The worst case of each method") :].split("Parameters are")[0]
    assert [cell.strip() for cell in worst.strip().splitlines()[-1].split("|")[1:-1]] == [
        "li",
        "hip",
        "7.5",
        "9.0",
    ]
    assert "knee" not in worst
    assert "worst case" not in page("What.", [{**rows[0], "harmed": 0.0}], facts, "li")

"""LaTeX: what a paper would print."""

from rows_of_methods import CASES, FACTS

from unmetal.evaluation.tables.latex import best_method, escape, latex
from unmetal.evaluation.tables.means import COLUMNS, summarize

MEANS = summarize(CASES)


def printed() -> list[str]:
    return latex(CASES, FACTS, "adn_x").splitlines()


def test_every_line_has_as_many_cells_as_there_are_columns() -> None:
    (begin,) = (line for line in printed() if line.startswith(r"\begin"))
    columns = len(begin.split("{")[-1].rstrip("}"))
    lines = [line for line in printed() if line.endswith(r"\\")]
    assert len(lines) == 1 + 4
    assert {line.count("&") + 1 for line in lines} == {columns}


def test_the_best_method_is_bold_and_what_is_no_method_does_not_compete() -> None:
    psnr, rmse = (next(c for c in COLUMNS if c.name == name) for name in ("psnr", "rmse_hu"))
    assert best_method(MEANS, psnr, FACTS) == best_method(MEANS, rmse, FACTS) == "adn_x"
    (line,) = (line for line in printed() if line.startswith(r"adn\_x"))
    assert r"\textbf{35.55}" in line
    assert "1,000 & 60,000 & 0.25" in line
    assert best_method(MEANS, psnr, {"li"}) is None, "one alone has not won"


def test_who_has_fewer_cases_does_not_compete() -> None:
    fewer = [row for row in CASES if row["method"] != "adn_x" or row["slice"] == 5]
    assert best_method(summarize(fewer), COLUMNS[0], {"li", "adn_x", "input"}) == "li"


def test_nothing_in_a_name_means_something() -> None:
    assert escape("a_b&50%{}") == r"a\_b\&50\%\{\}"

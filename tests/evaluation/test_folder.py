"""The folder of an evaluation: all or nothing, and more can be added to it."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from rows_of_methods import CASES, FACTS

from unmetal.errors import InputError
from unmetal.evaluation import folder
from unmetal.evaluation.cases import Clean
from unmetal.evaluation.conditions import EvalConfig
from unmetal.evaluation.cost import Cost
from unmetal.evaluation.evaluated_methods import EvaluatedMethod, load_methods
from unmetal.evaluation.folder import FILES, Evaluation
from unmetal.evaluation.tables.rows import read_rows
from unmetal.methods import build

NOTHING = np.zeros((6, 16, 16), np.float32)
SLICES = Clean(NOTHING, np.eye(16, dtype=bool)[None].repeat(2, 0), tuple("001122"))


def begun(out, config=EvalConfig(), *, add=True, force=False) -> Evaluation:  # noqa: B008
    return Evaluation.begin(out, SLICES, config, add=add, force=force)


def filled(out) -> Evaluation:
    """With the rows of `CASES`, and pictures of nothing."""
    new = begun(out)
    new.add(CASES, FACTS)
    shown = {name: torch.zeros(16, 16) for name in ("input", *FACTS, "truth")}
    for case in new.pictures.wanted:
        new.pictures.keep(case, shown)
    new.order(["adn_x"])
    return new


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("written") / "out"
    filled(folder).write(folder, "adn_x")
    return folder


@pytest.fixture
def out(written, tmp_path):
    return shutil.copytree(written, tmp_path / "out")


def methods_of(one: Evaluation) -> list:
    return list(dict.fromkeys(row["method"] for row in one.rows))


def test_a_folder_holds_everything_and_says_how_it_came_about(out) -> None:
    assert {path.name for path in out.iterdir()} == set(FILES)
    held = json.loads((out / "evaluation.json").read_text())
    assert held["about"]["config"] == EvalConfig().merge_key
    assert held["methods"]["adn_x"]["samples"] == 60_000
    assert held["commit"]
    assert "6 slices x 2 masks of ti" in (out / "table.md").read_text()


def test_methods_stand_as_they_are_named_between_input_and_ceiling(out) -> None:
    again = begun(out)
    assert methods_of(again) == ["input", "adn_x", "li", "ceiling"]
    again.order(["li", "adn_x"])
    assert methods_of(again) == ["input", "li", "adn_x", "ceiling"]


def test_what_was_written_is_taken_up_whole(out) -> None:
    again, first = begun(out), filled(out)
    assert again.rows == first.rows == read_rows(out / "rows.csv")
    assert again.methods == first.methods
    assert again.pictures.hu.keys() == first.pictures.hu.keys()


def test_nothing_is_replaced_unasked_or_mixed(out, tmp_path) -> None:
    for reason, arguments in (
        ("--add or --force", {"add": False}),
        ("other cases or settings", {"config": EvalConfig(seed=1)}),
        ("other cases or settings", {"config": EvalConfig(downsample=2)}),
    ):
        with pytest.raises(InputError, match=reason):
            begun(out, **arguments)
    assert begun(out, add=False, force=True).rows == []
    assert begun(out, EvalConfig(slices=2)).rows, "fewer slices are of the same cases"
    (out / "evaluation.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read: give --force"):
        begun(out)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        begun(tmp_path / "file")


def test_a_method_with_other_weights_is_another(out) -> None:
    again = begun(out)
    assert again.has_rows_of("adn_x", FACTS["adn_x"])
    assert again.has_rows_of("li", FACTS["li"])
    assert not again.has_rows_of("adn_x", FACTS["adn_x"] | {"sha256": "new"})
    assert not again.has_rows_of("nmar", FACTS["li"])


def test_new_rows_take_the_place_of_the_old_ones(out) -> None:
    again = begun(out)
    new = [{"method": "adn_x", "slice": 0, "mask": 0, "group": "0", "psnr": 40.0}]
    again.add([*new, CASES[0] | {"psnr": 1.0}], {"adn_x": FACTS["adn_x"]})
    assert [row for row in again.rows if row["method"] == "adn_x"] == new
    inputs = [row["psnr"] for row in again.rows if row["method"] == "input"]
    assert len(inputs) == 12, "the input of slices that were not done again stays"
    assert inputs.count(1.0) == 1


def test_what_is_there_is_not_evaluated_again(out, monkeypatch) -> None:
    done: list = []
    monkeypatch.setattr(folder, "evaluate", lambda methods, *_, **__: done.extend(methods) or [])
    li = EvaluatedMethod("li", build("li"), FACTS["li"])
    again = begun(out)
    again.run({"li": li}, torch.device("cpu"), lambda *_: None)
    assert done == []
    again.run({"li": li, "nmar": li}, torch.device("cpu"), lambda *_: None)
    assert done == ["nmar"]
    assert again.methods["nmar"]["evaluated on"] == "CPU, 1 thread"


def test_costs_are_measured_once(out, monkeypatch) -> None:
    asked: list = []

    def cost(source, device, factor):
        asked.append((source, device, factor))
        return Cost(0.5, 300.0) if source == "li" else None

    monkeypatch.setattr(folder, "cost", cost)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    again = begun(out)
    one = {name: EvaluatedMethod(name, build("li"), {}) for name in FACTS}
    again.measure_costs(one)
    again.methods["adn_x"]["cost"] = {}
    again.measure_costs(one)
    again.measure_costs(one)
    assert asked == [("li", "cpu", 1), ("adn_x", "cpu", 1)]
    assert again.methods["li"]["cost"] == {"cpu": {"seconds": 0.5, "mib": 300.0}}
    assert again.methods["adn_x"]["cost"] == {"cpu": {}}
    again.write(out, "li")
    assert "300" in (out / "table.md").read_text()


def test_who_is_compared_with_must_be_there(out) -> None:
    begun(out).check_reference("adn_x", ["nmar"])
    begun(out).check_reference("nmar", ["nmar"])
    with pytest.raises(InputError, match="--against dip"):
        begun(out).check_reference("dip", ["nmar"])


def test_a_machine_without_matplotlib_leaves_the_figure_to_another(out, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "unmetal.evaluation.gallery", None)
    again = begun(out)
    again.write(out, "li")
    assert not (out / "figure.png").exists(), "the old one would not be of these rows"
    monkeypatch.undo()
    begun(out).write(out, "li")
    assert (out / "figure.png").exists()


@pytest.mark.parametrize("number", range(8))
def test_a_failure_while_files_are_replaced_leaves_the_old_folder_whole(
    out, number, monkeypatch
) -> None:
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    again = begun(out)
    again.add([CASES[0] | {"psnr": 1.0}], {})
    calls = iter(range(100))

    def broken(real):
        def call(*arguments, **options):
            if next(calls) == number:
                raise OSError("disk full")
            return real(*arguments, **options)

        return call

    for name in ("rename", "replace", "unlink"):
        monkeypatch.setattr(Path, name, broken(getattr(Path, name)))
    with pytest.raises(OSError, match="disk full"):
        again.write(out, "li")
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_two_of_one_name_are_refused(tmp_path) -> None:
    assert list(load_methods(["li", "nmar"])) == ["li", "nmar"]
    with pytest.raises(InputError, match="both be called li"):
        load_methods(["li", "li"])
    with pytest.raises(InputError, match="at least one"):
        load_methods([])

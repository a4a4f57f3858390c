"""The recipes of the table and of the ablation: the right commands, in the right order."""

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

from unmetal.training.presets import ABLATION, EXPERIMENTS

ROOT = Path(__file__).resolve().parents[2]

TRAINED = ["adn", "unet", "cganmar", "cyclegan", "munit", "drit", "cnnmar", "rl-arcnn"]
TRAINED += ["destreaknet"]


def weights(folder: Path, *runs: str) -> None:
    for run in runs:
        (folder / "runs" / "table1" / run / "weights").mkdir(parents=True)


@pytest.mark.parametrize(("base", "suffix"), [("full", ""), ("small", "-small")])
def test_every_method_of_the_table_is_trained_and_has_a_preset(called, base, suffix) -> None:
    calls = called("table1.sh", "SOURCE", base)
    assert calls[0].startswith("recipes/syn_cohort.py SOURCE")
    trained = [call.split()[3] for call in calls if " train " in call]
    assert trained == [f"{method}-syn{suffix}" for method in TRAINED]
    assert set(trained) <= set(EXPERIMENTS)
    assert [call.split()[-1] for call in calls if " train " in call] == [
        f"runs/table1/{base}/{name}" for name in trained
    ]


def test_what_has_weights_is_evaluated_on_both_sets_in_the_order_of_the_table(
    called, tmp_path
) -> None:
    weights(tmp_path, "small/unet-syn-small", "small/adn-syn-small", "small/cnnmar-syn-small")
    *calls, curves = called("table1.sh", "SOURCE", "small", "evaluate")[1:]
    runs = [f"runs/table1/small/{name}-syn-small" for name in ("cnnmar", "unet", "adn")]
    first, second, third, fourth = calls
    for dip in (first, third):
        assert "evaluate dip-small --slices 1 --data" in dip
    for every in (second, fourth):
        assert f"evaluate li nmar {' '.join(runs)} dip-small --against adn-syn-small" in every
    assert "--data SOURCE --out runs/table1/small/deeplesion --downsample 2 --add --costs" in second
    assert fourth.endswith("SOURCE/index.csv --out runs/table1/small/patients --downsample 2 --add")
    assert curves.split()[1:] == [*runs, "runs/table1/small/learning_curves.png"]


def test_one_slot_trains_one_method_for_so_long(called) -> None:
    _, call = called("table1.sh", "SOURCE", "full", "munit", MINUTES="20")
    assert call.endswith(
        "train munit-syn --data runs/data/syn --out runs/table1/full/munit-syn --minutes 20"
    )


def test_before_anything_is_trained_there_are_the_classical_methods(called) -> None:
    calls = called("table1.sh", "SOURCE", "full", "evaluate", DIP_SLICES="3")
    assert "evaluate dip --slices 3 --data SOURCE" in calls[1]
    assert "evaluate li nmar dip --against li --data SOURCE" in calls[2]
    assert "learning_curves" not in calls[-1]


@pytest.mark.parametrize("base", ["adn-syn", "adn-syn-small"])
def test_the_ablation_is_evaluated_at_the_resolution_that_is_asked_for(called, base) -> None:
    *rest, table, _ = called("adn-ablation.sh", "--downsample", "2", "SOURCE", base, "100")
    trained = [call.split()[3] for call in rest if " train " in call]
    assert trained == [f"{base}-{row}" for row in ABLATION]
    assert set(trained) <= set(EXPERIMENTS)
    assert "--downsample 2 --data SOURCE" in table
    assert "--downsample 1" in called("adn-ablation.sh", "SOURCE")[-2]


@pytest.mark.recipe
def test_learning_curves_are_drawn_of_the_runs_that_have_some(tmp_path, capsys) -> None:
    spec = spec_from_file_location("learning_curves", ROOT / "recipes" / "learning_curves.py")
    assert spec is not None
    assert spec.loader is not None
    recipe = module_from_spec(spec)
    spec.loader.exec_module(recipe)
    (tmp_path / "adn").mkdir()
    metrics = {"psnr": 30.0, "ssim": 0.9}
    lines = [{"samples": 0, "before": metrics}, {"samples": 5, "validation": metrics}]
    (tmp_path / "adn" / "log.jsonl").write_text("\n".join(map(json.dumps, lines)))
    out = tmp_path / "new" / "curves.png"
    recipe.main([tmp_path / "adn", tmp_path / "none"], out)
    assert out.stat().st_size > 10_000
    assert "none" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        recipe.main([tmp_path / "none"], out)

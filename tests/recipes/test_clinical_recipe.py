"""The recipe of the clinical experiment: the right commands, in the right order."""

import pytest

from unmetal.engine.experiments import EXPERIMENTS

TRAINED = ["adn-clinical", "cyclegan-clinical", "adn-cbct", "cyclegan-cbct"]


@pytest.mark.parametrize(("base", "suffix"), [("full", ""), ("small", "-small")])
def test_what_learns_on_other_scanners_has_a_preset(called, base, suffix) -> None:
    calls = called("clinical.sh", "SOURCE", base)
    trained = [call.split()[3] for call in calls if " train " in call]
    assert trained == [f"{name}{suffix}" for name in TRAINED]
    assert set(trained) <= set(EXPERIMENTS)


def test_each_scanner_tests_what_learned_on_syn_and_what_learned_there(called, tmp_path) -> None:
    for run in ("table1/small/unet-syn", "clinical/small/adn-cbct", "clinical/small/adn-clinical"):
        (tmp_path / "runs" / f"{run}-small" / "weights").mkdir(parents=True)
    _, syn, clinical, cbct, *drops, pairs = called("clinical.sh", "SOURCE", "small", "evaluate")
    unet, here = "runs/table1/small/unet-syn-small", "runs/clinical/small"
    assert f"evaluate li nmar {unet} --against li --protocol adn --data" in syn
    assert f"evaluate li nmar {unet} {here}/adn-clinical-small --against li" in clinical
    assert f"evaluate li nmar {unet} {here}/adn-cbct-small --against li" in cbct
    assert f"{unet} {here}/adn-clinical-small --against li --clinical --data" in pairs
    rows = " ".join(f"{name}={here}/{name}/rows.csv" for name in ("adn", "clinical", "cbct"))
    assert [drop.split(" ", 1)[1] for drop in drops] == [
        f"{rows} --over input --out {here}/drop.md",
        f"{rows} --over li --out {here}/drop_over_li.md",
    ]

"""The recipe of the clinical experiment: the right commands, in the right order."""

import pytest

from unmetal.training.presets import EXPERIMENTS

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
    _, syn, clinical, cbct, *rest = called("clinical.sh", "SOURCE", "small", "evaluate")
    unet, here = "runs/table1/small/unet-syn-small", "runs/clinical/small"
    assert f"evaluate li nmar {unet} --against li --protocol adn --data" in syn
    assert f"evaluate li nmar {unet} {here}/adn-clinical-small --against li" in clinical
    assert f"evaluate li nmar {unet} {here}/adn-cbct-small --against li" in cbct
    *drops, left, pairs, real = rest
    rows = " ".join(f"{name}={here}/{name}/rows.csv" for name in ("adn", "clinical", "cbct"))
    assert [drop.split(" ", 1)[1] for drop in drops] == [
        *(
            f"{rows} --over {over} --out {here}/drop_over_{over}.md"
            for over in ("input", "li", "cyclegan-syn-small", "adn-syn-small")
        ),
        *(f"{rows} --metric {m} --out {here}/drop_{m}.md" for m in ("ssim", "rmse_hu")),
    ]
    assert left.split("--draws 1 ")[1].split() == [
        unet,
        f"{here}/adn-clinical-small",
        f"{here}/adn-cbct-small",
    ]
    assert f"{unet} {here}/adn-clinical-small --against li --clinical --data" in pairs
    assert real.endswith(f"--real --data SOURCE/index.csv --out {here}/real --add")


def test_the_figures_set_each_pair_beside_what_was_released_of_it(called) -> None:
    *_, real, transfer = called("clinical.sh", "SOURCE", "small", "figures")
    for figure, released, slices in ((real, "reduced", 3), (transfer, "transferred", 6)):
        given, beside = figure.split("--slices ")[1].split(" --spacing")[0].split(" --beside ")
        assert len(given.split()) == slices
        affected = [one.split("__")[2][:-4] for one in given.split() if "with_art" in one]
        for name, one in zip(affected, beside.split(), strict=True):
            assert f"__official_{released}__{name}_patient" in one

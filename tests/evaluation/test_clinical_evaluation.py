"""Evaluation beyond the paper's: drawn machines, clinical measures, real metal."""

import numpy as np
import pytest
from torch import Tensor

from unmetal.errors import InputError
from unmetal.evaluation.cases import Clean, Pairs, Real
from unmetal.evaluation.conditions import EvalConfig, caption, fingerprint
from unmetal.evaluation.evaluate import evaluate
from unmetal.evaluation.pictures import Pictures
from unmetal.evaluation.tables.markdown import page
from unmetal.evaluation.tables.means import AAPM, BY_DISTANCE, LESION
from unmetal.evaluation.tables.rows import Case
from unmetal.methods import build
from unmetal.methods.method import Method
from unmetal.scan import Scan

MASKS = np.zeros((1, 512, 512), dtype=bool)


def body(size: int) -> np.ndarray:
    """A body of muscle with a spine, HU `[H W]`."""
    rows, columns = np.mgrid[:size, :size] / size
    hu = np.full((size, size), -1000, np.float32)
    hu[((rows - 0.5) / 0.3) ** 2 + ((columns - 0.5) / 0.4) ** 2 < 1] = 40
    hu[(rows - 0.65) ** 2 + (columns - 0.5) ** 2 < 0.05**2] = 700
    return hu


PATIENTS = Clean(
    np.stack([body(512)] * 2), MASKS, ("a", "b"), "patient", spacing=np.array([0.7, 0.8])
)


class Given(Method):
    """Gives back what it is given."""

    def reduce(self, scan: Scan) -> Tensor:
        return scan.image


def without_seconds(rows: list) -> list:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


@pytest.mark.recipe
@pytest.mark.parametrize("machine", ["clinical", "cbct"])
def test_a_machine_is_drawn_for_each_case_and_the_seed_decides(machine) -> None:
    config = EvalConfig(protocol=machine, draws=2, downsample=2)
    pictures = Pictures((Case("0", 1),))
    methods = {"given": Given(), "li": build("li")}
    rows = list(evaluate(methods, PATIENTS, config, pictures=pictures))
    assert len(rows) == 4 * 2 * 2
    assert {(row["group"], row["slice"], row["mask"]) for row in rows} == {
        ("a", 0, 0), ("a", 0, 1), ("b", 1, 0), ("b", 1, 1)
    }  # fmt: skip
    assert {"kvp", "photons", "material", "implant", "rmse_body"} <= set(rows[0])
    assert len({row["photons"] for row in rows}) == 4
    by = {(row["method"], row["slice"], row["mask"]): row for row in rows}
    for slice_, mask in ((0, 0), (0, 1), (1, 0), (1, 1)):
        given, affected = by["given", slice_, mask], by["input", slice_, mask]
        assert given["psnr"] == pytest.approx(affected["psnr"], abs=1e-4)
        assert by["ceiling", slice_, mask]["psnr"] > affected["psnr"]
    assert pictures.hu["truth"][Case("0", 1)].shape == (128, 128)
    # The same again, and no draw depends on how many there are.
    one = list(evaluate(methods, PATIENTS, EvalConfig(protocol=machine, downsample=2)))
    assert without_seconds(one) == without_seconds([row for row in rows if row["mask"] == 0])
    text = page(caption(PATIENTS, config, rows), rows, {}, "li")
    assert f"drawn `{machine}` machine" in text
    assert "at kvp" in text
    assert "2 patients' means, with 95 % t intervals; of two they are wide" in text


@pytest.mark.recipe
def test_the_clinical_measures_are_those_of_the_result_with_the_metal_put_back() -> None:
    config = EvalConfig(protocol="clinical", clinical=True, slices=1)
    rows = {row["method"]: row for row in evaluate({"given": Given()}, PATIENTS, config)}
    names = {column.name for column in (*AAPM, *LESION, *BY_DISTANCE)}
    assert {"aapm_ct_number", "aapm_streak", "aapm_proton", "score_ct_number"} <= set(rows["given"])
    assert names & set(rows["given"]) == names & set(rows["input"])
    for name in names & set(rows["given"]):
        assert rows["given"][name] == pytest.approx(rows["input"][name], rel=1e-3, abs=1e-3)
    assert rows["ceiling"]["aapm_streak"] < rows["input"]["aapm_streak"]
    assert rows["ceiling"]["lesion_contrast"] == pytest.approx(1, abs=0.4)
    text = page(caption(PATIENTS, config, list(rows.values())), list(rows.values()), {}, "input")
    assert "proton range" in text
    assert "contrast kept" in text


def pairs(size: int = 128) -> Pairs:
    clean = body(size)
    metal = np.zeros((size, size), dtype=bool)
    metal[60:66, 40:46] = True
    affected = np.where(metal, np.float32(8000), clean)
    affected[63, 46:110] += 400
    return Pairs(
        affected[None], clean[None], metal[None], clean[None] > -500, np.array([3.0]), ("one",)
    )


@pytest.mark.recipe
def test_pairs_have_clinical_measures_where_they_are_wanted() -> None:
    found = {row["method"]: row for row in evaluate({"li": build("li")}, pairs())}
    assert not [name for name in found["li"] if name.startswith("aapm")]
    config = EvalConfig(clinical=True)
    found = {row["method"]: row for row in evaluate({"li": build("li")}, pairs(), config)}
    # The streak beside the metal is denser than any tissue there.
    assert 0 < found["input"]["aapm_metal"] < 0.1
    assert found["input"]["aapm_ct_number"] > 10
    assert found["input"]["rmse_0_5"] > found["li"]["rmse_0_5"]
    assert "lesion_contrast" not in found["li"], "a pair cannot be scanned again"


REAL = Real(
    np.concatenate([pairs().affected, pairs().clean]),
    np.array([3.0, 3.0]),
    ("metal", "none"),
    ("a", "b"),
)


@pytest.mark.recipe
def test_real_metal_is_measured_without_a_truth_and_slices_without_metal_are_left_out() -> None:
    pictures = Pictures((Case("metal"), Case("none")))
    rows = list(evaluate({"li": build("li")}, REAL, pictures=pictures))
    assert [(row["method"], row["slice"]) for row in rows] == [("input", "metal"), ("li", "metal")]
    affected, li = rows
    assert affected["far_change"] == affected["metal_change"] == 0
    assert li["flat_streak"] < affected["flat_streak"]
    assert li["metal_mm2"] == affected["metal_mm2"] == 36 * 9
    assert "psnr" not in li
    assert set(pictures.hu) == {"input", "li"}
    assert "There is no truth" in caption(REAL, EvalConfig(), rows)
    with pytest.raises(InputError, match="no slice has metal"):
        list(evaluate({}, Real(REAL.affected[1:], REAL.spacing[1:], ("none",), ("b",))))


@pytest.mark.parametrize(
    ("cases", "config", "why"),
    [
        (REAL, EvalConfig(clinical=True), "no truth|needs a truth"),
        (REAL, EvalConfig(protocol="cbct"), "--protocol"),
        (PATIENTS, EvalConfig(clinical=True), "true size"),
        (Clean(PATIENTS.hu, MASKS, ("a", "b")), EvalConfig(protocol="cbct"), "spacing_mm"),
    ],
)
def test_settings_that_do_not_fit_are_refused(cases, config, why) -> None:
    with pytest.raises(InputError, match=why):
        list(evaluate({}, cases, config))


@pytest.mark.parametrize("option", ["downsample", "slices", "draws"])
def test_numbers_below_one_are_refused(option) -> None:
    with pytest.raises(InputError, match=f"--{option} 0: give at least 1"):
        EvalConfig(**{option: 0})


def test_rows_of_other_options_or_cases_are_told_apart_but_not_fewer_slices() -> None:
    assert EvalConfig().merge_key == EvalConfig(slices=3).merge_key
    for other in ({"seed": 1}, {"downsample": 2}, {"draws": 2}, {"clinical": True}):
        assert EvalConfig().merge_key != EvalConfig(**other).merge_key
    known = PATIENTS
    unknown = Clean(known.hu, known.masks, known.groups, known.grouped_by)
    assert fingerprint(known) != fingerprint(unknown)

"""The drop from one data set to another, on rows whose drops are known."""

import numpy as np
import pytest
from clinical_drop import drop_table, gains, method_drops

from unmetal.evaluation.tables.means import Column

PSNR = Column("psnr", "PSNR", "dB")


def rows(base: float, gained: dict[str, float], masks: int, seed: int, slices=range(8)) -> list:
    """Two slices of each of four patients; cases differ a lot, gains by 0.1 dB."""
    generator = np.random.default_rng(seed)
    found = []
    for slice_ in slices:
        for mask in range(masks):
            hard = base + 5 * generator.normal()
            case = {"slice": slice_, "mask": mask, "group": str(slice_ // 2)}
            found.append({"method": "input", **case, "psnr": hard})
            for name, gain in gained.items():
                noise = 0.1 * generator.normal()
                found.append({"method": name, **case, "psnr": hard + gain + noise})
    return found


DATA = {
    "SYN": rows(28, {"unet": 6.0, "adn": 5.0}, masks=10, seed=0),
    "clinical": rows(22, {"unet": 1.0, "adn": 4.5, "adn-cl1": 5.5}, masks=2, seed=1),
}


def test_a_drop_is_the_difference_of_the_gains_however_hard_the_data_are() -> None:
    found = {one.method: one for one in method_drops(DATA)}
    assert list(found) == ["unet", "adn", "adn-cl1"]
    assert found["unet"].gains["SYN"].mean == pytest.approx(6, abs=0.1)
    drop = found["unet"].drops["clinical"]
    assert drop.mean == pytest.approx(5, abs=0.1)
    assert drop.high - drop.low < 0.3
    assert drop.p == 2 / 2**4, "four patients cannot be surer"
    assert found["adn"].drops["clinical"].mean == pytest.approx(0.5, abs=0.1)
    assert found["adn-cl1"].drops == {}, "it was not evaluated on SYN"
    assert found["adn-cl1"].gains["clinical"].mean == pytest.approx(5.5, abs=0.1)


def test_over_another_method_the_hardness_of_the_data_and_its_own_gain_fall_out() -> None:
    found = {one.method: one for one in method_drops(DATA, over="adn")}
    assert found["unet"].gains["SYN"].mean == pytest.approx(1, abs=0.1)
    assert found["unet"].drops["clinical"].mean == pytest.approx(4.5, abs=0.1)
    assert "adn" not in found


def test_only_slices_of_both_count_for_a_drop() -> None:
    few = DATA | {"clinical": rows(22, {"unet": 1.0}, 1, 2, slices=(0, 3))}
    part = dict(few)
    part["SYN"] = [row for row in DATA["SYN"] if row["slice"] in {0, 3}]
    whole, some = (method_drops(one)[0].drops["clinical"] for one in (few, part))
    assert whole == some


def test_less_is_more_where_it_is_and_what_is_infinite_does_not_count() -> None:
    error = Column("rmse_hu", "RMSE", "HU", best=-1)
    case = {"slice": 0, "mask": 0, "group": "a"}
    some = [
        {"method": "input", **case, "rmse_hu": 100.0},
        {"method": "li", **case, "rmse_hu": 60.0},
        {"method": "given", **case, "rmse_hu": float("inf")},
    ]
    found = gains(some, error)
    assert found == {"li": {"0": (40.0, "a")}}


def test_a_table_has_a_line_for_each_method_and_a_dash_for_what_is_not_known() -> None:
    text = drop_table(method_drops(DATA), ["SYN", "clinical"])
    lines = text.splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[1:-1]] == [
        "method",
        "gain, SYN (dB)",
        "gain, clinical (dB)",
        "drop to clinical (dB)",
    ]
    assert len(lines) == 5
    assert lines[4].split("|")[2].strip() == "–"
    assert lines[2].split("|")[4].strip().startswith("+5.0")

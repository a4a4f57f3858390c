"""How a training went: what a resumed run did again counts once."""

import json

import pytest

from unmetal.errors import InputError
from unmetal.training.curves import history


def log(folder, *lines: dict) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def at(samples: int, psnr: float) -> dict:
    return {"samples": samples, "validation": {"psnr": psnr}}


def test_validations_and_the_input_are_found_among_losses(tmp_path) -> None:
    losses = {"samples": 50, "losses": {"generator/l1": 1.0}}
    log(tmp_path, {"samples": 0, "before": {"psnr": 25.0}}, losses, at(100, 30.0), at(200, 31.0))
    found = history(tmp_path)
    assert found.samples == [100, 200]
    assert found.metrics == {"psnr": [30.0, 31.0]}
    assert found.before == {"psnr": 25.0}


def test_a_run_that_went_on_from_an_earlier_state_overwrites_what_came_after(tmp_path) -> None:
    begin = [{"samples": 0, "before": {"psnr": 25.0}}, at(100, 30.0), at(200, 31.0), at(300, 1.0)]
    log(tmp_path, *begin, {"samples": 200, "before": {"psnr": 25.0}}, at(250, 32.0))
    assert history(tmp_path).samples == [100, 200, 250]


def test_no_log_and_no_validation_are_said(tmp_path) -> None:
    with pytest.raises(InputError, match="not the log"):
        history(tmp_path)
    log(tmp_path, {"samples": 0, "before": {"psnr": 25.0}})
    with pytest.raises(InputError, match="no validation"):
        history(tmp_path)

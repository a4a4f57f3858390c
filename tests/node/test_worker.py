"""The worker: one series at a time, and what becomes of those that cannot be reduced."""

import os

import pytest
from conftest import memory
from hospital import ct_series, encoded

from unmetal.errors import InputError
from unmetal.node.config import ReduceConfig
from unmetal.node.health import Metrics
from unmetal.node.intake import parse_instance
from unmetal.node.queue.arrivals import Arrivals
from unmetal.node.queue.spool import Spool
from unmetal.node.reducer import Outcome, ProcessDiedError, ReducerProcess
from unmetal.node.worker import DISK_FULL_PAUSE_S, MAX_ATTEMPTS, Worker


@pytest.fixture
def spool(tmp_path):
    """With one series that waits."""
    made = Spool(tmp_path / "spool")
    arrivals = Arrivals(made, 0)
    arrivals.store(parse_instance(encoded(ct_series(side=8)[0])))
    arrivals.complete()
    yield made
    made.close()


class Scripted:
    """Gives one answer after the other."""

    def __init__(self, *answers: object, start: Exception | None = None) -> None:
        self.answers, self.fails = list(answers), start

    def start(self) -> None:
        if self.fails is not None:
            raise self.fails

    def stop(self) -> None: ...

    def __call__(self, images, target) -> Outcome:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer.changed:
            target.mkdir(parents=True)
            (target / next(images.iterdir()).name).write_bytes(b"x")
        return answer


def worker(spool: Spool, *answers: object, start: Exception | None = None) -> Worker:
    return Worker(spool, Scripted(*answers, start=start), ("A@h:1",), memory(), Metrics())


def where(spool: Spool) -> list[str]:
    return [state for state, count in spool.counts().items() if count]


def test_a_reduction_that_dies_is_tried_again_but_not_for_ever(spool) -> None:
    some = worker(spool, *[ProcessDiedError("segmentation fault")] * MAX_ATTEMPTS)
    for _ in range(MAX_ATTEMPTS):
        some.step()
        assert where(spool) == ["waiting"]
    some.step()
    assert where(spool) == ["dead"]
    assert "died 3 times" in (spool.jobs("dead")[0].folder / "reason.txt").read_text()


def test_a_reduction_that_ends_with_the_node_is_no_attempt(spool) -> None:
    some = worker(spool, ProcessDiedError("killed"))
    real = some.reducer.start

    def start() -> None:
        real()
        some.stopping = True  # from another thread, while it reduces

    some.reducer.start = start
    some.step()
    (job,) = spool.jobs("waiting")
    assert job.state.attempts == 0


def test_a_full_disk_is_waited_for(spool) -> None:
    some = worker(spool, Outcome(error="no space", disk_full=True), Outcome(slices=1, changed=1))
    assert some.step() == DISK_FULL_PAUSE_S
    assert spool.jobs("waiting")[0].state.attempts == 0
    some.step()
    assert where(spool) == ["sending"]


def test_what_is_not_reducible_is_a_dead_letter_with_its_reason(spool) -> None:
    worker(spool, Outcome(error="several series: give one")).step()
    assert (spool.jobs("dead")[0].folder / "reason.txt").read_text() == "several series: give one\n"


def test_where_nothing_had_to_be_done_nothing_is_sent(spool) -> None:
    worker(spool, Outcome(slices=1, skipped="nothing had to be done")).step()
    assert where(spool) == []
    (note,) = (spool.folder / "done").glob("*/*.json")
    assert '"outcome": "nothing had to be done"' in note.read_text()


@pytest.mark.parametrize("error", [InputError("no GPU"), ProcessDiedError("not started")])
def test_when_nothing_can_be_reduced_no_series_pays_for_it(spool, error) -> None:
    some = worker(spool, start=error)
    for _ in range(5):
        with pytest.raises(type(error)):
            some.step()
    assert spool.jobs("waiting")[0].state.attempts == 0


def test_a_step_that_broke_in_the_middle_leaves_a_series_that_is_taken_up_again(spool) -> None:
    some = worker(spool, RuntimeError("nobody foresaw this"), Outcome(slices=1, changed=1))
    with pytest.raises(RuntimeError):
        some.step()
    assert where(spool) == ["reducing"]
    some.step()
    assert where(spool) == ["sending"]


@pytest.mark.recipe
def test_a_method_that_does_not_exist_is_said_when_the_process_starts() -> None:
    with pytest.raises(InputError, match="no method 'nonsense'"):
        ReducerProcess(ReduceConfig(method="nonsense")).start()


@pytest.mark.recipe
def test_a_reduction_that_hangs_is_ended(tmp_path) -> None:
    reducer = ReducerProcess(ReduceConfig(method="li", time_limit=0.5 / 60))
    reducer.start()
    (tmp_path / "images").mkdir()
    os.mkfifo(tmp_path / "images" / "0.dcm")  # opening it waits for ever
    with pytest.raises(ProcessDiedError, match=r"not done after 0\.5 s"):
        reducer(tmp_path / "images", tmp_path / "out")

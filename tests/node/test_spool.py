"""The spool: each series is in one stage, and each step is done or undone."""

import time
from dataclasses import replace

import pytest
from hospital import ct_series, encoded

from unmetal.errors import InputError
from unmetal.node.intake import parse_instance
from unmetal.node.queue.arrivals import Arrivals
from unmetal.node.queue.spool import Spool


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def spool(tmp_path):
    made = Spool(tmp_path / "spool")
    yield made
    made.close()


@pytest.fixture
def arrivals(spool, clock) -> Arrivals:
    return Arrivals(spool, 10.0, clock)


def instances(slices: int = 3, **series):
    return [parse_instance(encoded(image)) for image in ct_series(slices=slices, side=16, **series)]


def test_a_series_is_complete_when_nothing_came_for_the_quiet_time(arrivals, clock) -> None:
    for instance in instances():
        assert arrivals.store(instance)
        clock.now += 9
        assert not arrivals.complete()
    clock.now += 2
    (job,) = arrivals.complete()
    assert len(job.image_names()) == 3
    assert job.state.warnings == ()


def test_or_when_as_many_are_there_as_the_sender_said(arrivals) -> None:
    some = [replace(instance, expected=3) for instance in instances()]
    for instance in some[:2]:
        arrivals.store(instance)
    assert not arrivals.complete()
    arrivals.store(some[2])
    assert len(arrivals.complete()) == 1


def test_fewer_than_the_sender_said_are_a_named_warning(arrivals, clock) -> None:
    arrivals.store(replace(instances()[0], expected=3))
    clock.now += 11
    (job,) = arrivals.complete()
    assert job.state.warnings == ("incomplete: 1 of 3 images came",)


def test_a_broken_connection_is_a_named_warning_unless_more_came_later(arrivals, clock) -> None:
    one, two, three = instances()
    arrivals.store(one)
    arrivals.mark_broken_off({one.series})
    arrivals.store(two)
    clock.now += 11
    assert arrivals.complete()[0].state.warnings == ()
    arrivals.store(three)
    arrivals.mark_broken_off({one.series})
    clock.now += 11
    assert arrivals.complete()[0].state.warnings[0].startswith("broken off: ")


def test_a_copy_is_known_in_every_state_but_dead(arrivals, spool, clock) -> None:
    image = instances()[0]

    def arrives_as_new() -> bool:
        return arrivals.store(image)

    assert arrives_as_new()
    assert not arrives_as_new()
    clock.now += 11
    (job,) = arrivals.complete()
    assert not arrives_as_new()
    job = spool.start_reducing(job)
    assert not arrives_as_new()
    (job.derived / "series").mkdir(parents=True)
    (job.derived / "series" / image.name).write_bytes(b"")
    job = spool.start_sending(job, ("A@h:1",))
    assert not arrives_as_new()
    job.confirm("A@h:1", job.unsent("A@h:1")[0])
    assert spool.finish_if_delivered(job)
    assert not arrives_as_new()
    assert spool.counts() == dict.fromkeys(spool.counts(), 0)


def test_sending_a_dead_series_again_revives_it(arrivals, spool, clock) -> None:
    image = instances()[0]
    arrivals.store(image)
    clock.now += 11
    spool.dead_letter(spool.start_reducing(arrivals.complete()[0]), "it was ill")
    assert spool.counts()["dead"] == 1
    assert arrivals.store(image)
    assert image.name in spool.known_images(image.series)


def test_a_dead_letter_moved_back_by_hand_is_a_job_again(arrivals, spool, clock) -> None:
    arrivals.store(instances()[0])
    clock.now += 11
    job = arrivals.complete()[0]
    for _ in range(3):
        job = spool.start_reducing(job)
        spool.requeue(job, count_attempt=True)
        (job,) = spool.jobs("waiting")
    spool.dead_letter(job, "died 3 times")
    (dead,) = spool.jobs("dead")
    assert (dead.folder / "reason.txt").read_text() == "died 3 times\n"
    dead.folder.rename(spool.folder / "waiting" / dead.name)
    assert spool.jobs("waiting")[0].state.attempts == 0


def test_one_destination_given_up_does_not_keep_the_others_from_theirs(
    arrivals, spool, clock
) -> None:
    image = instances()[0]
    arrivals.store(image)
    clock.now += 11
    job = spool.start_reducing(arrivals.complete()[0])
    (job.derived / "series").mkdir(parents=True)
    (job.derived / "series" / image.name).write_bytes(b"")
    job = spool.start_sending(job, ("A@h:1", "http://web/dicom-web"))
    spool.give_up(job, "A@h:1")
    assert spool.counts()["dead"] == 0
    (left,) = job.unsent("http://web/dicom-web")
    job.confirm("http://web/dicom-web", left)
    spool.finish_if_delivered(job)
    (dead,) = spool.jobs("dead")
    assert dead.pending_destinations() == ["A@h:1"]
    assert "A@h:1" in (dead.folder / "reason.txt").read_text()


def test_two_nodes_cannot_share_a_spool(spool) -> None:
    with pytest.raises(InputError, match="another node"):
        Spool(spool.folder)


def test_a_note_whose_writing_was_interrupted_is_no_note(spool) -> None:
    (spool.history.folder / "series").mkdir()
    (spool.history.folder / "series" / ".unmetal-job.json").write_text('{"images": ["0.d')
    assert spool.history.images("series") == set()


def test_the_history_forgets_after_a_month(arrivals, spool, clock, monkeypatch) -> None:
    image = instances()[0]
    arrivals.store(image)
    clock.now += 11
    spool.finish(arrivals.complete()[0], "no metal")
    spool.history.prune()
    assert spool.history.images(image.series) == {image.name}
    now = time.time()
    monkeypatch.setattr("unmetal.node.queue.spool.time.time", lambda: now + 31 * 24 * 3600)
    spool.history.prune()
    assert spool.history.images(image.series) == set()
    assert not list(spool.history.folder.iterdir())

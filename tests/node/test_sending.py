"""Derived series reach their destinations, also those that fail for a while, and once only."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import memory
from hospital import Archive, ct_series, derived, encoded, free_port, send, until

from unmetal.node.health import Metrics
from unmetal.node.intake import parse_instance
from unmetal.node.queue.arrivals import Arrivals
from unmetal.node.queue.spool import Spool
from unmetal.node.sender import MAX_BACKOFF_S, Sender
from unmetal.sending.c_store import CStore
from unmetal.sending.destination import DeclinedError, Entity, UnreachableError


def all_there(archive: Archive, images: list) -> bool:
    return {derived(image.SOPInstanceUID) for image in images} == archive.images.keys()


def test_a_destination_that_is_down_for_a_while_gets_everything_once(make_node, archive) -> None:
    archive.stop()
    node, images = make_node(), ct_series()
    send(images, node.receiver.port)
    until(lambda: node.log.stream.getvalue().count('"not sent"') >= 2)
    assert node.health().worrying == [f"{archive.address}: not reached"]
    assert node.health().status == "degraded"
    archive.start()
    until(lambda: all_there(archive, images))
    until(lambda: node.health().status == "ok")
    assert set(archive.times.values()) == {1}


def test_one_destination_that_is_down_does_not_hold_up_another(make_node, archive) -> None:
    away = f"AWAY@127.0.0.1:{free_port()}"
    node, images = make_node(to=(away, archive.address)), ct_series()
    send(images, node.receiver.port)
    until(lambda: all_there(archive, images))
    (job,) = until(
        lambda: [job for job in node.spool.jobs("sending") if not job.unsent(archive.address)]
    )
    assert job.pending_destinations() == [away]


def test_a_destination_that_declines_is_asked_again_and_then_given_up(make_node, archive) -> None:
    archive.status = 0xA700
    node, images = make_node(give_up=1.5 / 3600), ct_series()
    send(images, node.receiver.port)
    (dead,) = until(lambda: node.spool.jobs("dead"))
    assert (dead.folder / "reason.txt").read_text().startswith("could not be sent to ARCHIVE@")
    assert len(dead.unsent(archive.address)) == len(images)
    until(lambda: '"why": "0xA700"' in node.log.stream.getvalue())
    assert node.health().worrying == ["1 dead letters"]
    # A person repairs the archive and moves the letter back: no more than that.
    archive.status = 0
    dead.folder.rename(node.spool.folder / "sending" / dead.name)
    until(lambda: all_there(archive, images))
    until(lambda: not sum(node.spool.counts().values()))


def test_a_destination_nobody_names_any_more_gets_nothing_and_nothing_is_lost(
    make_node, archive, tmp_path
) -> None:
    archive.stop()
    node, images = make_node(), ct_series()
    send(images, node.receiver.port)
    until(lambda: node.spool.counts()["sending"])
    node.stop()
    archive.start()
    other = make_node(to=(f"OTHER@127.0.0.1:{free_port()}",))
    assert len(other.spool.jobs("dead")[0].unsent(archive.address)) == len(images)
    assert not archive.times


class Waiting:
    """A clock for pauses."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Refusing:
    """A destination that does nothing but fail."""

    def __init__(self, error: Exception) -> None:
        self.error, self.calls = error, 0
        self.checks: list[bool] = []

    def send(self, images: list[Path], *, check_existing: bool):
        self.calls += 1
        self.checks.append(check_existing)
        raise self.error
        yield


@pytest.fixture
def spool(tmp_path):
    made = Spool(tmp_path / "spool")
    yield made
    made.close()


def reduced(spool: Spool) -> None:
    """Put a job into it that is to be sent."""
    arrivals = Arrivals(spool, 0)
    image = parse_instance(encoded(ct_series(side=8)[0]))
    arrivals.store(image)
    job = spool.start_reducing(arrivals.complete()[0])
    (job.derived / "series").mkdir(parents=True)
    (job.derived / "series" / image.name).write_bytes(b"x")
    spool.start_sending(job, ("A@h:1",))


@pytest.mark.parametrize("error", [UnreachableError("no"), DeclinedError("0xA700")])
def test_pauses_double_up_to_a_quarter_of_an_hour(spool, error) -> None:
    reduced(spool)
    clock, place = Waiting(), Refusing(error)
    sender = Sender(spool, "A@h:1", place, memory(), Metrics(), retry=10, give_up=72, clock=clock)
    times = []
    while len(times) < 10:
        before = place.calls
        sender.step()
        if place.calls > before:
            times.append(clock.now)
        clock.now += 5
    pauses = [after - one for one, after in pairwise(times)]
    assert pauses == [10, 20, 40, 80, 160, 320, 640, MAX_BACKOFF_S, MAX_BACKOFF_S]


def test_only_what_may_have_arrived_unheard_is_asked_for(spool) -> None:
    place = Refusing(UnreachableError("no"))
    arguments = (spool, "A@h:1", place, memory(), Metrics())
    sender = Sender(*arguments, retry=0, give_up=72)
    reduced(spool)
    sender.step()
    sender.step()
    Sender(*arguments, retry=0, give_up=72).step()
    assert place.checks == [False, True, True], "new; after a failure; of an earlier process"


def test_an_unreadable_answer_of_an_archive_that_cannot_be_asked_costs_one_copy_at_most(
    tmp_path,
) -> None:
    archive = Archive(answers_queries=False)
    paths = []
    for number, image in enumerate(ct_series(slices=3, side=8)):
        paths.append(tmp_path / f"{number}.dcm")
        paths[-1].write_bytes(encoded(image))
    transport = CStore("UNMETAL", Entity("ARCHIVE", "127.0.0.1", archive.port))
    assert list(transport.send(paths, check_existing=True)) == paths
    assert list(transport.send(paths[2:], check_existing=True)) == paths[2:]
    assert sorted(archive.times.values()) == [1, 1, 2]
    archive.stop()


def test_an_archive_that_can_be_asked_is_not_sent_what_it_has(archive, tmp_path) -> None:
    path = tmp_path / "0.dcm"
    path.write_bytes(encoded(ct_series(side=8)[0]))
    transport = CStore("UNMETAL", Entity("ARCHIVE", "127.0.0.1", archive.port))
    for _ in range(3):
        assert list(transport.send([path], check_existing=True)) == [path]
    assert list(archive.times.values()) == [1]


def test_an_archive_that_speaks_only_implicit_vr_gets_the_same_pixels(tmp_path) -> None:
    archive = Archive(implicit=True)
    image = ct_series(side=8)[0]
    path = tmp_path / "0.dcm"
    path.write_bytes(encoded(image))
    transport = CStore("UNMETAL", Entity("ARCHIVE", "127.0.0.1", archive.port))
    assert list(transport.send([path], check_existing=False)) == [path]
    (got,) = archive.images.values()
    assert got.file_meta.TransferSyntaxUID.is_implicit_VR
    assert got.PixelData == image.PixelData
    archive.stop()


def test_what_an_archive_does_not_take_does_not_keep_it_from_the_rest(archive, tmp_path) -> None:
    one, two = ct_series(slices=2, side=8)
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.4"
    paths = [tmp_path / "0.dcm", tmp_path / "1.dcm"]
    for path, image in zip(paths, (one, two), strict=True):
        path.write_bytes(encoded(image))
    transport = CStore("UNMETAL", Entity("ARCHIVE", "127.0.0.1", archive.port))
    sent = []
    with pytest.raises(DeclinedError, match="0x0122"):
        sent += iter(transport.send(paths, check_existing=False))
    assert set(archive.images) == {two.SOPInstanceUID}


def test_nobody_there_is_unreachable_and_so_is_a_wrong_title(archive, tmp_path) -> None:
    path = tmp_path / "0.dcm"
    path.write_bytes(encoded(ct_series(side=8)[0]))
    for host, port in (("127.0.0.1", free_port()), ("no-such-host.invalid", 104)):
        with pytest.raises(UnreachableError, match="no connection"):
            list(CStore("UNMETAL", Entity("X", host, port)).send([path], check_existing=False))


def test_the_log_of_a_delivery_is_json_and_says_whom_and_how_many(make_node, archive) -> None:
    node, images = make_node(), ct_series(slices=2)
    send(images, node.receiver.port)
    until(lambda: all_there(archive, images))
    until(lambda: '"done"' in node.log.stream.getvalue())
    lines = [json.loads(line) for line in node.log.stream.getvalue().splitlines()]
    (sent,) = [line for line in lines if line["event"] == "sent"]
    assert (sent["to"], sent["images"]) == (archive.address, 2)


def test_a_series_that_cannot_be_read_does_not_hold_up_the_next(make_node, archive) -> None:
    archive.stop()
    node, one, two = make_node(), ct_series("one", 1), ct_series("two", 1)
    send(one, node.receiver.port)
    (job,) = until(lambda: node.spool.jobs("sending"))
    (path,) = job.derived.rglob("*.dcm")
    path.write_bytes(b"nothing")
    send(two, node.receiver.port)
    until(lambda: node.spool.counts()["sending"] == 2)
    archive.start()
    until(lambda: all_there(archive, two))
    until(lambda: node.spool.jobs("sending") == [job])


def test_all_that_an_archive_has_is_asked_for_at_once(archive, tmp_path) -> None:
    images = ct_series(slices=4, side=8)
    paths = [tmp_path / f"{number}.dcm" for number in range(4)]
    for path, image in zip(paths, images, strict=True):
        path.write_bytes(encoded(image))
    transport = CStore("UNMETAL", Entity("ARCHIVE", "127.0.0.1", archive.port))
    assert list(transport.send([paths[2], paths[0]], check_existing=False)) == [paths[2], paths[0]]
    assert list(transport.send(paths, check_existing=True)) == paths
    assert set(archive.times.values()) == {1}
    assert len(archive.times) == 4

"""The process dies before or after any single step on the disk: no image is lost or sent twice.

The steps are the system calls that change the file system; after the fatal one no other
happens, as after SIGKILL."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hospital import ct_series, encoded

from unmetal.node.health import Metrics
from unmetal.node.intake import parse_instance
from unmetal.node.log import Log
from unmetal.node.queue.arrivals import Arrivals, Instance
from unmetal.node.queue.spool import Spool
from unmetal.node.reducer import Outcome
from unmetal.node.sender import Sender
from unmetal.node.worker import Worker

STEPS = ("rename", "replace", "fsync", "mkdir", "unlink", "rmdir")
PLACES = ("A@here:1", "B@there:2")


class Crash(BaseException):
    """Nothing of ours may catch it."""


class Fatal:
    """Counts steps, and dies at one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int | None, *, before: bool) -> None:
        self.at, self.before, self.steps = at, before, 0
        for name in STEPS:
            monkeypatch.setattr(os, name, self._wrapped(getattr(os, name)))

    def _wrapped(self, step):
        def call(*arguments, **named):
            self.steps += 1
            if self.at is None or self.steps < self.at:
                return step(*arguments, **named)
            if self.steps == self.at and not self.before:
                step(*arguments, **named)
            raise Crash

        return call


class Place:
    """A destination that can be asked what it has."""

    def __init__(self) -> None:
        self.times: Counter[str] = Counter()

    def send(self, images: list[Path], *, check_existing: bool) -> Iterator[Path]:
        for image in images:
            if not (check_existing and self.times[image.name]):
                assert image.read_bytes()
                self.times[image.name] += 1
            yield image


class Copying:
    """A reduction, file by file and not at all atomic."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def __call__(self, images: Path, target: Path) -> Outcome:
        target.mkdir(parents=True)
        for path in images.iterdir():
            (target / path.name).write_bytes(path.read_bytes())
        return Outcome(changed=1, slices=1)


class World:
    """What outlives the process: the disk, the sender's list, the destinations."""

    def __init__(self, folder: Path, images: list[Instance]) -> None:
        self.folder, self.unanswered = folder, list(images)
        self.places = {name: Place() for name in PLACES}
        self.spool: Spool | None = None

    def live(self) -> None:
        """A process from its start until all is done, or until it dies."""
        self.spool = spool = Spool(self.folder)
        now = count()
        arrivals = Arrivals(spool, 1000, lambda: float(next(now)))
        log, metrics = Log(io.StringIO()), Metrics()
        worker = Worker(spool, Copying(), PLACES, log, metrics)
        senders = [
            Sender(spool, name, place, log, metrics, retry=0, give_up=1)
            for name, place in self.places.items()
        ]
        while self.unanswered:
            arrivals.store(self.unanswered[0])
            del self.unanswered[0]  # the sender has its answer, and forgets the image
        arrivals.quiet_time = 0
        arrivals.complete()
        while any(spool.jobs("waiting") + spool.jobs("reducing")):
            worker.step()
        while spool.jobs("sending"):
            for sender in senders:
                sender.step()

    def dies(self, at: int, *, before: bool) -> bool:
        """A life that ends with a step; False where it was over before."""
        with pytest.MonkeyPatch.context() as patch:
            Fatal(patch, at, before=before)
            try:
                self.live()
            except Crash:
                return True
            finally:
                self.let_go()
        return False

    def let_go(self) -> None:
        """What the system does for a process that ended."""
        if self.spool is not None:
            self.spool.close()


@pytest.fixture
def quick_disk(monkeypatch) -> None:
    """Waiting for the disk proves nothing here: a killed process leaves what the system has."""
    monkeypatch.setattr(os, "fsync", lambda handle: None)


@pytest.fixture(scope="module")
def images() -> list[Instance]:
    return [parse_instance(encoded(image)) for image in ct_series(slices=2, side=8)]


def steps_of_a_life(folder: Path, images: list[Instance]) -> int:
    with pytest.MonkeyPatch.context() as patch:
        fatal = Fatal(patch, None, before=True)
        world = World(folder, images)
        world.live()
        world.let_go()
    return fatal.steps


@pytest.mark.usefixtures("quick_disk")
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_crash_at_any_step_loses_nothing_and_sends_nothing_twice(
    tmp_path, images, before
) -> None:
    total = steps_of_a_life(tmp_path / "whole", images)
    assert total > 60
    for at in range(1, total + 1):
        world = World(tmp_path / f"{before}{at}", images)
        assert world.dies(at, before=before)
        world.live()
        assert_all_done(world, images, at)


@pytest.mark.usefixtures("quick_disk")
def test_crashes_of_the_recovery_do_no_harm_either(tmp_path, images) -> None:
    total = steps_of_a_life(tmp_path / "whole", images)
    for at in range(2, total, 7):
        world = World(tmp_path / str(at), images)
        for further in (at, 3, 9, 1):
            world.dies(further, before=False)
        world.live()
        assert_all_done(world, images, at)


def assert_all_done(world: World, images: list[Instance], at: int) -> None:
    names = {image.name for image in images}
    for place in world.places.values():
        assert place.times == dict.fromkeys(names, 1), f"step {at}"
    assert world.spool is not None
    assert not any(world.spool.counts().values()), f"step {at}"
    assert world.spool.history.images(images[0].series) == names
    world.spool.recover()
    for left in ("arriving", "trash"):
        assert not list((world.folder / left).iterdir()), f"step {at}"
    world.let_go()


def test_success_is_answered_after_file_rename_and_folders_are_synced(
    tmp_path, images, monkeypatch
) -> None:
    spool = Spool(tmp_path / "spool")
    arrivals, calls = Arrivals(spool, 1), []
    real_sync, real_rename = os.fsync, os.rename

    def sync(handle: int) -> None:
        calls.append(("sync", Path(os.readlink(f"/proc/self/fd/{handle}"))))
        real_sync(handle)

    def rename(source, target) -> None:
        calls.append(("rename", Path(target)))
        real_rename(source, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(os, "rename", rename)
    arrivals.store(images[0])
    target = spool.folder / "receiving" / images[0].series / "images" / images[0].name
    renamed = calls.index(("rename", target))
    assert any(what == "sync" and path.parent.name == "arriving" for what, path in calls[:renamed])
    synced = {path for what, path in calls if what == "sync"}
    assert {target.parent.parent, target.parent.parent.parent} <= synced
    assert ("sync", target.parent) in calls[renamed:]
    spool.close()

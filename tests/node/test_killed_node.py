"""The node as a process: killed with SIGKILL at each stage of a series, and started again."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hospital import SECRETS, Archive, Process, ct_series, echo, send, until

pytestmark = pytest.mark.recipe


def test_killed_at_five_points_it_loses_nothing_and_sends_nothing_twice(
    make_process, archive: Archive
) -> None:
    other = Archive()
    other.stop()  # until the end
    to = (archive.address, other.address)
    one, two = ct_series("one", 4), ct_series("two", 3)

    # Receiving: half of a series was answered with success.
    node = make_process(*to, quiet_time=600).listening()
    assert send(one[:2], node.port) == [0, 0]
    node.kill()
    assert not any(path.stat().st_mode & 0o077 for path in node.spool.glob("*/")), "for us alone"
    assert len(list(node.spool.glob("receiving/*/images/*.dcm"))) == 2

    # Spooled: the first series occupies the reducing process while it is still starting; the
    # second one waits.
    node = make_process(*to, quiet_time=0.4).listening()
    assert send(one[2:] + two, node.port) == [0] * 5
    until(lambda: len(node.jobs("waiting")) + len(node.jobs("reducing")) == 2)
    until(lambda: node.jobs("waiting"))
    node.kill()
    assert not archive.times

    # Reducing.
    node = make_process(*to)
    until(lambda: node.jobs("reducing"))
    node.kill()
    assert len(node.jobs("waiting")) + len(node.jobs("reducing")) == 2
    assert not archive.times

    # Sending: the archive has an image, and has not said so.
    archive.gate.clear()
    archive.hangs_after = 1
    node = make_process(*to)
    assert archive.hanging.wait(120)
    node.kill()
    archive.gate.set()
    archive.hangs_after = 10**9
    before = sum(archive.times.values())
    assert 2 <= before < 7

    # After sending: the one archive has everything and said so, the other one nothing.
    node = make_process(*to)
    until(lambda: len(archive.times) == 7)
    until(lambda: len([event for event in node.events("sent") if event["to"] == to[0]]) == 2)
    node.kill()
    assert len(node.jobs("sending")) == 2

    other.start()
    node = make_process(*to)
    until(lambda: len(other.times) == 7)
    until(lambda: not any(node.jobs(state) for state in ("waiting", "reducing", "sending")))
    assert send(one + two, node.listening().port) == [0] * 7, "all of it was dealt with"
    assert node.stop() == 0
    assert not any(node.jobs(state) for state in ("receiving", "waiting", "sending", "dead"))
    for place in (archive, other):
        assert set(place.times.values()) == {1}, "nothing twice"
        references = [image.SourceImageSequence[0] for image in place.images.values()]
        sources = {reference.ReferencedSOPInstanceUID for reference in references}
        assert sources == {image.SOPInstanceUID for image in one + two}, "nothing lost"
    log = node.log.read_text()
    uids = [image.SOPInstanceUID for image in one + two] + [one[0].SeriesInstanceUID]
    assert not [secret for secret in (*SECRETS, *uids) if secret in log]
    other.stop()


def test_a_reducing_process_that_dies_is_replaced_and_ends_with_the_node(
    make_process, archive: Archive
) -> None:
    node = make_process(archive.address).ready()
    first = children(node)
    assert len(first) == 1
    send(ct_series(slices=2), node.port)
    until(lambda: node.jobs("reducing"), every=0.001)
    os.kill(first[0], signal.SIGKILL)
    until(lambda: len(archive.images) == 2)
    (second,) = children(node)
    assert second != first[0]
    node.kill()
    until(lambda: not Path(f"/proc/{second}").exists())


def children(node: Process) -> list[int]:
    """The reducing processes of a node; it has another child, which tracks resources."""
    lists = Path(f"/proc/{node.process.pid}/task").glob("*/children")
    found = [pid for children in lists for pid in children.read_text().split()]
    commands = {pid: Path(f"/proc/{pid}/cmdline").read_text() for pid in found}
    return [int(pid) for pid, command in commands.items() if "spawn_main" in command]


def test_a_second_node_on_the_same_spool_says_so_and_the_first_goes_on(
    make_process, archive: Archive
) -> None:
    node = make_process(archive.address).listening()
    second = make_process(archive.address)
    assert second.process.wait(60) == 1
    assert "another node uses this spool" in second.text()
    assert echo(node.port) == 0
    assert node.stop() == 0

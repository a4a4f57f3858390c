"""Nonsense on the port: the node stays up, answers failures, and writes only into its spool."""

from __future__ import annotations

import os
import random
import re
import socket
import struct
import threading
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hospital import SIDE, Direct, ct_series, echo, encoded, send, store_raw, until
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, JPEG2000Lossless
from pynetdicom import AE, build_context, evt

from unmetal.files.dicom.reading import tolerant
from unmetal.node import listening
from unmetal.node.intake import RefusedError, parse_instance

SPOOLED = re.compile(
    r"\.lock|(receiving|waiting|reducing|sending|dead|done|arriving|trash)"
    r"(/[\dT]*-?[0-9a-f]{32}(/(state\.json|reason\.txt|[\dT]*-[0-9a-f]{32}\.json"
    r"|(images|derived(/series)?|to|to/[^/]+)(/[^/]*[0-9a-f]{32}\.dcm)?))?)?"
)
"""What may be in a spool, whatever is sent."""


def mutated(content: bytes, rng: random.Random) -> bytes:
    """Cut, doubled, with wrong lengths, or with other bytes in it."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8, 60))):
        at = rng.randrange(max(len(data) - 4, 1))
        kind = rng.randrange(6)
        if kind == 0:
            data[at] = rng.randrange(256)
        elif kind == 1:
            data[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
        elif kind == 2:
            del data[at : at + rng.randrange(1, 64)]
        elif kind == 3:
            data[at:at] = rng.randbytes(rng.randrange(1, 64))
        elif kind == 4:
            data[at:at] = data[at : at + rng.randrange(1, 512)]
        else:
            del data[at:]
        if len(data) < 8:
            break
    return bytes(data)


@pytest.fixture(scope="module")
def conversation() -> list[bytes]:
    """What a scanner sends, message by message, to have one small image stored."""
    said: list[bytes] = []
    listener = AE("UNMETAL")
    listener.add_supported_context(CTImageStorage)
    server = listener.start_server(("127.0.0.1", 0), block=False)
    entity = AE("SCANNER")
    association = entity.associate(
        *server.server_address,
        ae_title="UNMETAL",
        contexts=[build_context(CTImageStorage)],
        evt_handlers=[(evt.EVT_DATA_SENT, lambda event: said.append(event.data))],
    )
    association.send_c_store(ct_series(slices=1, side=16)[0])
    association.release()
    server.shutdown()
    return said


def talk(port: int, messages: list[bytes]) -> None:
    """Send them whatever is answered, and go."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as line:
        for message in messages:
            line.sendall(message)
            line.settimeout(0.02)
            with suppress(TimeoutError):
                line.recv(1 << 16)
            line.settimeout(2)


def nonsense(conversation: list[bytes], rng: random.Random) -> list[bytes]:
    """One connection's messages."""
    kind = rng.randrange(5)
    if kind == 0:
        return [rng.randbytes(rng.choice((1, 5, 6, 7, 100, 5000)))]
    if kind == 1:
        length = rng.choice((0, 1, 200, 0xFFFFFF, 0xFFFFFFFF))
        head = struct.pack(">BBL", rng.randrange(256), 0, length)
        return [head + rng.randbytes(rng.randrange(300))]
    if kind == 2:
        return [mutated(conversation[0], rng), *conversation[1:]]
    if kind == 3:
        stop = rng.randrange(1, len(conversation))
        last = conversation[stop]
        return [*conversation[:stop], last[: rng.randrange(len(last))]]
    spoilt = [conversation[0], *(mutated(message, rng) for message in conversation[1:])]
    rng.shuffle(spoilt[1:])
    return spoilt


def outside(folder: Path) -> set[Path]:
    """Everything that does not lie in the spool."""
    return {path for path in folder.rglob("*") if "spool" not in path.parts}


def only_its_own(spool: Path) -> None:
    names = [path.relative_to(spool).as_posix() for path in spool.rglob("*")]
    assert not [name for name in names if not SPOOLED.fullmatch(name)]


@pytest.mark.parametrize("some", [60, pytest.param(2000, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_nonsense_on_the_port(make_node, tmp_path, conversation, some) -> None:
    node = make_node(quiet_time=600, associations=25)
    port, before = node.receiver.port, outside(tmp_path)
    files, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
    rng = random.Random(6)
    for number in range(some):
        talk(port, nonsense(conversation, rng))
        if number % 100 == 99:
            assert echo(port) == 0
    until(lambda: echo(port) == 0)
    until(lambda: threading.active_count() <= threads + 2, 90)
    until(lambda: len(os.listdir("/proc/self/fd")) <= files + 4)
    assert outside(tmp_path) == before
    only_its_own(node.spool.folder)
    assert node.health().status == "ok"
    assert send(ct_series(slices=1), port) == [0]


@pytest.mark.parametrize("some", [80, pytest.param(5000, marks=pytest.mark.slow)])
def test_mutated_images_are_stored_or_refused(make_node, tmp_path, some) -> None:
    node = make_node(quiet_time=600, queue=10**6)
    before = outside(tmp_path)
    image = ct_series(slices=1, side=16)[0]
    file = encoded(image)
    whole = file[144 + dcmread(BytesIO(file)).file_meta.FileMetaInformationGroupLength :]
    entity = AE("SCANNER")
    entity.dimse_timeout = 30
    contexts = [build_context(CTImageStorage, ExplicitVRLittleEndian)]
    rng, answers = random.Random(7), []
    association = None
    for _ in range(some):
        if association is None or not association.is_established:
            association = entity.associate(
                "127.0.0.1", node.receiver.port, ae_title="UNMETAL", contexts=contexts
            )
        data = mutated(whole, rng) or b"\0"
        answers.append(store_raw(association, image.SOPInstanceUID, data))
    association.release()
    kinds = {status & 0xF000 for status in answers}
    assert kinds == {0x0000, 0xA000, 0xC000}, "stored, not of its class, not understood"
    kept = len(list(node.spool.folder.glob("receiving/*/images/*.dcm")))
    assert 1 <= kept <= answers.count(0)
    assert outside(tmp_path) == before
    only_its_own(node.spool.folder)
    assert echo(node.receiver.port) == 0


def compressed() -> bytes:
    image = ct_series(slices=1, side=64)[0]
    image.compress(JPEG2000Lossless, generate_instance_uid=False)
    return encoded(image)


FILES = [encoded(ct_series(slices=1, side=16)[0]), compressed()]


@given(st.integers(0, 2**32), st.sampled_from(FILES))
@settings(
    max_examples=300, deadline=2000, suppress_health_check=list(HealthCheck), derandomize=True
)
def test_a_mutated_file_is_an_image_or_refused_and_never_a_path(seed, file) -> None:
    with tolerant(), suppress(RefusedError):
        instance = parse_instance(mutated(file, random.Random(seed)))
        assert re.fullmatch(r"[0-9a-f]{32}", instance.series)
        assert re.fullmatch(r"[0-9a-f]{32}\.dcm", instance.name)


@pytest.mark.parametrize(
    "uid", ["../../../etc/cron.d/x", "/etc/passwd", "..", "1.2\\..\\x", "CON", "a" * 64, "1\n2"]
)
def test_a_uid_that_is_a_path_leads_nowhere(make_node, tmp_path, uid) -> None:
    node, image = make_node(quiet_time=600), ct_series(slices=1, side=16)[0]
    before = outside(tmp_path)
    image.SeriesInstanceUID = image.StudyInstanceUID = uid
    send([image], node.receiver.port)
    assert outside(tmp_path) == before
    only_its_own(node.spool.folder)


def test_a_connection_that_wants_too_much_is_dropped_and_a_large_image_is_not(
    make_node, monkeypatch
) -> None:
    monkeypatch.setattr(listening, "MAX_PENDING_BYTES", 200_000)
    node = make_node()
    port = node.receiver.port
    assert send(ct_series(slices=2, side=256), port) == [0, 0], "131 kB each, one after the other"
    assert send(ct_series("large", 1, side=512), port) == [None], "524 kB"
    with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
        line.sendall(struct.pack(">BBL", 4, 0, listening.MAX_PDU_BYTES + 1))
        assert line.recv(1) == b"", "closed, not read"
    assert echo(port) == 0


def test_a_slow_connection_is_dropped(make_node, monkeypatch) -> None:
    monkeypatch.setattr(listening, "PDU_TIMEOUT_S", 0.3)
    node = make_node()
    with socket.create_connection(("127.0.0.1", node.receiver.port), timeout=10) as line:
        line.sendall(struct.pack(">BBL", 1, 0, 5000))
        with suppress(OSError):
            for _ in range(100):
                line.sendall(b"x")
                threading.Event().wait(0.05)
        with suppress(ConnectionError):
            assert line.recv(1) == b""
    assert echo(node.receiver.port) == 0


@pytest.mark.recipe
def test_images_that_cannot_be_decoded_are_dead_letters_and_the_next_series_is_fine(
    make_node, archive
) -> None:
    node = make_node(reducer=Direct())
    bad = ct_series("bad", 2)
    for image in bad:
        image.BitsAllocated = 8
        image.BitsStored, image.HighBit = 8, 7
    send(bad, node.receiver.port)
    send(ct_series("good", 2), node.receiver.port)
    until(lambda: len(archive.images) == 2)
    assert node.spool.counts()["dead"] == 1
    assert all(image.Rows == SIDE for image in archive.images.values())

"""The DICOM port: who is accepted, which status is answered, what a broken connection leaves."""

import json
import random
import socket
import ssl
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hospital import (
    Archive,
    counted,
    ct_series,
    derived,
    echo,
    encoded,
    free_port,
    send,
    store_raw,
    until,
)
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import JPEG2000Lossless
from pynetdicom import AE, build_context
from pynetdicom.sop_class import CTImageStorage, MRImageStorage

from unmetal.errors import InputError
from unmetal.files.dicom.pixels import decode
from unmetal.node.intake import (
    CANNOT_UNDERSTAND,
    NOT_OF_ITS_CLASS,
    OUT_OF_RESOURCES,
    RefusedError,
    parse_instance,
)
from unmetal.node.receiver import REQUEST_TIMEOUT_S

OUT, WRONG, BROKEN = OUT_OF_RESOURCES, NOT_OF_ITS_CLASS, CANNOT_UNDERSTAND


def everywhere(archive: Archive, images: list) -> bool:
    return {derived(image.SOPInstanceUID) for image in images} <= archive.images.keys()


def test_a_series_comes_back_derived_and_each_image_once(make_node, archive) -> None:
    node, images = make_node(), ct_series()
    assert echo(node.receiver.port) == 0
    assert send(images, node.receiver.port) == [0, 0, 0, 0]
    until(lambda: everywhere(archive, images))
    until(lambda: not sum(node.spool.counts().values()))
    assert set(archive.times.values()) == {1}


def test_shuffled_doubled_slices_are_one_series_reduced_once(make_node, archive) -> None:
    node, images = make_node(), ct_series(slices=6)
    sent = images * 2
    random.Random(1).shuffle(sent)
    assert set(send(sent, node.receiver.port)) == {0}
    until(lambda: everywhere(archive, images))
    until(lambda: not sum(node.spool.counts().values()))
    assert set(send(images, node.receiver.port)) == {0}, "a copy is a success: it is dealt with"
    assert len(node.reducer.reduced) == 1
    assert set(archive.times.values()) == {1}


def test_a_missing_slice_is_not_waited_for_for_ever_and_follows_when_it_comes(
    make_node, archive
) -> None:
    node, images = make_node(), ct_series(slices=5)
    late = images.pop(2)
    for image in [late, *images]:
        image.NumberOfSeriesRelatedInstances = 5
    send(images, node.receiver.port)
    until(lambda: everywhere(archive, images))
    (note,) = until(lambda: list(node.spool.history.folder.glob("*/*.json")))
    assert json.loads(note.read_text())["warnings"] == ["incomplete: 4 of 5 images came"]
    send([late], node.receiver.port)
    until(lambda: everywhere(archive, [late]))
    assert set(archive.times.values()) == {1}
    assert len({image.SeriesInstanceUID for image in archive.images.values()}) == 1


def test_the_number_that_the_sender_states_ends_the_waiting(make_node, archive) -> None:
    node, images = make_node(quiet_time=600), ct_series()
    for image in images:
        image.NumberOfSeriesRelatedInstances = len(images)
    send(images, node.receiver.port)
    until(lambda: everywhere(archive, images), 20)


def test_a_sender_that_breaks_off_leaves_whole_images_and_may_go_on(make_node, archive) -> None:
    node, images = make_node(quiet_time=1.5), ct_series(slices=4)
    entity = AE("SCANNER")
    association = entity.associate(
        "127.0.0.1",
        node.receiver.port,
        ae_title="UNMETAL",
        contexts=[build_context(CTImageStorage)],
    )
    for image in images[:2]:
        assert association.send_c_store(image).Status == 0
    # Half of the third: the command, and some of the data set, and then the cable is pulled.
    connection = association.dul.socket.socket
    connection.send(b"\x04\x00\x00\x00\x40\x00" + bytes(2000))
    connection.shutdown(socket.SHUT_RDWR)
    until(lambda: "closed" in node.log.stream.getvalue() or "abort" in node.log.stream.getvalue())
    assert len(list(node.spool.folder.glob("receiving/*/images/*.dcm"))) == 2
    assert not list(node.spool.folder.glob("arriving/*"))
    send(images[2:], node.receiver.port)
    until(lambda: everywhere(archive, images))
    assert len(node.reducer.reduced) == 1, "it went on within the quiet time: one series"


def test_what_was_broken_off_for_good_is_reduced_with_a_warning(make_node, archive) -> None:
    node, images = make_node(), ct_series(slices=3)
    entity = AE("SCANNER")
    association = entity.associate(
        "127.0.0.1",
        node.receiver.port,
        ae_title="UNMETAL",
        contexts=[build_context(CTImageStorage)],
    )
    assert association.send_c_store(images[0]).Status == 0
    association.abort()
    until(lambda: everywhere(archive, images[:1]))
    assert '"warnings": ["broken off"]' in node.log.stream.getvalue()


@pytest.mark.parametrize("some", [10, pytest.param(50, marks=pytest.mark.slow)])
def test_a_quarter_of_many_associations_is_not_allowed(make_node, archive, some) -> None:
    node = make_node(allow_aet=("SCANNER", "PACS"), associations=10, quiet_time=2)
    images = ct_series(slices=3 * some, side=8)
    callers = ["STRANGER"] * some + ["SCANNER", "PACS", "PACS"] * some
    random.Random(2).shuffle(callers)
    queue = iter(images)
    work = [(caller, None if caller == "STRANGER" else next(queue)) for caller in callers]

    def call(item) -> int | None:
        caller, image = item
        if image is None:
            return send(images[:1], node.receiver.port, calling=caller)[0]
        return until(lambda: send([image], node.receiver.port, calling=caller)[0] is not None)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(call, work))
    strangers = [number for number, caller in enumerate(callers) if caller == "STRANGER"]
    assert all(answers[number] is None for number in strangers)
    until(lambda: everywhere(archive, images), 120)
    assert set(archive.times.values()) == {1}
    assert counted(node, "unmetal_images_received_total", result="new") == 3 * some
    assert counted(node, "unmetal_associations_total", end="rejected") >= some
    until(lambda: counted(node, "unmetal_associations_total", end="released") == 3 * some)


def test_other_titles_and_other_addresses_are_not_heard(make_node) -> None:
    node = make_node()
    assert echo(node.receiver.port, called="OTHER") is None
    node = make_node(allow_ip=("10.1.2.0/24",), spool=node.spool.folder.parent / "other")
    assert echo(node.receiver.port) is None
    assert counted(node, "unmetal_associations_total", end="turned away") == 1


def test_more_associations_than_allowed_are_rejected_for_the_moment(make_node) -> None:
    node = make_node(associations=2)
    entity = AE("SCANNER")
    contexts = [build_context(CTImageStorage)]
    where = ("127.0.0.1", node.receiver.port)
    held = [entity.associate(*where, ae_title="UNMETAL", contexts=contexts) for _ in range(3)]
    assert [one.is_established for one in held] == [True, True, False]
    assert held[2].is_rejected
    held[0].release()
    until(lambda: echo(node.receiver.port) == 0)
    held[1].release()


def test_a_full_queue_refuses_new_series_and_goes_on_with_open_ones(make_node) -> None:
    node = make_node(queue=2, quiet_time=600)
    one, two, three = (ct_series(name) for name in ("one", "two", "three"))
    assert send([one[0], two[0]], node.receiver.port) == [0, 0]
    assert send([three[0], one[1], two[1]], node.receiver.port) == [OUT, 0, 0]
    assert node.health().status == "failing"
    assert "queue full" in node.health().failing


def test_below_the_watermark_nothing_is_taken(make_node, archive, monkeypatch) -> None:
    node, images = make_node(min_free=1.0), ct_series()
    free = {"bytes": 2 << 30}

    class Usage:
        @property
        def free(self) -> int:
            return free["bytes"]

    monkeypatch.setattr("unmetal.node.queue.spool.shutil.disk_usage", lambda folder: Usage())
    assert send(images[:1], node.receiver.port) == [0]
    free["bytes"] = 1 << 20
    assert send(images[1:], node.receiver.port) == [OUT] * 3
    assert node.health().failing == ["disk full"]
    free["bytes"] = 2 << 30
    assert send(images[1:], node.receiver.port) == [0] * 3
    until(lambda: everywhere(archive, images))


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of one MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small tmpfs: run as root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_is_answered_and_nothing_answered_is_lost(
    small_disk, make_node, archive
) -> None:
    node, images = make_node(spool=small_disk / "spool", quiet_time=0.5), ct_series(slices=40)
    answers = send(images, node.receiver.port)
    assert set(answers) == {0, OUT}
    kept = [image for image, answer in zip(images, answers, strict=True) if answer == 0]
    assert 5 < len(kept) < 40
    whole = {path.name for path in node.spool.folder.glob("*/*/images/*.dcm")}
    assert len(whole) == len(kept)
    assert echo(node.receiver.port) == 0
    # No room for a result either: it waits, and goes on when there is some.
    until(
        lambda: "error" in node.log.stream.getvalue() or "disk full" in node.log.stream.getvalue()
    )
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    until(lambda: everywhere(archive, kept), 60)
    assert set(archive.times.values()) == {1}


def test_objects_that_are_no_ct_images_are_answered_with_the_right_failure(make_node) -> None:
    node, (image, *_) = make_node(), ct_series()
    port = node.receiver.port

    def changed(**values):
        other = ct_series()[0]
        for keyword, value in values.items():
            setattr(other, keyword, value) if value is not None else delattr(other, keyword)
        return other

    assert send([changed(SeriesInstanceUID=None)], port) == [BROKEN]
    assert send([changed(StudyInstanceUID="")], port) == [BROKEN]
    assert send([changed(Rows=None)], port) == [BROKEN]
    assert send([changed(Rows=65535, Columns=65535)], port) == [BROKEN]
    assert send([changed(PixelData=b"\0" * 64)], port) == [BROKEN]
    liar = changed()
    liar.SOPClassUID = MRImageStorage
    assert _send_as_ct(liar, port) == WRONG
    assert not node.spool.counts()["receiving"]
    assert send([image], port) == [0]


@pytest.mark.parametrize("size", [(4096, 4096), (4097, 4096), (8192, 2049)])
def test_success_is_answered_up_to_the_size_that_the_reader_takes(make_node, size) -> None:
    node, image = make_node(quiet_time=600), ct_series(slices=1)[0]
    image.Rows, image.Columns = size
    image.PixelData = bytes(2 * image.Rows * image.Columns)
    try:
        decode(image, "0.dcm")
        expected = 0
    except InputError:
        expected = BROKEN
    assert expected == (0 if image.Rows == 4096 else BROKEN)
    assert send([image], node.receiver.port) == [expected]


def test_a_compressed_image_of_another_size_than_its_header_says_is_refused(make_node) -> None:
    image = ct_series()[0]
    image.compress(JPEG2000Lossless, generate_instance_uid=False)
    image.Rows = image.Columns = 64
    with pytest.raises(RefusedError, match="no image of a CT's size"):
        parse_instance(encoded(image))


def _send_as_ct(image, port: int) -> int:
    """Announce a CT image and send something else."""
    entity = AE("SCANNER")
    association = entity.associate(
        "127.0.0.1", port, ae_title="UNMETAL", contexts=[build_context(CTImageStorage)]
    )
    data = DicomBytesIO()
    data.is_implicit_VR, data.is_little_endian = True, True
    write_dataset(data, image)
    status = store_raw(association, image.SOPInstanceUID, data.getvalue())
    association.release()
    return status


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> dict[str, Path]:
    """An authority, and certificates of the node and of a scanner, by openssl."""
    folder = tmp_path_factory.mktemp("tls")
    if subprocess.run(["which", "openssl"], capture_output=True, check=False).returncode:
        pytest.skip("needs openssl")
    script = """
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
    printf 'subjectAltName=IP:127.0.0.1' > san
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other -addext \
      subjectAltName=IP:127.0.0.1 -keyout other.key -out other.pem
    for name in node scanner; do
      openssl req -newkey rsa:2048 -nodes -subj /CN=$name -keyout $name.key -out $name.csr
      openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 \
        -extfile san -out $name.pem
    done
    """
    subprocess.run(["sh", "-ec", script], cwd=folder, check=True, capture_output=True)
    return {path.name: path for path in folder.iterdir()}


def test_tls_is_spoken_and_a_sender_without_a_certificate_is_not_heard(
    make_node, archive, certificates
) -> None:
    node = make_node(
        tls_cert=certificates["node.pem"],
        tls_key=certificates["node.key"],
        tls_ca=certificates["ca.pem"],
    )
    port, images = node.receiver.port, ct_series()
    with socket.create_connection(("127.0.0.1", port)):  # says nothing, and holds up nobody
        known = ssl.create_default_context(cafile=certificates["ca.pem"])
        assert send(images, port, tls_args=(known, "127.0.0.1")) == [None] * 4
        known.load_cert_chain(certificates["scanner.pem"], certificates["scanner.key"])
        assert send(images, port, tls_args=(known, "127.0.0.1")) == [0] * 4
    assert send(images, port) == [None] * 4
    until(lambda: everywhere(archive, images))


def test_destinations_are_met_over_tls_and_must_show_a_certificate_of_the_authority(
    make_node, certificates
) -> None:
    known = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    known.load_cert_chain(certificates["scanner.pem"], certificates["scanner.key"])
    stranger = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    stranger.load_cert_chain(certificates["other.pem"], certificates["other.key"])
    archive, impostor = Archive(tls=known), Archive(tls=stranger)
    node = make_node(
        to=(archive.address, impostor.address), tls_ca=certificates["ca.pem"], tls_to=True
    )
    images = ct_series(slices=2)
    send(images, node.receiver.port)
    until(lambda: everywhere(archive, images))
    until(lambda: '"not sent"' in node.log.stream.getvalue())
    assert not impostor.times
    archive.stop()
    impostor.stop()


def test_a_port_that_is_taken_is_one_line(make_process, archive) -> None:
    with socket.create_server(("127.0.0.1", free_port())) as held:
        node = make_process(archive.address, port=held.getsockname()[1])
        assert node.process.wait(60) == 1
    assert "cannot listen there: Address already in use" in node.text()
    assert "Traceback" not in node.text()


def test_probes_that_connect_and_go_hold_no_place(make_node) -> None:
    node = make_node(associations=2)
    for _ in range(30):
        socket.create_connection(("127.0.0.1", node.receiver.port)).close()
    silent = [socket.create_connection(("127.0.0.1", node.receiver.port)) for _ in range(4)]
    # Nor do some that say nothing; all are gone long before the time for a request is over.
    until(lambda: echo(node.receiver.port) == 0, 0.8 * REQUEST_TIMEOUT_S)
    for connection in silent:
        connection.close()


def test_a_node_that_stops_tells_its_senders(make_node) -> None:
    node = make_node()
    entity = AE("SCANNER")
    association = entity.associate(
        "127.0.0.1",
        node.receiver.port,
        ae_title="UNMETAL",
        contexts=[build_context(CTImageStorage)],
    )
    assert association.send_c_store(ct_series()[0]).Status == 0
    node.stop()
    until(lambda: association.is_aborted)
    assert echo(node.config.receive.port) is None

"""The status port, and that no log tells whose images these are."""

import json
import re
import urllib.error
import urllib.request

import pytest
from hospital import SECRETS, Direct, ct_series, free_port, send, until

from unmetal.node.health import resident_bytes

LINE = re.compile(r'[a-z_]+(\{[a-z]+="[^"\n]*"(,[a-z]+="[^"\n]*")*\})? -?[0-9.e+]+')


def get(port: int, page: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{page}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_health_and_metrics_of_a_node_that_worked(make_node, archive) -> None:
    port = free_port()
    node, images = make_node(status_port=port), ct_series(slices=3)
    send(images, node.receiver.port)
    until(lambda: len(archive.images) == 3)
    until(lambda: not sum(node.spool.counts().values()))
    status, text = get(port, "/health")
    health = json.loads(text)
    assert (status, health["status"], health["failing"]) == (200, "ok", [])
    assert health["series"] == dict.fromkeys(
        ("receiving", "waiting", "reducing", "sending", "dead"), 0
    )
    status, text = get(port, "/metrics")
    assert status == 200
    lines = text.splitlines()
    assert all(line.startswith("# ") or LINE.fullmatch(line) for line in lines)
    assert 'unmetal_images_received_total{result="new"} 3.0' in lines
    assert f'unmetal_images_sent_total{{destination="{archive.address}"}} 3.0' in lines
    assert "unmetal_up 1.0" in lines
    assert any(line.startswith("unmetal_resident_bytes ") for line in lines)
    assert get(port, "/")[0] == 404
    assert get(port, "/../../etc/passwd")[0] == 404


def test_a_node_that_refuses_is_unavailable_to_a_load_balancer(make_node) -> None:
    port = free_port()
    node = make_node(status_port=port, queue=0)
    status, text = get(port, "/health")
    assert (status, json.loads(text)["failing"]) == (503, ["queue full"])
    assert "unmetal_up 0.0" in get(port, "/metrics")[1].splitlines()
    assert send(ct_series(slices=1), node.receiver.port) == [0xA700]


def test_every_metric_of_before_is_there_under_its_name(make_node, archive) -> None:
    port = free_port()
    make_node(status_port=port)
    families = re.findall(r"# TYPE (\S+) (\S+)", get(port, "/metrics")[1])
    counters = ("associations", "images_received", "series", "warnings", "reduce_seconds")
    counters += ("images_sent", "send_failures")
    gauges = ("up", "series", "free_bytes", "resident_bytes")
    assert sorted(families) == sorted(
        [(f"unmetal_{name}_total", "counter") for name in counters]
        + [(f"unmetal_{name}", "gauge") for name in gauges]
    )


def test_memory_is_what_the_system_says() -> None:
    held = bytearray(64 << 20)
    held[:: 1 << 12] = b"x" * len(held[:: 1 << 12])
    assert resident_bytes() > len(held)


@pytest.mark.recipe
def test_no_log_says_whose_images_they_are(make_node, archive) -> None:
    """A series with a gap, one without metal, one that is not read, and a localizer."""
    node = make_node(reducer=Direct(), quiet_time=0.5)
    gap = ct_series("gap", 6)
    del gap[1]
    none, broken = ct_series("none", 2, metal=False), ct_series("broken", 2)
    scout = ct_series("scout", 1)
    scout[0].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    broken[1].ImagePositionPatient = broken[0].ImagePositionPatient
    for image in [*gap, *none, *broken, *scout]:
        image.SeriesDescription = image.StudyDescription = "Nobody^Known hip"
    send(gap + none + broken + scout, node.receiver.port)
    until(lambda: len(archive.images) == 5)
    until(lambda: node.spool.counts()["dead"] == 1)
    until(lambda: node.log.stream.getvalue().count('"skipped"') == 2)
    log = node.log.stream.getvalue()
    words = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
    uids = {image[word].value for image in gap + none for word in words}
    assert not [secret for secret in (*SECRETS, *uids) if secret in log]
    whys = [json.loads(line).get("why") for line in log.splitlines()]
    assert {"localizer", "nothing had to be done"} <= set(whys)
    assert any("slices are missing" in line for line in log.splitlines())
    (dead,) = node.spool.jobs("dead")
    assert "positions hold more than one image" in (dead.folder / "reason.txt").read_text()

"""A real archive: Orthanc stores to the node, gets the derived series back, and shows it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from conftest import config, memory
from dicomweb_client import DICOMwebClient
from hospital import Direct, ct_series, encoded, free_port, stored, until
from pydicom import dcmread
from pydicom.dataset import Dataset

from unmetal.node.node import Node

ROOT = Path(__file__).resolve().parents[2]
ORTHANC = shutil.which("Orthanc", path=f"{os.environ['PATH']}:/usr/sbin")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")

pytestmark = [
    pytest.mark.recipe,
    pytest.mark.skipif(
        ORTHANC is None or not PLUGIN.exists(),
        reason="needs Orthanc: apt-get install orthanc orthanc-dicomweb",
    ),
]


class Orthanc:
    """One that runs, on loopback, with nothing in it."""

    def __init__(self, folder: Path, node_port: int, script: str = "") -> None:
        self.http, self.dicom = free_port(), free_port()
        self.web = f"http://127.0.0.1:{self.http}/dicom-web"
        settings: dict[str, Any] = {
            "StorageDirectory": str(folder / "db"),
            "IndexDirectory": str(folder / "db"),
            "HttpPort": self.http,
            "DicomPort": self.dicom,
            "DicomAet": "ORTHANC",
            "DicomCheckCalledAet": True,
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": False,
            "StableAge": 1,
            "Plugins": [str(PLUGIN)],
            "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
            "DicomModalities": {"UNMETAL": ["UNMETAL", "127.0.0.1", node_port]},
        }
        if script:
            (folder / "route.lua").write_text(script)
            settings["LuaScripts"] = [str(folder / "route.lua")]
        (folder / "orthanc.json").write_text(json.dumps(settings))
        with (folder / "orthanc.log").open("wb") as log:
            self.process = subprocess.Popen(
                [str(ORTHANC), str(folder / "orthanc.json")], stdout=log, stderr=log
            )
        until(self._is_up)
        self.client = DICOMwebClient(self.web)

    @property
    def address(self) -> str:
        return f"ORTHANC@127.0.0.1:{self.dicom}"

    def _is_up(self) -> bool:
        try:
            return requests.get(f"{self.web}/studies", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def stow(self, images: list[Dataset]) -> None:
        files = [dcmread(BytesIO(encoded(image))) for image in images]
        self.client.store_instances(files)

    def send_to_node(self, study: str) -> None:
        """C-STORE every CT series of a study, ours too."""
        base = f"http://127.0.0.1:{self.http}"
        query = {"Level": "Series", "Query": {"StudyInstanceUID": study, "Modality": "CT"}}
        for found in requests.post(f"{base}/tools/find", json=query, timeout=30).json():
            answer = requests.post(f"{base}/modalities/UNMETAL/store", data=found, timeout=60)
            assert answer.json()["FailedInstancesCount"] == 0

    def series(self, study: str) -> dict[str, int]:
        """The UIDs of a study's series, and how many images each has."""
        found = self.client.search_for_series(study, fields=["NumberOfSeriesRelatedInstances"])
        return {one["0020000E"]["Value"][0]: one["00201209"]["Value"][0] for one in found}

    def derived(self, images: list[Dataset]) -> str:
        """Wait for the one other series of their study to have as many images; its UID."""
        study, source = images[0].StudyInstanceUID, images[0].SeriesInstanceUID

        def whole() -> str | None:
            others = {uid: n for uid, n in self.series(study).items() if uid != source}
            assert len(others) <= 1
            return next((uid for uid, n in others.items() if n == len(images)), None)

        return until(whole, every=0.2)


@pytest.fixture
def node_port() -> int:
    return free_port()


@pytest.fixture
def orthanc(tmp_path: Path, node_port: int, request) -> Iterator[Orthanc]:
    made = Orthanc(tmp_path, node_port, getattr(request, "param", ""))
    yield made
    made.process.terminate()
    made.process.wait(20)
    print((tmp_path / "orthanc.log").read_text())


@pytest.fixture
def direct(orthanc: Orthanc, node_port: int, tmp_path: Path) -> Iterator[Any]:
    """`direct(...)`: a node in this process that sends to Orthanc."""
    nodes = []

    def make(reducer: Direct | None = None, **options: Any) -> Node:
        settings = {"spool": tmp_path / "spool", "port": node_port, "to": (orthanc.address,)}
        nodes.append(Node(config(None, **settings | options), reducer or Direct(), memory()))
        nodes[-1].start()
        return nodes[-1]

    yield make
    for node in nodes:
        node.stop()
        print(node.log.stream.getvalue())


def by_place(images: list[Dataset]) -> list[Dataset]:
    return sorted(images, key=lambda image: float(image.ImagePositionPatient[2]))


def expected(images: list[Dataset], folder: Path) -> np.ndarray:
    """Stored numbers `[slices H W]` of what `unmetal reduce` makes of them."""
    source, target = folder / "source", folder / "expected"
    source.mkdir()
    for number, image in enumerate(images):
        (source / f"{number}.dcm").write_bytes(encoded(image))
    outcome = Direct()(source, target)
    assert outcome.changed == len(images), outcome
    return np.stack([image.pixel_array for image in by_place(list(stored(target).values()))])


def test_stored_by_orthanc_derived_by_the_node_found_and_retrieved_by_dicomweb(
    tmp_path, orthanc, node_port, make_process
) -> None:
    node = make_process(orthanc.address, port=node_port).listening()
    images = ct_series("hips", 5)
    orthanc.stow(images)
    orthanc.send_to_node(images[0].StudyInstanceUID)
    uid = orthanc.derived(images)
    got = by_place(orthanc.client.retrieve_series(images[0].StudyInstanceUID, uid))
    pixels = np.stack([image.pixel_array for image in got])
    assert np.array_equal(pixels, expected(images, tmp_path))
    assert not np.array_equal(pixels, np.stack([image.pixel_array for image in images]))
    for image, source in zip(got, images, strict=True):
        assert image.ImageType[:2] == ["DERIVED", "SECONDARY"]
        assert image.FrameOfReferenceUID == source.FrameOfReferenceUID
        assert image.PatientID == source.PatientID
        reference = image.SourceImageSequence[0]
        assert reference.ReferencedSOPInstanceUID == source.SOPInstanceUID
    until(lambda: node.events("done"))
    orthanc.send_to_node(images[0].StudyInstanceUID)  # the study now holds both series
    until(lambda: node.events("skipped"))
    assert node.events("skipped")[0]["why"] == "made by unmetal"
    assert len(orthanc.series(images[0].StudyInstanceUID)) == 2
    assert len(node.events("sent")) == 1


def test_dicomweb_in_and_out(tmp_path, orthanc, direct) -> None:
    images, others = ct_series("hips", 4), ct_series("other day", 3)
    for image in others:
        image.StudyDate = "20200101"
    orthanc.stow(images + others)
    search = f"{orthanc.web}/series?StudyDate=20240101-20241231"
    node = direct(to=(orthanc.web,), sources=(search,), poll=0.3)
    uid = orthanc.derived(images)
    got = by_place(orthanc.client.retrieve_series(images[0].StudyInstanceUID, uid))
    assert np.array_equal(
        np.stack([image.pixel_array for image in got]), expected(images, tmp_path)
    )
    until(lambda: not sum(node.spool.counts().values()))
    before = node.log.stream.getvalue().count('"fetched"')
    assert before == 1, "the other day's study was not asked for"
    orthanc.stow(ct_series("new today", 2))
    until(lambda: node.log.stream.getvalue().count('"done"') == 2)
    assert node.log.stream.getvalue().count('"fetched"') == 2, "what is known is not fetched again"
    assert len(orthanc.series(others[0].StudyInstanceUID)) == 1


def test_one_series_named_by_its_url(tmp_path, orthanc, direct) -> None:
    images = ct_series("hips", 2)
    study, series = images[0].StudyInstanceUID, images[0].SeriesInstanceUID
    orthanc.stow(images)
    direct(sources=(f"{orthanc.web}/studies/{study}/series/{series}",), poll=600, quiet_time=600)
    orthanc.derived(images)


def test_an_archive_that_is_down_and_comes_back_is_searched_again(orthanc, direct) -> None:
    orthanc.process.terminate()
    orthanc.process.wait(20)
    node = direct(sources=(f"{orthanc.web}/series?StudyDate=20240101-",), poll=0.2)
    until(lambda: '"not fetched"' in node.log.stream.getvalue())
    assert node.health().status == "ok", "the archive is ill, not the node"


def test_difference_and_metal_go_with_the_series_and_once(orthanc, direct, tmp_path) -> None:
    node = direct(reducer=Direct(save_difference=True, save_metal=True))
    images = ct_series("hips", 4)
    late = images.pop()
    study = late.StudyInstanceUID
    orthanc.stow(images)
    orthanc.send_to_node(study)
    until(lambda: sorted(orthanc.series(study).values()) == [1, 1, 3, 3, 3])
    kinds = {one["00080060"]["Value"][0] for one in orthanc.client.search_for_series(study)}
    assert kinds == {"CT", "SEG", "RTSTRUCT"}
    until(lambda: '"done"' in node.log.stream.getvalue())
    orthanc.stow([late])
    orthanc.send_to_node(study)
    until(lambda: sorted(orthanc.series(study).values()) == [1, 1, 4, 4, 4])
    until(lambda: node.log.stream.getvalue().count('"done"') == 2)
    lines = [json.loads(line) for line in node.log.stream.getvalue().splitlines()]
    assert [line["images"] for line in lines if line["event"] == "sent"] == [8, 2]


def lua_of_the_docs() -> str:
    text = (ROOT / "docs" / "node.md").read_text()
    (script,) = re.findall(r"```text lua\n(.*?)```", text, re.DOTALL)
    return script


@pytest.mark.parametrize("orthanc", [lua_of_the_docs()], indirect=True, ids=["lua"])
def test_the_routing_of_the_docs_sends_each_new_ct_series_once(orthanc, direct) -> None:
    node = direct()
    images = ct_series("hips", 4)
    orthanc.stow(images)
    uid = orthanc.derived(images)
    until(lambda: not sum(node.spool.counts().values()))
    # Another series becomes stable and is routed: by then the derived one would have been, too.
    more = ct_series("knee", 2)
    orthanc.stow(more)
    orthanc.derived(more)
    log = node.log.stream.getvalue()
    assert log.count('"reduced"') == 2
    assert '"skipped"' not in log, "the derived series was not sent to the node"
    assert orthanc.series(images[0].StudyInstanceUID)[uid] == 4


def test_stow_asks_before_it_sends_what_may_have_arrived(tmp_path, orthanc, direct) -> None:
    node = direct(to=(orthanc.web,))
    (image,) = ct_series("hips", 1)
    path = tmp_path / "0.dcm"
    path.write_bytes(encoded(image))
    transport = node.senders[0].transport
    assert transport._find_instances(transport.client, image) == set()
    assert list(transport.send([path], check_existing=True)) == [path]
    assert transport._find_instances(transport.client, image) == {image.SOPInstanceUID}
    assert list(transport.send([path], check_existing=True)) == [path]

"""Jobs, results and exports of a server, beside what the commands make of the same series."""

from __future__ import annotations

import io
import json
import socket
import threading
import zipfile
from pathlib import Path

import nibabel
import numpy as np
import pytest
from ct_files import hashes
from pydicom import dcmread
from scipy import ndimage
from viewing import SECRETS, View, until

import unmetal
from unmetal.__main__ import main

pytestmark = pytest.mark.recipe


@pytest.fixture(scope="module")
def result(viewer: View) -> dict:
    """The phantom by LI."""
    series = viewer.state()["series"][0]["id"]
    job = viewer.ended(viewer.reduce(series)["id"])
    assert job["status"] == "done", job
    assert job["done"] == job["total"] == 4
    return next(one for one in viewer.state()["results"] if one["id"] == job["result"])


@pytest.fixture(scope="module")
def command(phantom: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `unmetal reduce` makes of it."""
    out = tmp_path_factory.mktemp("command") / "out"
    options = ["--method", "li", "--save-difference", "--save-metal"]
    assert main(["reduce", str(phantom), str(out), *options]) == 0
    return out


def nifti(viewer: View, path: str) -> np.ndarray:
    """A volume as `[slices H W]`."""
    content = viewer.client.get(f"api/{path}").raise_for_status().content
    return np.asanyarray(nibabel.Nifti1Image.from_bytes(content).dataobj).T


def members(content: bytes, folder: Path) -> Path:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        archive.extractall(folder)
    return folder


def test_what_the_page_is_told_of_a_result(viewer: View, result: dict) -> None:
    assert result["title"] == "LI"
    assert result["method"] == "li"
    assert result["metal"] == result["changed"] == [0, 1, 2, 3]
    assert not result["has_error"]
    assert all(set(one) == {"key", "level", "message"} for one in result["warnings"])
    assert {one["corrected"] for one in result["objects"]} == {True}
    assert result["objects"][0]["slices"] == [0, 3]
    names = {"dicom.zip", "difference.zip", "seg.dcm", "corrected.nii.gz", "report.html"}
    assert set(result["exports"]) == {*names, "picture.png"}


def test_the_volumes_of_a_result(viewer: View, result: dict, command: Path, phantom: Path) -> None:
    before, after = unmetal.read(phantom).hu, unmetal.read(command).hu
    at = f"results/{result['id']}"
    corrected = nifti(viewer, f"{at}/corrected.nii")
    assert corrected.dtype == np.int16
    assert np.array_equal(corrected, after)
    assert np.array_equal(nifti(viewer, f"{at}/difference.nii"), after - before)
    metal = nifti(viewer, f"{at}/metal.nii")
    assert set(np.unique(metal)) == {0, 1}
    assert (before[metal == 1] == after[metal == 1]).all()
    outline = nifti(viewer, f"{at}/metal_outline.nii")
    near = nifti(viewer, f"{at}/near_metal.nii")
    for index, mask in enumerate(metal == 1):
        edge = mask & ~ndimage.binary_erosion(mask)
        assert np.array_equal(outline[index] == 1, edge)
        rows, columns = np.mgrid[:96, :96]
        distance = min_distance(np.argwhere(mask) * 4.0, rows * 4.0, columns * 4.0)
        assert np.array_equal(near[index] == 1, (distance <= 5) & ~mask)
    refused = viewer.client.get(f"api/{at}/error.nii")
    assert refused.status_code == 404
    assert viewer.client.get(f"api/{at}/nothing.nii").status_code == 404


def min_distance(points: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    away = [(rows - row) ** 2 + (columns - column) ** 2 for row, column in points]
    return np.sqrt(np.min(away, axis=0))


def test_a_region_is_measured_on_both_sides(
    viewer: View, result: dict, command: Path, phantom: Path
) -> None:
    before, after = unmetal.read(phantom).hu, unmetal.read(command).hu
    asked = {
        "shape": "rectangle", "plane": "coronal", "index": 47, "from": [40, 1], "to": [55, 2],
        "results": [result["id"]],
    }  # fmt: skip
    path = f"api/series/{result['series']}/measure"
    found = viewer.client.post(path, json=asked).raise_for_status().json()
    old, new = before[1:3, 47, 40:56], after[1:3, 47, 40:56]
    assert found["pixels"] == 32
    assert found["original"]["mean"] == pytest.approx(old.mean(dtype=float))
    both = found["results"][result["id"]]
    assert both["corrected"]["sd"] == pytest.approx(new.std(dtype=float))
    assert both["difference"]["mean"] == pytest.approx((new - old).mean(dtype=float))


def test_the_exported_series_is_what_the_command_writes(
    viewer: View, result: dict, command: Path, tmp_path: Path
) -> None:
    at = f"api/results/{result['id']}/export"
    for name, written in (("dicom.zip", command), ("difference.zip", f"{command}-difference")):
        answer = viewer.client.get(f"{at}/{name}").raise_for_status()
        assert answer.headers["content-disposition"] == f'attachment; filename="unmetal-li-{name}"'
        made = members(answer.content, tmp_path / name)
        assert hashes_by_uid(made) == hashes_by_uid(Path(written))
    seg = viewer.client.get(f"{at}/seg.dcm").raise_for_status().content
    assert seg == Path(f"{command}-metal.dcm").read_bytes()


def hashes_by_uid(folder: Path) -> dict[str, bytes]:
    images = (dcmread(path) for path in folder.iterdir())
    return {image.SOPInstanceUID: image.PixelData for image in images}


def test_nifti_report_and_picture(viewer: View, result: dict, command: Path, tmp_path) -> None:
    at = f"api/results/{result['id']}/export"
    (tmp_path / "a.nii.gz").write_bytes(viewer.client.get(f"{at}/corrected.nii.gz").content)
    volume = unmetal.read(tmp_path / "a.nii.gz")
    assert np.array_equal(volume.hu, unmetal.read(command).hu)
    assert volume.meta["made_by_unmetal"]
    page = viewer.client.get(f"{at}/report.html").text
    assert "RESEARCH USE ONLY" in page.upper()
    assert not any(secret in page for secret in SECRETS[:2])
    picture = viewer.client.get(f"{at}/picture.png?k=2&width=400&level=40")
    assert picture.content.startswith(b"\x89PNG")
    assert 'filename="unmetal-li-picture-slice-3.png"' in picture.headers["content-disposition"]
    refused = viewer.client.get(f"{at}/nothing.zip")
    assert refused.status_code == 409
    assert not list(viewer.data()[0].glob("export-*")), "removed when they are sent"


def test_a_result_is_pushed_to_an_archive(viewer: View, result: dict, command: Path) -> None:
    pynetdicom = pytest.importorskip("pynetdicom", reason="needs the extra `dicom`")
    received: list[str] = []

    def store(event) -> int:
        received.append(event.dataset.SOPInstanceUID)
        return 0x0000

    entity = pynetdicom.AE("ARCHIVE")
    entity.supported_contexts = pynetdicom.StoragePresentationContexts
    handlers = [(pynetdicom.evt.EVT_C_STORE, store)]
    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=handlers)
    port = server.socket.getsockname()[1]
    path = f"api/results/{result['id']}/push"
    try:
        pushed = viewer.client.post(path, json={"destination": f"ARCHIVE@127.0.0.1:{port}"})
        assert pushed.json() == {"sent": 4}
        assert set(received) == set(hashes_by_uid(command))
    finally:
        server.shutdown()
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    for destination in (f"ARCHIVE@127.0.0.1:{port}", "http://127.0.0.1:1/studies", "nonsense"):
        refused = viewer.client.post(path, json={"destination": destination})
        assert refused.status_code == 502
        assert destination in refused.json()["error"]


def test_a_drawn_mask_is_what_is_corrected(viewer: View, result: dict) -> None:
    series = result["series"]
    content = viewer.client.get(f"api/results/{result['id']}/metal.nii").content
    image = nibabel.Nifti1Image.from_bytes(content)
    drawn = np.zeros(image.shape, np.uint8)
    drawn[26:32, 45:51, 1] = 1
    edited = nibabel.Nifti1Image(drawn, image.affine).to_bytes()
    mask = viewer.client.put(f"api/series/{series}/metal", content=edited).json()["id"]
    job = viewer.ended(viewer.reduce(series, metal=mask)["id"])
    made = next(one for one in viewer.state()["results"] if one["id"] == job["result"])
    assert made["title"] == "LI, metal edited"
    assert made["metal"] == [1]
    marks = nifti(viewer, f"results/{made['id']}/metal.nii")
    assert np.array_equal(marks == 1, drawn.T == 1)
    assert viewer.client.delete(f"api/results/{made['id']}").status_code == 204
    assert viewer.client.get(f"api/results/{made['id']}/corrected.nii").status_code == 404
    assert viewer.client.delete(f"api/results/{made['id']}").status_code == 404


def test_a_running_job_and_a_waiting_one_are_cancelled(viewer: View, result: dict) -> None:
    series = result["series"]
    running, waiting = viewer.reduce(series, "dip")["id"], viewer.reduce(series)["id"]
    until(lambda: viewer.job(running)["status"] == "running")
    for job in (waiting, running):
        assert viewer.client.post(f"api/jobs/{job}/cancel").json()["status"] == "cancelled"
    before = len(viewer.state()["results"])
    after = viewer.ended(viewer.reduce(series)["id"])
    assert after["status"] == "done", "another process does the next one"
    assert viewer.job(running)["status"] == viewer.job(waiting)["status"] == "cancelled"
    assert len(viewer.state()["results"]) == before + 1
    folders = {path.name for path in viewer.data()[0].glob("*result-*")}
    assert folders == {f"result-{one['id']}" for one in viewer.state()["results"]}
    again = viewer.client.post(f"api/jobs/{after['id']}/cancel").json()
    assert again["status"] == "done", "what is over stays"


def test_another_tab_hears_of_every_change(viewer: View, result: dict) -> None:
    seen: list[dict] = []
    listening = threading.Event()

    def listen() -> None:
        with viewer.client.stream("GET", "api/events") as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    seen.append(json.loads(line.removeprefix("data: ")))
                    listening.set()
                    if seen[-1]["jobs"][-1]["status"] == "cancelled" and len(seen) > 1:
                        return

    tab = threading.Thread(target=listen)
    tab.start()
    assert listening.wait(60)
    first = seen[0]
    assert {one["id"] for one in first["results"]} >= {result["id"]}
    viewer.client.post(f"api/jobs/{viewer.reduce(result['series'], 'dip')['id']}/cancel")
    tab.join(60)
    assert not tab.is_alive()
    assert len(seen[-1]["jobs"]) == len(first["jobs"]) + 1


def test_an_upload_is_opened_reduced_and_closed(viewer: View, tmp_path: Path) -> None:
    hu = unmetal.read(viewer_phantom(viewer)).hu[:2]
    np.save(tmp_path / "a.npy", hu)
    upload = viewer.client.post("api/uploads").json()["id"]
    path = f"api/uploads/{upload}"
    content = (tmp_path / "a.npy").read_bytes()
    viewer.client.put(f"{path}/files", params={"path": "a.npy"}, content=content)
    (series,) = viewer.client.post(f"{path}/open").raise_for_status().json()["series"]
    assert series["shape"] == [2, 96, 96]
    job = viewer.ended(viewer.reduce(series["id"])["id"])
    made = next(one for one in viewer.state()["results"] if one["id"] == job["result"])
    assert made["exports"][:2] == ["corrected.npy", "corrected.nii.gz"]
    export = f"api/results/{made['id']}/export"
    after = np.load(io.BytesIO(viewer.client.get(f"{export}/corrected.npy").content))
    assert np.array_equal(after, nifti(viewer, f"results/{made['id']}/corrected.nii"))
    refused = viewer.client.get(f"{export}/dicom.zip")
    assert refused.status_code == 409
    assert "DICOM can only be derived from DICOM" in refused.json()["error"]
    assert viewer.client.delete(f"api/series/{series['id']}").status_code == 204
    assert made["id"] not in {one["id"] for one in viewer.state()["results"]}
    assert not list(viewer.data()[0].glob("upload-*"))
    empty = viewer.client.post("api/uploads").json()["id"]
    assert viewer.client.post(f"api/uploads/{empty}/open").status_code == 400


@pytest.mark.parametrize("name", ["../evil.dcm", "/evil.dcm", "fine.dcm"])
def test_a_zip_that_points_out_is_refused_and_nothing_of_it_stays(
    viewer: View, phantom: Path, name: str
) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in phantom.iterdir():
            archive.write(path, path.name)
        archive.writestr(name, b"x")
    before = len(viewer.state()["series"])
    upload = viewer.client.post("api/uploads").json()["id"]
    where = {"path": "a.zip"}
    viewer.client.put(f"api/uploads/{upload}/files", params=where, content=buffer.getvalue())
    answer = viewer.client.post(f"api/uploads/{upload}/open")
    if name == "fine.dcm":
        (series,) = answer.json()["series"]
        assert viewer.client.delete(f"api/series/{series['id']}").status_code == 204
    else:
        assert answer.status_code == 400
        assert "points out of the archive" in answer.json()["error"]
    assert len(viewer.state()["series"]) == before
    until(lambda: not [*viewer.data()[0].glob("upload-*"), *viewer.data()[0].glob("unpacked-*")])
    assert not list(viewer.temporary.rglob("evil*"))


def viewer_phantom(viewer: View) -> Path:
    return Path(viewer.process.args[-1])  # type: ignore[index]


def test_the_source_was_not_touched(viewer: View, phantom: Path, tmp_path: Path) -> None:
    from viewing import write_phantom  # noqa: PLC0415

    assert hashes(phantom) == hashes(write_phantom(tmp_path / "again"))

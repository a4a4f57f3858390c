"""Files dropped on the page: below a cap, under their folder, whole or not at all."""

from __future__ import annotations

import asyncio
import io
import stat
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from unmetal.errors import InputError
from unmetal.viewer.records import Listed
from unmetal.viewer.unpacking import unpack
from unmetal.viewer.uploads import TooLargeError, Uploads

MIB = 2**20


def begin(app) -> str:
    return str(app.client.post("api/uploads").json()["id"])


def put(app, upload: str, path: str, content: bytes):
    return app.client.put(f"api/uploads/{upload}/files", params={"path": path}, content=content)


def test_files_are_stored_below_the_upload(app) -> None:
    upload = begin(app)
    assert put(app, upload, "a/b/one", b"1" * 1000).json() == {"bytes": 1000}
    assert put(app, upload, "two", b"").status_code == 200
    stored = [path for path in app.session.folder.rglob("*") if path.is_file()]
    assert {path.name for path in stored} == {"one", "two"}
    assert (app.session.folder / f"upload-{upload}" / "a" / "b" / "one").read_bytes() == b"1" * 1000


@pytest.mark.parametrize(
    "path",
    ["../x", "a/../../x", "/etc/x", "C:\\x", "C:/x", "a\\..\\x", "", ".", "a\nb", "x" * 1001],
)
def test_paths_that_point_out_are_refused(app, path: str) -> None:
    upload = begin(app)
    refused = put(app, upload, path, b"1")
    assert refused.status_code == 400
    assert "path" in refused.json()["error"]
    assert not [path for path in app.session.folder.rglob("*") if path.is_file()]


def test_a_name_too_long_for_the_disk_and_a_file_twice_are_refused(app) -> None:
    upload = begin(app)
    assert "cannot be stored" in put(app, upload, "x" * 300, b"1").json()["error"]
    assert put(app, upload, "x", b"1").status_code == 200
    assert "twice" in put(app, upload, "x", b"2").json()["error"]
    assert (app.session.folder / f"upload-{upload}" / "x").read_bytes() == b"1"


def test_more_than_the_cap_is_refused_and_nothing_of_it_stays(app) -> None:
    assert app.client.get("api/state").json()["upload_limit_bytes"] == MIB
    upload = begin(app)
    assert put(app, upload, "one", bytes(MIB // 2)).status_code == 200
    refused = put(app, upload, "two", bytes(MIB // 2 + 1))
    assert refused.status_code == 413
    assert "GiB in all: open it by `unmetal view PATH`" in refused.json()["error"]
    assert not list(app.session.folder.rglob("*"))
    assert put(app, upload, "three", b"1").status_code == 400


def test_the_cap_counts_what_comes_not_what_is_promised(tmp_path: Path) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield bytes(10_000)

    async def upload() -> None:
        uploads = Uploads(tmp_path, limit=5 * MIB)
        await uploads.put(uploads.begin().id, "x", None, endless())

    with pytest.raises(TooLargeError):
        asyncio.run(upload())
    assert not list(tmp_path.iterdir())


def test_half_a_file_of_a_browser_that_has_gone_is_none(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield bytes(3 * MIB)
        raise ConnectionError

    async def upload() -> Path:
        uploads = Uploads(tmp_path)
        id = uploads.begin().id
        with pytest.raises(InputError):
            await uploads.put(id, "x", None, broken())
        return uploads.end(id)

    with pytest.raises(InputError, match="nothing was uploaded"):
        asyncio.run(upload())
    assert not list(tmp_path.iterdir())


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_an_archive_is_unpacked(tmp_path: Path) -> None:
    unpack(archive(tmp_path / "a.zip", **{"a/b": b"1", "c": b"2", "d/": b""}), tmp_path / "out")
    assert (tmp_path / "out" / "a" / "b").read_bytes() == b"1"
    assert (tmp_path / "out" / "c").read_bytes() == b"2"


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/x", "C:/x", "a\\..\\..\\x"])
def test_an_archive_whose_members_point_out_is_refused(tmp_path: Path, name: str) -> None:
    made = archive(tmp_path / "a.zip", fine=b"1", **{name: b"1"})
    with pytest.raises(InputError, match="points out of the archive"):
        unpack(made, tmp_path / "out" / "deep")
    assert {path.name for path in tmp_path.rglob("*")} == {"a.zip"}


def test_a_link_in_an_archive_is_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as file:
        file.writestr(link, "/etc/passwd")
    with pytest.raises(InputError, match="a link or a device"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file,
        file.open("zeros", "w", force_zip64=True) as member,
    ):
        for _ in range(520):
            member.write(bytes(MIB))
    with pytest.raises(InputError, match="which no CT series does"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_damaged_archive_is_refused_and_nothing_of_it_stays(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("one", bytes(1000))
        file.writestr("two", b"x" * 1000)
    damaged = buffer.getvalue().replace(b"x" * 1000, b"y" * 1000)
    (tmp_path / "a.zip").write_bytes(damaged)
    with pytest.raises(InputError, match="damaged or encrypted"):
        unpack(tmp_path / "a.zip", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_was_uploaded_goes_with_the_last_series_of_it(app, phantom: Path) -> None:
    upload = app.session.folder / "upload-x"
    upload.mkdir()
    with zipfile.ZipFile(upload / "a.zip", "w") as file:
        for path in phantom.iterdir():
            file.write(path, path.name)
    (id,) = app.open(upload / "a.zip")
    app.session.take(Listed())
    app.session.drop_unused(upload / "a.zip")
    assert not upload.exists(), "the series is read from what was unpacked"
    assert app.session.series[id].source.path.is_dir()
    assert app.client.delete(f"api/series/{id}").status_code == 204
    assert not list(app.session.folder.iterdir())


@pytest.mark.parametrize("name", ["broken.zip", "folder/README.md"])
def test_a_refusal_names_the_file_and_no_folder_of_the_server(app, name: str) -> None:
    upload = begin(app)
    put(app, upload, name, b"neither DICOM nor a zip")
    refused = app.client.post(f"api/uploads/{upload}/open")
    assert refused.status_code == 400
    assert Path(name).name in refused.json()["error"]
    assert str(app.session.folder) not in refused.json()["error"]

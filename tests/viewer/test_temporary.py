"""Temporary data: private, and gone whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from unmetal.viewer.records import Job, OpenSeries
from unmetal.viewer.temporary import NAME, NEW, STALE_S, sweep, temporary_folder
from unmetal.viewer.uploads import Uploads


@pytest.fixture
def place(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_the_folder_is_ours_alone_and_goes(place: Path) -> None:
    with temporary_folder() as folder:
        assert folder.parent == place
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "deep" / "er").mkdir(parents=True)
        (folder / "deep" / "er" / "file").write_text("x")
    assert not list(place.iterdir())


def test_it_goes_on_an_error_too(place: Path) -> None:
    with pytest.raises(KeyboardInterrupt), temporary_folder():
        raise KeyboardInterrupt
    assert not list(place.iterdir())


def test_what_a_killed_server_left_goes_and_what_a_running_one_has_stays(place: Path) -> None:
    program = (
        "import time; from unmetal.viewer.temporary import temporary_folder\n"
        "with temporary_folder() as folder:\n"
        "    (folder / 'data').write_text('x'); print(folder, flush=True); time.sleep(600)"
    )
    environment = os.environ | {"TMPDIR": str(place)}
    killed, running = (
        subprocess.Popen(
            [sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    )
    try:
        left, kept = (Path(one.stdout.readline().strip()) for one in (killed, running))
        killed.kill()
        killed.wait()
        assert left.exists()
        with temporary_folder():
            assert not left.exists()
            assert (kept / "data").exists()
    finally:
        for one in (killed, running):
            one.kill()
            one.wait()
            one.stdout.close()


def test_links_and_files_of_that_name_are_left_alone(place: Path) -> None:
    (place / "precious").mkdir()
    (place / "precious" / "data").write_text("x")
    (place / f"{NAME}link").symlink_to(place / "precious")
    (place / f"{NAME}file").write_text("x")
    young, old = place / f"{NEW}young", place / f"{NEW}old"
    young.mkdir()
    old.mkdir()
    os.utime(old, (time.time() - STALE_S - 60,) * 2)
    sweep(place)
    assert (place / "precious" / "data").exists()
    assert (place / f"{NAME}link").exists()
    assert (place / f"{NAME}file").exists()
    assert young.exists()
    assert not old.exists()


def test_series_that_nobody_asked_for_are_closed(app, phantom: Path) -> None:
    (one,), (two,) = app.open(phantom), app.open(phantom)
    time.sleep(0.5)
    assert isinstance(app.session.get_series(two), OpenSeries)
    app.session.set_job(Job("job", one, "li"))
    app.session.close_stale(age=0.4)
    assert list(app.session.series) == [one, two], "a job of it waits"
    app.session.set_job(Job("job", one, "li", status="done"))
    app.session.close_stale(age=0.4)
    assert list(app.session.series) == [two]
    assert one not in app.session.filling
    assert [path.name for path in app.session.folder.iterdir()] == [f"{two}.npy"]


def test_uploads_that_were_never_opened_go(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path)
    uploads.begin()
    uploads.close_stale(age=60)
    assert len(list(tmp_path.iterdir())) == 1
    uploads.close_stale(age=0)
    assert not list(tmp_path.iterdir())

"""Fetching from a DICOMweb service whose answers are made up; test_orthanc.py has a real one."""

from collections import Counter
from dataclasses import replace

import pytest
from conftest import config, memory
from hospital import ct_series, encoded

from unmetal.node import dicomweb
from unmetal.node.dicomweb import FoundSeries
from unmetal.node.fetcher import Fetcher, Search
from unmetal.node.intake import Intake
from unmetal.node.queue.arrivals import Arrivals
from unmetal.node.queue.spool import Spool


@pytest.fixture
def fetched(monkeypatch) -> Counter[str]:
    """How often each image of a series is retrieved; the second one is too large for a CT image."""
    images = {str(image.SOPInstanceUID): image for image in ct_series(slices=3, side=8)}
    large = list(images.values())[1]
    large.Rows, large.Columns = 8192, 8192
    found = FoundSeries(large.StudyInstanceUID, large.SeriesInstanceUID, "", len(images))
    times: Counter[str] = Counter()

    def retrieve(client, series, uid: str) -> bytes:
        times[uid] += 1
        return encoded(images[uid])

    monkeypatch.setattr(dicomweb, "search_series", lambda *arguments: [found])
    monkeypatch.setattr(dicomweb, "list_images", lambda *arguments: list(images))
    monkeypatch.setattr(dicomweb, "retrieve_image", retrieve)
    return times


@pytest.fixture
def intake(tmp_path):
    options = config(None, to=("A@h:1",))
    spool = Spool(tmp_path / "spool")
    yield Intake(options.storage, Arrivals(spool, 10))
    spool.close()


def fetcher(intake: Intake) -> Fetcher:
    search = Search.parse("http://127.0.0.1:9/dicom-web/studies/1.2")
    return Fetcher(search, config(None, to=("A@h:1",)), intake, memory())


def test_an_image_that_is_refused_is_not_downloaded_again_and_again(intake, fetched) -> None:
    some = fetcher(intake)
    for _ in range(3):
        some.step()
    assert sorted(fetched.values()) == [1, 1, 1]
    assert '"why": "no image of a CT\'s size"' in some.log.stream.getvalue()
    assert len(list(intake.spool.folder.glob("receiving/*/images/*.dcm"))) == 2


def test_what_found_no_room_is_fetched_later(intake, fetched) -> None:
    some, options = fetcher(intake), intake.config
    intake.config = replace(options, queue=0)
    some.step()
    assert sum(fetched.values()) == 1, "the next image would find no room either"
    intake.config = options
    some.step()
    assert len(list(intake.spool.folder.glob("receiving/*/images/*.dcm"))) == 2

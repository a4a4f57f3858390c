"""The page: nothing fetched, nobody named, every picture labelled, and the numbers beside it."""

import json
import re
import zlib
from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from ct_files import ct_image, save
from PIL import Image

from unmetal import files, software
from unmetal.__main__ import main
from unmetal.display.look import Box, PanelStyle
from unmetal.errors import InputError
from unmetal.files import Derivation
from unmetal.methods.li import LI
from unmetal.reduction.metal_search import find_bodies
from unmetal.reduction.quality_flag import QualityFlag
from unmetal.reduction.reduce_series import Done, Tool
from unmetal.reduction.reduce_volume import Reduced
from unmetal.reduction.report.changes import changes
from unmetal.reduction.report.numbers import NOTICE, report_data
from unmetal.reduction.report.page import NUMBERS, PAGE, render, require_apart, write_report
from unmetal.reduction.report.panels import difference, gray, outline
from unmetal.reduction.report.shown_slices import MOST, choose_slices
from unmetal.reduction.report.slice_values import pack_slices
from unmetal.reduction.settings import Settings

SIDE = 96
SECRETS = ("Nobody", "secret-7", "Thorax", "1.2.826", "very-private")
"""Name, ID, series description, UIDs and path of the source."""


def stored(metal: bool) -> bytes:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    hu = np.full((SIDE, SIDE), -1000)
    hu[((rows - 48) / 32) ** 2 + ((columns - 48) / 40) ** 2 < 1] = 40
    hu += np.random.default_rng(0).integers(-9, 10, hu.shape)
    if metal:
        hu[(rows - 48) ** 2 + (columns - 30) ** 2 < 9] = 4500
    return (hu + 1024).astype("<u2").tobytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four slices, two of them with a rod, in a folder that says whose they are."""
    path = tmp_path_factory.mktemp("very-private")
    for i in range(4):
        image = ct_image(
            i,
            2.5 * i,
            Rows=SIDE,
            Columns=SIDE,
            PixelSpacing=[4.0, 4.0],
            BitsStored=16,
            HighBit=15,
            PixelData=stored(i in (1, 2)),
        )
        save(image, path / f"IM{i}")
    return path


@pytest.fixture(scope="module")
def reduced(folder: Path) -> Reduced:
    """As if streaks had been taken away about the rods."""
    source = files.read(folder, log_warnings=False)
    metal = source.hu > 2500
    rows, columns = np.mgrid[:SIDE, :SIDE]
    change = np.round(60 * np.exp(-((rows - 48) ** 2) / 50 - ((columns - 30) ** 2) / 300))
    kept = metal | ~metal.any((1, 2))[:, None, None] | (source.hu < -500)
    result = np.where(kept, source.hu, source.hu - change)
    doubt = np.where(result != source.hu, np.abs(change), 0).astype(np.float32)
    cautions = (QualityFlag("kernel", "a <sharp> kernel & more"),)
    bodies = find_bodies(source.hu, 4.0, metal)
    clipped = np.array([0, 3, 0, 0])
    return Reduced(source, source.with_hu(result), metal, bodies, cautions, doubt, clipped)


TOOL = Tool(LI(), "ADN", "adn-syn", "ab" * 32, caution="made on a laptop; for trying out")


def done(reduced: Reduced) -> Done:
    return Done(reduced, Derivation(), TOOL, Settings(save_metal=True), 12.5)


class Seen(HTMLParser):
    """Tags, addresses and texts of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.texts: list[str] = []
        self.ids: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in {"src", "href", "xlink:href", "action", "data", "srcset", "poster"}:
                self.addresses.append(value)
            if name == "id":
                self.ids.append(value)
            assert not name.startswith("on"), "a script"

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def rendered(reduced: Reduced) -> tuple[str, dict]:
    page, numbers = render(done(reduced))
    return page, json.loads(numbers)


def test_the_page_needs_nothing_else(rendered):
    seen = Seen(rendered[0])
    assert {address.partition(":")[0] for address in seen.addresses if address[0] != "#"} == {
        "data"
    }
    assert not {"link", "iframe", "object", "base"} & set(seen.tags)
    assert "url(" not in rendered[0]
    assert "@import" not in rendered[0]
    assert "default-src 'none'" in rendered[0]
    assert "http://" not in rendered[0]
    assert "https://" not in rendered[0]


def test_the_policy_lets_the_one_script_of_the_page_run(rendered):
    (code,) = re.findall(r"<script>(.*?)</script>", rendered[0], re.DOTALL)
    digest = b64encode(sha256(code.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', rendered[0])
    assert f"script-src 'sha256-{digest}'" in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2]
    # All other scripts are data, which no browser runs.
    kinds = set(re.findall(r"<script type=\"([^\"]*)\"", rendered[0]))
    assert kinds == {"application/json", "text/plain"}
    assert rendered[0].count("<script>") == 1


def test_links_lead_somewhere_and_ids_are_unique(rendered):
    seen = Seen(rendered[0])
    assert len(seen.ids) == len(set(seen.ids))
    assert {a[1:] for a in seen.addresses if a[0] == "#"} <= set(seen.ids)


def test_tags_are_closed(rendered):
    void = {"meta", "image", "img", "path", "use", "circle"}

    class Balance(HTMLParser):
        open: list[str] = []  # noqa: RUF012

        def handle_starttag(self, tag, attributes):
            if tag not in void:
                self.open.append(tag)

        def handle_endtag(self, tag):
            if tag not in void:
                assert self.open.pop() == tag

    balance = Balance()
    balance.feed(rendered[0])
    assert balance.open == []


def test_what_matters_stands_first(rendered):
    text = " ".join(" ".join(Seen(rendered[0]).texts).split())
    order = [
        "RESEARCH USE ONLY",
        "2 of 4",
        "its own voxels are as they were",
        "A reader could misread this",
        "Made on a laptop; for trying out",
        "Where not to believe it",
        "The slice that changed most",
        "What should not change",
        "1 thing is unusual",
        "a <sharp> kernel & more".capitalize(),
        "All slices",
        "Every slice with metal",
        "By distance from metal",
        "By tissue",
        "Never read this from a corrected series",
        "How it was made",
    ]
    places = [text.find(part) for part in order]
    assert -1 not in places
    assert places == sorted(places)
    assert text.count("RESEARCH USE ONLY") >= 2


def test_nobody_is_named_unless_asked_for(reduced, rendered):
    page, numbers = rendered
    for secret in SECRETS:
        assert secret not in page
        assert secret not in json.dumps(numbers)
    page, asked = render(done(reduced), identifiers=True)
    for secret in SECRETS:
        assert secret in page
        assert secret in asked


def test_the_json_says_what_the_page_says(reduced, rendered):
    page, numbers = rendered
    assert numbers["notice"] == NOTICE
    assert numbers["metal"]["before_voxels"] == numbers["metal"]["after_voxels"] > 0
    assert numbers["series"]["with_metal"] == numbers["series"]["changed"] == 2
    assert [one["slice"] for one in numbers["slices"]] == [2, 3]
    assert [one["name"] for one in numbers["slices"]] == ["image 1", "image 2"]
    assert numbers["clipped"] == 3
    assert numbers["run"]["sha256"] == "ab" * 32
    assert set(numbers["run"]["versions"]) == {*software.versions()}
    again = report_data(done(reduced), changes(reduced)) | {"preview": numbers["preview"]}
    again["run"]["date"] = numbers["run"]["date"]
    assert json.loads(json.dumps(again, allow_nan=False)) == numbers
    whole, parts = numbers["changes"], numbers["changes"]["by_distance"].values()
    assert sum(part["ml"] for part in parts) == pytest.approx(whole["all"]["ml"], rel=1e-3)
    fall = whole["all"]["fall_hu"]
    assert fall == float((reduced.volume.hu - reduced.source.hu).min())
    assert f"−{-fall:.0f}" in page


def test_a_broken_promise_cannot_be_overlooked(reduced):
    hu = reduced.volume.hu.copy()
    hu[1][reduced.metal[1]] -= 1
    page, _ = render(done(replace(reduced, volume=reduced.volume.with_hu(hu))))
    text = " ".join(" ".join(Seen(page).texts).split())
    assert "NOT left alone as promised: do not use this result" in text
    assert "its own voxels are as they were" not in text
    assert text.find("NOT left alone") < text.find("2 of 4") < text.find("The slice that changed")


def test_a_series_without_metal_is_said_to_be_unchanged(reduced):
    none = np.zeros(reduced.metal.shape, bool)
    nothing = Reduced(reduced.source, reduced.source, none, none, clipped=np.zeros(4, int))
    page, numbers = render(done(nothing))
    text = " ".join(" ".join(Seen(page).texts).split())
    assert "0 of 4" in text
    assert "every pixel is as it was" in text
    assert "The slice that changed most" not in text
    assert json.loads(numbers)["changes"]["all"]["changed"] is None


def test_every_picture_says_research_use_only_in_its_pixels():
    flat, metal, look = (
        np.zeros((80, 120), np.float32),
        np.zeros((80, 120), bool),
        PanelStyle(Box(0, 80, 0, 120)),
    )
    for panel in (gray("a", flat, metal, look), difference("b", flat, metal, metal, look)):
        picture = Image.open(BytesIO(b64decode(panel.picture.partition(",")[2]))).convert("RGB")
        pixels = np.asarray(picture, int)
        assert picture.width >= 320
        corner = pixels[int(0.85 * len(pixels)) :, : len(pixels[0]) // 2]
        assert corner.max() - corner.min() > 100
        assert np.ptp(pixels[: int(0.8 * len(pixels))]) == 0


def test_metal_is_outlined_where_it_is():
    mask = np.zeros((80, 120), bool)
    mask[20:30, 40:60] = True
    path = outline(mask, PanelStyle(Box(10, 70, 20, 100), (2.0, 0.5)))
    points = np.array([part.split() for part in path.strip("MZ").split("L")], float)
    assert path.count("M") == path.count("Z") == 1
    assert len(points) == 9, "the corners of a pixel are cut, and the first point comes again"
    assert points[:, 0].min() == pytest.approx((40 - 20) * 0.5, abs=0.3)
    assert points[:, 0].max() == pytest.approx((60 - 20) * 0.5, abs=0.3)
    assert points[:, 1].min() == pytest.approx((20 - 10) * 2, abs=1.1)
    assert points[:, 1].max() == pytest.approx((30 - 10) * 2, abs=1.1)


def test_of_many_slices_those_that_matter_are_shown_large(reduced):
    found = changes(reduced)
    one = found.slices[0]
    many = tuple(replace(one, index=i, metal=i == 17, disagreement_p99=i == 33) for i in range(50))
    large = choose_slices(replace(found, slices=many))
    places = [it.index for it in large]
    assert len(places) == MOST
    assert places == sorted(places)
    assert {17, 33} <= set(places)
    assert choose_slices(found) == list(found.slices)


def test_the_expected_error_is_the_fourth_picture(reduced: Reduced) -> None:
    expected = np.full(reduced.source.hu.shape, 30, np.float32)
    alone = replace(reduced, disagreement=None, expected_error=expected)
    page, numbers = render(done(alone))
    assert "<b>expected error</b>" in page
    assert "disagreement" not in page
    assert all(one["doubtful_ml"] == 0 for one in json.loads(numbers)["slices"])
    page, _ = render(done(replace(alone, expected_error=None)))
    assert "does not say how wrong it may be" in page


def unpacked(text: str, rows: int, columns: int, step: int) -> list[np.ndarray]:
    """What the page's script does: before and after, HU `[H W]`."""
    planes = np.frombuffer(zlib.decompress(b64decode(text)), np.uint8)
    coded = planes.reshape(2, 2, rows, columns).astype(int)
    zigzag = coded[:, 0] + 256 * coded[:, 1]
    left = (zigzag >> 1) ^ -(zigzag & 1)
    values = left.cumsum(2).astype(np.int16).astype(int)
    return [step * values[0], step * values.sum(0).astype(np.int16).astype(int)]


def test_the_page_holds_the_hu_of_both_series(reduced: Reduced) -> None:
    pairs = list(zip(reduced.source.hu, reduced.volume.hu, strict=True))
    packed = pack_slices(pairs)
    assert packed is not None
    assert (packed.step, packed.shrink) == (1, 1)
    for text, pair in zip(packed.texts, pairs, strict=True):
        held = unpacked(text, packed.rows, packed.columns, packed.step)
        assert all(np.array_equal(mine, its) for mine, its in zip(held, pair, strict=True))


def test_extreme_hu_survive_their_coding() -> None:
    before = np.array([[-32768, 32767, -32768, 0], [32767, -1, 1, 3071]], float)
    after = before[:, ::-1].copy()
    packed = pack_slices([(before, after)])
    assert packed is not None
    assert np.array_equal(unpacked(packed.texts[0], 2, 4, 1), [before, after])


def test_the_size_of_a_page_is_bounded() -> None:
    noise = np.random.default_rng(0).normal(0, 60, (1100, 700))
    packed = pack_slices([(noise, noise + 1)] * 3, budget=300_000)
    assert packed is not None
    assert (packed.rows, packed.columns, packed.shrink) == (367, 234, 3)
    assert packed.step > 1
    assert sum(map(len, packed.texts)) <= 300_000
    held = unpacked(packed.texts[0], packed.rows, packed.columns, packed.step)
    assert abs(held[0][0, 0] - noise[:3, :3].mean()) <= packed.step / 2
    assert pack_slices([]) is None


def test_a_report_replaces_nothing_unasked_and_appears_whole(reduced, tmp_path, monkeypatch):
    out = tmp_path / "report"
    write_report(done(reduced), out)
    assert {path.name for path in out.iterdir()} == {PAGE, NUMBERS}
    (out / PAGE).write_text("mine")
    with pytest.raises(InputError, match="--force"):
        write_report(done(reduced), out)
    assert (out / PAGE).read_text() == "mine"
    write_report(done(reduced), out, force=True)
    assert (out / PAGE).read_text().startswith("<!doctype html>")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(InputError, match="No space left"):
        write_report(done(reduced), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_a_report_lies_neither_in_the_input_nor_in_the_output(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    for place in (source, source / "report", output, output / "deep" / "er"):
        with pytest.raises(InputError, match="another folder"):
            require_apart(place, source, output)
    require_apart(tmp_path / "report", source, output)
    require_apart(tmp_path, tmp_path / "in.nii.gz", tmp_path / "out.nii.gz")


@pytest.mark.recipe
def test_reduce_reports(folder, tmp_path, capsys):
    out, report = tmp_path / "out", tmp_path / "report"
    command = ["reduce", str(folder), str(out), "--method", "li", "--report", str(report)]
    assert main(command) == 0
    numbers = json.loads((report / NUMBERS).read_text())
    after, before = (files.read(path, log_warnings=False) for path in (out, folder))
    change = after.hu - before.hu
    assert numbers["changes"]["all"]["fall_hu"] == change.min()
    assert numbers["changes"]["all"]["rise_hu"] == change.max()
    assert numbers["run"]["method"] == "LI"
    assert not [check for check in numbers["checks"] if check["state"] == "broken"]
    assert "very-private" not in (report / PAGE).read_text()
    capsys.readouterr()
    assert main(["reduce", str(folder), str(tmp_path / "two"), *command[3:]]) == 1
    assert "--force" in capsys.readouterr().err
    assert not (tmp_path / "two").exists()

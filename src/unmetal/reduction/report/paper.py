"""The report on paper: a PDF of A4 pages, for archives that take no HTML.

No date, time or place of computing stands in it: a second run makes the same file.
"""

from __future__ import annotations

import textwrap
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from PIL import Image

from unmetal.display.sheet import LABEL, METAL, axes_at, write
from unmetal.reduction.reduce_series import Done
from unmetal.reduction.report.changes import VISIBLE_HU
from unmetal.reduction.report.content import page_content
from unmetal.reduction.report.format import hu, ml, percent
from unmetal.reduction.report.numbers import NOTICE
from unmetal.reduction.report.panels import Panel

WIDTH, HEIGHT, MARGIN = 8.27, 11.69, 0.6
"""inches: A4, and what is left free on each side."""

LETTERS = 105
"""Letters of a line across the page in 9 points; measured on the widest of our sentences."""

MOST_PX = 420
"""Width of a picture, pixels: 200 to the inch where two stand side by side."""

SHOWN = 8
"""Slices after the first page, at most."""

LISTED = 12
"""Objects, at most; the page in HTML and its JSON list all of them."""

DOTS = 150
"""Pixels to the inch of what is drawn upon a picture."""

COLORS = {"metal": METAL, "ring": "#d9a800", "alone": "#0f9db3", "body": "0.6"}
"""Of the outlines of a `Panel`, by field."""


def report_pdf(done: Done) -> bytes:
    """The report of a reduction as a PDF that names nobody."""
    numbers, drawn = page_content(done)
    with paper(numbers["run"]["method"]) as sheet:
        _first_page(sheet, numbers, drawn)
        _slices(sheet, drawn)
        _objects(sheet, drawn["object_rows"], len(numbers["objects"]))
        _never(sheet)
    return sheet.buffer.getvalue()


@dataclass
class Paper:
    """Pages that are filled from the top; a new one begins where something has no room."""

    pages: PdfPages
    buffer: BytesIO
    figure: Figure | None = None
    top: float = 0.0
    """inches from the upper edge: where the next thing goes."""
    count: int = 0

    def room(self, height: float) -> Figure:
        """The page that has `height` inches left, a new one if need be."""
        if self.figure is None or self.top + height > HEIGHT - MARGIN - 0.2:
            self.finish()
            self.count += 1
            self.figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DOTS)
            self.figure.text(
                0.5, 1 - 0.32 / HEIGHT, LABEL, ha="center", weight="bold", color="black", size=10,
                bbox={"facecolor": "#ffcc00", "edgecolor": "none", "pad": 4},
            )  # fmt: skip
            write(
                self.figure, WIDTH - MARGIN, HEIGHT - 0.4, f"page {self.count}", size=8, ha="right"
            )
            self.top = MARGIN + 0.1
        return self.figure

    def finish(self) -> None:
        """Write the page that was begun, if any."""
        if self.figure is not None:
            self.pages.savefig(self.figure)
        self.figure = None

    def text(self, said: str, *, size: float = 9, indent: float = 0.0, **style: Any) -> None:
        """A paragraph, broken into lines."""
        letters = round(LETTERS * 9 / size * (1 - indent / (WIDTH - 2 * MARGIN)))
        # Bold letters are wider by a seventh.
        letters = round(0.86 * letters) if "weight" in style else letters
        for line in textwrap.wrap(said, letters) or [""]:
            height = size / 72 * 1.4
            figure = self.room(height)
            write(figure, MARGIN + indent, self.top, line, size=size, va="top", **style)
            self.top += height

    def heading(self, said: str, *, below: float = 0.6) -> None:
        """A heading that stays with what comes `below` it, inches."""
        self.top += 0.12
        self.room(0.3 + below)
        self.text(said, size=11, weight="bold")
        self.top += 0.03

    def item(self, sign: str, said: str, color: str = "black") -> None:
        """A sentence with a sign before it."""
        figure = self.room(0.36)
        write(figure, MARGIN, self.top, sign, size=9, va="top", color=color, weight="bold")
        self.text(said, indent=0.28)
        self.top += 0.03

    def pictures(self, panels: tuple[Panel, ...], columns: int) -> None:
        """Panels in rows of so many, each with its name."""
        width = (WIDTH - 2 * MARGIN - 0.08 * (columns - 1)) / columns
        height = width * panels[0].height / panels[0].width
        for first in range(0, len(panels), columns):
            figure = self.room(height + 0.2)
            for place, panel in enumerate(panels[first : first + columns]):
                left = MARGIN + place * (width + 0.08)
                _draw(axes_at(figure, left, self.top, width, height), panel)
                write(figure, left, self.top + height + 0.03, panel.name, size=7.5, va="top")
            self.top += height + 0.2


@contextmanager
def paper(method: str) -> Iterator[Paper]:
    """Pages that are written at the end, with fonts that can be searched and copied."""
    buffer = BytesIO()
    about = {
        "Title": f"Metal artifact reduction by {method}: what changed. {LABEL}",
        "Creator": "unmetal",
        "CreationDate": None,
    }
    fonts = rc_context({"pdf.fonttype": 42, "pdf.compression": 9})
    with fonts, PdfPages(buffer, metadata=about) as pages:
        sheet = Paper(pages, buffer)
        yield sheet
        sheet.finish()


def _first_page(sheet: Paper, numbers: dict[str, Any], drawn: dict[str, Any]) -> None:
    what = "what changed" if drawn["changed"] else "nothing was changed"
    sheet.room(1.0)
    sheet.text(f"Metal artifact reduction: {what}", size=15, weight="bold")
    # The last part is the date of the run.
    sheet.text(" · ".join(drawn["subtitle"][:-1]), size=8, color="0.3")
    sheet.text(NOTICE, size=8, color="0.3")
    sheet.top += 0.08
    sheet.text(_verdict(numbers, drawn["changed"]), size=10)
    marks = {"kept": ("✓", "#157347"), "look": ("!", "#8a5a00"), "broken": ("✗", "#b3261e")}
    if drawn["broken"]:
        sheet.heading("NOT left alone as promised: do not use this result")
    for level, said in (("misread", "A reader could misread this"), ("unusual", "Unusual")):
        found = [one["message"] for one in numbers["warnings"] if one["level"] == level]
        if found:
            sheet.heading(said)
        for message in found:
            sheet.item("•", message[:1].upper() + message[1:])
    if drawn["front"]:
        sheet.heading(f"The slice that changed most: {drawn['front']['title']}", below=2.5)
        sheet.pictures(drawn["front"]["panels"], 2)
        _legend(sheet, drawn)
    if numbers["caveats"]:
        sheet.heading("Where not to believe it")
    for caveat in numbers["caveats"]:
        sheet.item("•", caveat)
    sheet.heading("What should not change")
    for check in numbers["checks"]:
        sign, color = marks[check["state"]]
        sheet.item(sign, f"{check['name']}: {check['message']}", color)


def _verdict(numbers: dict[str, Any], changed: bool) -> str:
    series, its = numbers["series"], numbers["changes"]["all"]
    if not changed:
        return f"0 of {series['slices']} slices changed: every pixel is as it was."
    return (
        f"{series['changed']} of {series['slices']} slices changed, in which "
        f"{percent(its['visible'])} of the body changed by more than {hu(VISIBLE_HU)}; "
        f"{hu(its['mean_amount_hu'])} on average, {hu(its['fall_hu'])} to "
        f"{hu(its['rise_hu'], signed=True)}. Metal corrected: "
        f"{ml(numbers['metal']['before_ml'])}."
    )


def _legend(sheet: Paper, drawn: dict[str, Any]) -> None:
    style = drawn["style"]
    window = f"W {style.window.width:g} L {style.window.level:g} HU".replace("-", "−")
    text = (
        f"Window {window}. Red: metal that was corrected. Yellow: within {drawn['ring_mm']:g} mm "
    )
    text += (
        "of it, least to be believed. Cyan: dense, left alone. After − before: blue fell, orange "
    )
    text += f"rose, full at {style.diff_limit:g} HU."
    if drawn["doubt"]:
        text += f" {drawn['doubt'].capitalize()}: black 0, light {drawn['doubt_hu']:g} HU."
    sheet.text(text, size=7.5, color="0.3")


def _slices(sheet: Paper, drawn: dict[str, Any]) -> None:
    rest = [
        one for one in drawn["pictures"] if one["number"] != (drawn["front"] or {}).get("number")
    ]
    if not rest:
        return
    # Evenly over those that the page shows.
    some = np.unique(np.linspace(0, len(rest) - 1, min(SHOWN, len(rest))).round().astype(int))
    sheet.heading("Further slices", below=1.8)
    for one in (rest[place] for place in some):
        sheet.room(1.7)
        sheet.text(f"{one['title']}: {one['caption']}", size=8)
        sheet.pictures(one["panels"], 4)


def _objects(sheet: Paper, rows: list[dict[str, Any]], count: int) -> None:
    if not rows:
        return
    sheet.heading(f"Objects that could be metal: {count}")
    for one in rows[:LISTED]:
        said = f"{one['decision']}, {one['where']}, {one['volume']}, up to {hu(one['peak_hu'])}"
        sheet.item(f"{one['number']}", f"{said}: {one['why'][:1].lower()}{one['why'][1:]}.")
    if count > LISTED:
        sheet.text(f"{count - LISTED} more, all in the report's page or its JSON.", size=8)


def _never(sheet: Paper) -> None:
    sheet.heading("Never read this from a corrected series")
    for said in (
        "Whether hardware is intact or loose.",
        "What lies within 5 mm of metal.",
        "A finding that only the corrected series shows.",
        "Bone density; HU for dose near the implant.",
    ):
        sheet.item("•", said)


def _draw(axes: Axes, panel: Panel) -> None:
    """A panel's picture and its outlines; lengths in mm of the patient."""
    with Image.open(BytesIO(b64decode(panel.picture.partition(",")[2]))) as opened:
        picture = opened.convert("RGB")
    if picture.width > MOST_PX:
        picture = picture.resize((MOST_PX, round(MOST_PX * picture.height / picture.width)))
    axes.imshow(
        np.asarray(picture), extent=(0, panel.width, panel.height, 0), aspect="auto",
        interpolation="nearest",
    )  # fmt: skip
    for name, color in COLORS.items():
        for points in _lines(getattr(panel, name)):
            axes.plot(*points.T, color=color, linewidth=0.6)
    axes.set_xlim(0, panel.width)
    axes.set_ylim(panel.height, 0)
    axes.spines[:].set_visible(False)
    if panel.edges:
        for x, y, letter in (
            (0.02, 0.5, panel.edges.left),
            (0.98, 0.5, panel.edges.right),
            (0.5, 0.95, panel.edges.top),
            (0.5, 0.06, panel.edges.bottom),
        ):
            axes.text(
                x,
                y,
                letter,
                transform=axes.transAxes,
                color="0.9",
                size=7,
                ha="center",
                va="center",
            )


def _lines(path: str) -> Iterator[np.ndarray]:
    """float `[n 2]`, mm: the lines of SVG path data as `panels.outline` writes it."""
    for line in path.split("M")[1:]:
        points = [pair.split() for pair in line.rstrip("Z").split("L")]
        yield np.array(points, float)

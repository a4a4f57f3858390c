"""The report of a reduction: one HTML page that needs nothing else, and its numbers as JSON."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from unmetal.errors import InputError, short_error
from unmetal.files.staging import refuse_overwrite, staged
from unmetal.reduction.reduce_series import Done
from unmetal.reduction.report.content import page_content
from unmetal.reduction.report.format import hu, ml, number, percent

PAGE, NUMBERS = "report.html", "report.json"

TEMPLATES = files("unmetal.reduction.report") / "templates"


def check_report(folder: Path, source: Path, output: Path, *, force: bool) -> None:
    """Raise `InputError` where a report would replace something unasked, or lie in the way."""
    require_apart(folder, source, output)
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder}: is a file; a report needs a folder")
    for name in (PAGE, NUMBERS):
        refuse_overwrite(folder / name, folder=False, source=source, force=force)


def require_apart(folder: Path, source: Path, output: Path) -> None:
    """Raise `InputError` where a report would lie within the input or among the output's files."""
    inside = {folder.resolve(), *folder.resolve().parents}
    for place, what in ((source, "input"), (output, "output")):
        if place.resolve() in inside:
            raise InputError(f"{folder}: lies in the {what}: give the report another folder")


def write_report(
    done: Done, folder: Path, *, identifiers: bool = False, force: bool = False
) -> None:
    """Write `report.html` and `report.json` into a folder: both, or none.

    identifiers: also say whose images these are.
    Raises `InputError` for a folder that cannot be written, or holds a report, unless `force`.
    """
    page, numbers = render(done, identifiers=identifiers)
    if not force and any((folder / name).exists() for name in (PAGE, NUMBERS)):
        raise InputError(f"{folder}: holds a report: give another folder, or --force to replace it")
    write_texts(folder, {PAGE: page, NUMBERS: numbers}, force=force)


def write_texts(folder: Path, texts: dict[str, str], *, force: bool) -> None:
    """Write texts by file name, all or none; raises `InputError` for a full disk."""
    try:
        with staged(folder / next(iter(texts)), force=force) as target:
            for name, text in texts.items():
                target.with_name(name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: cannot be written: {short_error(error)}") from error


def render(done: Done, *, identifiers: bool = False) -> tuple[str, str]:
    """The page as HTML and its numbers as JSON."""
    numbers, drawn = page_content(done, identifiers=identifiers)
    page = template("page.html").render({"identifiers": None} | numbers | drawn)
    return page, json.dumps(numbers, indent=1, allow_nan=False)


@cache
def template(name: str) -> Template:
    """A template that escapes values, knows `css`, and raises for names that are not defined."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"number": number, "hu": hu, "ml": ml, "percent": percent}
    environment.globals["css"] = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    return environment.from_string((TEMPLATES / name).read_text(encoding="utf-8"))

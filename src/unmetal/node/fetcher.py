"""Looks for CT series at a DICOMweb service again and again, and fetches the unknown ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from unmetal.errors import InputError
from unmetal.node import dicomweb
from unmetal.node.config import Config
from unmetal.node.destination import UnreachableError, without_password
from unmetal.node.dicomweb import Found
from unmetal.node.intake import Intake, RefusedError
from unmetal.node.log import Log
from unmetal.node.queue.arrivals import key

PATH = re.compile(r"(.*?)/(?:studies(?:/([0-9.]+)(?:/series(?:/([0-9.]+))?)?)?|series)/?")
"""What stands before, study and series of a QIDO-RS or WADO-RS path."""

OURS = "[unmetal "
"""In the description of a series that we derived: fetching it would be for nothing."""


@dataclass(frozen=True)
class Search:
    """Which series are wanted."""

    base: str
    study: str | None
    filters: dict[str, str]

    @staticmethod
    def parse(url: str) -> Search:
        """A URL as in PS3.18 table 10.6.1-2; raises InputError for one that means everything."""
        parts = urlsplit(without_password(url))
        match = PATH.fullmatch(parts.path)
        if parts.scheme not in {"http", "https"} or match is None:
            raise InputError(f"--from {url}: end it in /studies/UID or /series?KEYWORD=VALUE")
        base, study, series = match.groups()
        filters = dict(parse_qsl(parts.query))
        if series:
            filters["SeriesInstanceUID"] = series
        if study is None and not filters:
            raise InputError(f"--from {url}: means the whole archive: name a study or a date")
        return Search(f"{parts.scheme}://{parts.netloc}{base}", study, filters)


class Fetcher:
    """One search."""

    def __init__(self, search: Search, config: Config, intake: Intake, log: Log) -> None:
        self.search, self.intake, self.log = search, intake, log
        self.poll = config.send.poll
        self.client = dicomweb.client(search.base, config.receive)

    def step(self) -> float:
        """Look once, and fetch what is new; seconds until the next look."""
        try:
            for found in dicomweb.search(self.client, self.search.filters, self.search.study):
                if OURS not in found.description and not self._is_known(found):
                    self._fetch(found)
        except UnreachableError as error:
            self.log("not fetched", at=self.search.base, why=str(error))
        return self.poll

    def _is_known(self, found: Found) -> bool:
        known = len(self.intake.spool.known(key(found.study, found.series)))
        return 0 < (found.images or 1) <= known

    def _fetch(self, found: Found) -> None:
        series = key(found.study, found.series)
        listed = dicomweb.images(self.client, found)
        known, new = self.intake.spool.known(series), 0
        try:
            for image in listed:
                if key(image) + ".dcm" not in known:
                    content = dicomweb.retrieve(self.client, found, image)
                    new += self.intake.take(content, instance_uid=image, expected=len(listed))[1]
        except RefusedError as refusal:
            self.log("not fetched", series=series, at=self.search.base, why=refusal.reason)
        self.log("fetched", series=series, at=self.search.base, images=new)

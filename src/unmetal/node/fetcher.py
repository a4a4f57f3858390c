"""Searches a DICOMweb service for CT series again and again, and fetches the new ones."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from unmetal.errors import InputError
from unmetal.node import dicomweb
from unmetal.node.config import Config
from unmetal.node.dicomweb import FoundSeries
from unmetal.node.intake import OUT_OF_RESOURCES, Intake, RefusedError
from unmetal.node.log import Log
from unmetal.node.queue.arrivals import uid_hash
from unmetal.sending.destination import UnreachableError, check_url

PATH = re.compile(r"(.*?)/(?:studies(?:/([0-9.]+)(?:/series(?:/([0-9.]+))?)?)?|series)/?")
"""The path of a QIDO-RS or WADO-RS URL: what stands before, the study, the series."""

OWN_MARK = "[unmetal "
"""In the description of every derived series: these are not fetched."""


@dataclass(frozen=True)
class Search:
    """Which series of which service to fetch."""

    base: str
    study: str | None
    filters: dict[str, str]

    @staticmethod
    def parse(url: str) -> Search:
        """A URL as in PS3.18 table 10.6.1-2; raises `InputError` for one that means everything."""
        parts = urlsplit(check_url(url))
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
    """Fetches what one search finds."""

    def __init__(self, search: Search, config: Config, intake: Intake, log: Log) -> None:
        self.search, self.intake, self.log = search, intake, log
        self.poll = config.send.poll
        self.client = dicomweb.make_client(search.base, config.receive)
        self.refused: dict[str, set[str]] = {}
        """Names of images that were no CT images, for each series: not fetched again."""

    def step(self) -> float:
        """Search once, and fetch what is new; returns the seconds until the next search."""
        search = self.search
        try:
            for found in dicomweb.search_series(self.client, search.filters, search.study):
                series = uid_hash(found.study, found.series)
                known = self.intake.spool.known_images(series) | self.refused.get(series, set())
                if OWN_MARK not in found.description and len(known) < (found.images or 1):
                    self._fetch(found, series, known)
        except UnreachableError as error:
            self.log("not fetched", at=search.base, why=str(error))
        return self.poll

    def _fetch(self, found: FoundSeries, series: str, known: set[str]) -> None:
        images, new = dicomweb.list_images(self.client, found), 0
        for image in images:
            name = uid_hash(image) + ".dcm"
            if name in known:
                continue
            try:
                content = dicomweb.retrieve_image(self.client, found, image)
                new += self.intake.take(content, instance_uid=image, expected=len(images))[1]
            except RefusedError as refusal:
                self.log("not fetched", series=series, at=self.search.base, why=refusal.reason)
                if refusal.status == OUT_OF_RESOURCES:
                    break
                self.refused.setdefault(series, set()).add(name)
        self.log("fetched", series=series, at=self.search.base, images=new)

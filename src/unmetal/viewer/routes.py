"""What the page may ask for, below the token; docs/viewer.md lists it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from unmetal.errors import InputError
from unmetal.methods import DEFAULT_METHOD, all_methods
from unmetal.software import version
from unmetal.viewer import asked, volumes
from unmetal.viewer.export_routes import ExportRoutes
from unmetal.viewer.jobs import JobQueue
from unmetal.viewer.measurements import measure
from unmetal.viewer.opening import Opener
from unmetal.viewer.records import OpenSeries, new_id
from unmetal.viewer.session import NotOpenError, Session
from unmetal.viewer.uploads import TooLargeError, Uploads
from unmetal.weights.released import released

PING_S = 15.0
"""Pause after which an idle stream of events says that it lives."""

SHORTEST_S = 0.2
"""Between two events: progress need not be seen more often."""


@dataclass
class Routes:
    """The routes, over what is open."""

    session: Session
    opener: Opener
    jobs: JobQueue
    uploads: Uploads
    exports: ExportRoutes
    destinations: bool
    """Whether series can be sent: pynetdicom is there."""

    def all(self) -> list[Route]:
        """Every route."""
        return [
            Route("/api/state", self.state),
            Route("/api/events", self.events),
            Route("/api/uploads", self.begin_upload, methods=["POST"]),
            Route("/api/uploads/{id}/files", self.put_file, methods=["PUT"]),
            Route("/api/uploads/{id}/open", self.open_upload, methods=["POST"]),
            Route("/api/series/{id}", self.close_series, methods=["DELETE"]),
            Route("/api/series/{id}/original.nii", self.original),
            Route("/api/series/{id}/slice.png", self.slice_picture),
            Route("/api/series/{id}/metal", self.put_mask, methods=["PUT"]),
            Route("/api/series/{id}/measure", self.measure, methods=["POST"]),
            Route("/api/series/{id}/jobs", self.add_job, methods=["POST"]),
            Route("/api/jobs/{id}/cancel", self.cancel_job, methods=["POST"]),
            Route("/api/results/{id}", self.close_result, methods=["DELETE"]),
            Route("/api/results/{id}/{name}.nii", self.result_volume),
            *self.exports.all(),
        ]

    def everything(self) -> dict[str, Any]:
        """The data of `api/state`."""
        return {
            "version": version(),
            "methods": methods(),
            **self.session.public(),
            "upload_limit_bytes": self.uploads.limit,
            "destinations": self.destinations,
        }

    async def state(self, request: Request) -> Response:
        """GET api/state."""
        return JSONResponse(self.everything())

    async def events(self, request: Request) -> Response:
        """GET api/events: the state at once and after every change."""
        return StreamingResponse(self._events(), media_type="text/event-stream")

    async def _events(self) -> AsyncIterator[str]:
        changed = self.session.changed
        while not self.session.closing:
            seen = changed.count
            yield f"event: state\ndata: {json.dumps(self.everything())}\n\n"
            await asyncio.sleep(SHORTEST_S)
            while not self.session.closing:
                try:
                    await asyncio.wait_for(changed.wait(seen), PING_S)
                    break
                except TimeoutError:
                    yield ": ping\n\n"

    async def begin_upload(self, request: Request) -> Response:
        """POST api/uploads."""
        return JSONResponse({"id": self.uploads.begin().id})

    async def put_file(self, request: Request) -> Response:
        """PUT api/uploads/{id}/files?path=RELATIVE."""
        stated = request.headers.get("content-length", "")
        length = int(stated) if stated.isdigit() else None
        content = request.stream()
        name = request.query_params.get("path", "")
        try:
            size = await self.uploads.put(request.path_params["id"], name, length, content)
        except (TooLargeError, InputError):
            # A browser reads no answer before it has sent everything.
            async for _ in content:
                pass
            raise
        return JSONResponse({"bytes": size})

    async def open_upload(self, request: Request) -> Response:
        """POST api/uploads/{id}/open."""
        path = await asyncio.to_thread(self.uploads.end, request.path_params["id"])
        ids, left_out = await self.opener.open(path)
        session = self.session
        listed = [session.series[id] for id in ids if id in session.series]
        series = [one.public(ready=session.filling[one.id].ready) for one in listed]
        lines = [{"what": one.what, "why": one.why} for one in left_out]
        return JSONResponse({"series": series, "left_out": lines})

    async def close_series(self, request: Request) -> Response:
        """DELETE api/series/{id}; its jobs are cancelled."""
        id = request.path_params["id"]
        self.session.get_series(id)
        self.jobs.cancel_series(id)
        self.session.close_series(id)
        return Response(status_code=204)

    async def original(self, request: Request) -> Response:
        """GET api/series/{id}/original.nii, while it is still being read, too."""
        series = self._series(request)
        source = volumes.original(series)
        # The first slice first: what cannot be read at all is answered with its reason.
        await self.session.slice_read(series, 0)
        stream = volumes.nifti_while_read(
            source, lambda index: self.session.slice_read(series, index)
        )
        return _volume(stream, source)

    async def slice_picture(self, request: Request) -> Response:
        """GET api/series/{id}/slice.png?k=K&width=W&level=L."""
        series = self._series(request)
        index = asked.slice_index(request.query_params, series.grid)
        window = asked.window(request.query_params)
        await self.session.slice_read(series, index)
        hu = np.load(series.values, mmap_mode="r")[index]
        picture = await asyncio.to_thread(volumes.png, hu, window)
        return Response(picture, media_type="image/png")

    async def put_mask(self, request: Request) -> Response:
        """PUT api/series/{id}/metal."""
        from unmetal.viewer.drawn_mask import most_bytes, read_drawn  # noqa: PLC0415  (nibabel)

        series = self._series(request)
        content = await asked.body(request, most_bytes(series.grid), "the mask")
        mask = await asyncio.to_thread(read_drawn, content, series.grid)
        id = new_id()
        path = self.session.folder / f"mask-{id}.npy"
        await asyncio.to_thread(np.save, path, mask)
        self.session.masks[id] = (series.id, path)
        slices = int(mask.any((1, 2)).sum())
        return JSONResponse({"id": id, "voxels": int(mask.sum()), "slices": slices})

    async def measure(self, request: Request) -> Response:
        """POST api/series/{id}/measure."""
        series = await self.session.all_read(request.path_params["id"])
        given = await asked.json_object(request)
        shape = asked.shape(given)
        names = given.get("results", [])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise InputError("results: give a list of ids")
        results = {name: self.session.get_result(name) for name in names}
        if any(one.series != series.id for one in results.values()):
            raise InputError("a result of another series")
        before = np.load(series.values, mmap_mode="r")
        after = {id: np.load(one.array("corrected"), mmap_mode="r") for id, one in results.items()}
        found = await asyncio.to_thread(measure, shape, series.grid, before, after)
        return JSONResponse(found)

    async def add_job(self, request: Request) -> Response:
        """POST api/series/{id}/jobs."""
        given = await asked.json_object(request)
        method, metal = given.get("method"), given.get("metal")
        if method not in {one["name"] for one in methods()}:
            raise InputError(f"method: give one of {', '.join(one['name'] for one in methods())}")
        if metal is not None and not isinstance(metal, str):
            raise InputError("metal: give the id of a mask, or null")
        job = self.jobs.add(request.path_params["id"], str(method), metal)
        return JSONResponse(job.public(0.0))

    async def cancel_job(self, request: Request) -> Response:
        """POST api/jobs/{id}/cancel."""
        return JSONResponse(self.jobs.cancel(request.path_params["id"]).public(0.0))

    async def close_result(self, request: Request) -> Response:
        """DELETE api/results/{id}."""
        self.session.close_result(request.path_params["id"])
        return Response(status_code=204)

    async def result_volume(self, request: Request) -> Response:
        """GET api/results/{id}/corrected.nii and its fellows."""
        series, result = self.session.get_both(request.path_params["id"])
        name = request.path_params["name"]
        if name not in volumes.NAMES:
            raise NotOpenError(f"{name}: there is no such volume")
        if name == "error" and not result.has_error:
            raise NotOpenError("this method does not say how wrong its result may be")
        source = volumes.of_result(name, series, result)
        return _volume(volumes.nifti(source), source)

    def _series(self, request: Request) -> OpenSeries:
        return self.session.get_series(request.path_params["id"])


@cache
def methods() -> list[dict[str, Any]]:
    """The methods that can be run as they are, for the page."""
    return [
        {
            "name": name,
            "title": name.upper(),
            "line": entry.description,
            "default": name == DEFAULT_METHOD,
        }
        for name, entry in all_methods().items()
        if not entry.weights or entry.weights in released()
    ]


def _volume(stream: Any, source: volumes.SliceSource) -> StreamingResponse:
    """A NIfTI file, with its size so that a browser can show progress."""
    size = {"Content-Length": str(source.bytes)}
    return StreamingResponse(stream, media_type="application/octet-stream", headers=size)

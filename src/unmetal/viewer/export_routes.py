"""What of a result may be taken away and sent, below the token; docs/viewer.md lists the routes."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from unmetal.errors import InputError
from unmetal.viewer import asked
from unmetal.viewer.exports import PICTURE, download_name, media_type, why_not
from unmetal.viewer.records import new_id
from unmetal.viewer.session import Session
from unmetal.viewer.task_process import ProcessEndedError, TaskFailedError, TaskProcess
from unmetal.viewer.temporary import remove

EXPORT = "unmetal.viewer.export_task:export_task"
SEND = "unmetal.viewer.export_task:send_task"


@dataclass
class ExportRoutes:
    """The routes, over what is open."""

    session: Session
    exporting: set[TaskProcess] = field(default_factory=set)
    one_export: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))

    def all(self) -> list[Route]:
        """Every route."""
        return [
            Route("/api/results/{id}/export/{what}", self.export),
            Route("/api/results/{id}/push", self.push, methods=["POST"]),
        ]

    async def export(self, request: Request) -> Response:
        """GET api/results/{id}/export/{what}."""
        series, result = self.session.get_both(request.path_params["id"])
        what = request.path_params["what"]
        if what not in result.exports:
            return JSONResponse({"error": why_not(what, series, result)}, 409)
        if what == PICTURE:
            from unmetal.viewer.labelled_picture import labelled_picture  # noqa: PLC0415

            index = asked.slice_index(request.query_params, series.grid)
            window = asked.window(request.query_params)
            picture = await asyncio.to_thread(labelled_picture, series, result, index, window)
            name = download_name(result, what, index=index)
            disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
            return Response(picture, media_type="image/png", headers=disposition)
        target = self._new_target() / what
        try:
            await self._in_process(EXPORT, what, series, result, target)
        except BaseException:
            remove(target.parent)
            raise
        return FileResponse(
            target,
            media_type=media_type(what),
            filename=download_name(result, what),
            background=BackgroundTask(remove, target.parent),
        )

    async def push(self, request: Request) -> Response:
        """POST api/results/{id}/push."""
        series, result = self.session.get_both(request.path_params["id"])
        destination = (await asked.json_object(request)).get("destination")
        if not isinstance(destination, str):
            raise InputError("destination: give AET@HOST:PORT")
        if series.format != "dicom":
            return JSONResponse({"error": why_not("dicom.zip", series, result)}, 409)
        target = self._new_target()
        try:
            sent = await self._in_process(SEND, series, result, destination, target / "derived")
        except (InputError, TaskFailedError, ProcessEndedError) as error:
            return JSONResponse({"error": str(error)}, 502)
        finally:
            remove(target)
        return JSONResponse({"sent": sent})

    def stop(self) -> None:
        """End what is being exported."""
        for process in self.exporting:
            process.close()

    async def _in_process(self, task: str, *arguments: Any) -> Any:
        """A task in a process of its own, one at a time: it holds a whole series."""
        async with self.one_export:
            process = TaskProcess()
            self.exporting.add(process)
            try:
                return await asyncio.to_thread(process.run, lambda _: None, task, *arguments)
            finally:
                process.close()
                self.exporting.discard(process)

    def _new_target(self) -> Path:
        folder = self.session.folder / f"export-{new_id()}"
        folder.mkdir(mode=0o700)
        return folder

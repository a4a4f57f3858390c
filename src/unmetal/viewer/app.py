"""The application: the page, its requests, and what becomes of errors."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from unmetal.errors import InputError
from unmetal.viewer.export_routes import ExportRoutes
from unmetal.viewer.jobs import JobQueue
from unmetal.viewer.opening import Opener
from unmetal.viewer.routes import Routes
from unmetal.viewer.session import NotOpenError, Session
from unmetal.viewer.task_process import ProcessEndedError, TaskFailedError, where_it_failed
from unmetal.viewer.uploads import TooLargeError, Uploads

PAGE = Path(__file__).parent / "page"

STATUS: dict[type[Exception], int] = {
    InputError: 400,
    NotOpenError: 404,
    TooLargeError: 413,
    TaskFailedError: 500,
    ProcessEndedError: 500,
}
"""Exception -> status of the answer, which says its message."""


def make_routes(session: Session, opener: Opener, jobs: JobQueue, uploads: Uploads) -> Routes:
    """The routes, with what this installation can do."""
    can_send = find_spec("pynetdicom") is not None
    return Routes(session, opener, jobs, uploads, ExportRoutes(session), can_send)


def make_app(routes: Routes) -> Starlette:
    """The application below the token."""
    return Starlette(
        routes=[
            *routes.all(),
            Mount("/", StaticFiles(directory=PAGE, html=True, check_dir=False)),
        ],
        exception_handlers=dict.fromkeys(STATUS, _answer) | {Exception: _bug},
    )


def _answer(request: Request, error: Exception) -> Response:
    status = next(code for kind, code in STATUS.items() if isinstance(error, kind))
    return JSONResponse({"error": str(error)}, status)


def _bug(request: Request, error: Exception) -> Response:
    # starlette raises it again when it has answered, and `Guard` logs it.
    return JSONResponse({"error": where_it_failed(error)}, 500)

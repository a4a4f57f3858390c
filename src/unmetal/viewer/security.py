"""Who may ask: only the page that was opened by the secret address, from this machine.

Loopback is shared by all users of a machine, and any web page can send requests to it. So every
path begins with a token, and the headers that a browser sets are checked before anything else.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import MutableMapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from unmetal.viewer.task_process import where_it_failed

log = logging.getLogger("unmetal")

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    )
)
"""Content-Security-Policy: the page loads nothing from elsewhere and runs no code but its own."""

HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",  # an address holds the token
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def new_token() -> str:
    """192 random bits for the address."""
    return secrets.token_urlsafe(24)


class Guard:
    """Lets through what knows the token and comes from our own page, with the token taken off."""

    def __init__(self, app: ASGIApp, token: str, port: int) -> None:
        self.app, self.token = app, token
        self.ticket = new_token()
        """What the browser is started with: leads to the address, once. Everybody on the machine
        can read the arguments of a program that is started."""
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        if port == 80:
            self.hosts |= {"127.0.0.1", "localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def send_with_headers(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self.refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send_with_headers)
            return
        inside = dict(scope)
        inside["path"] = scope["path"][len(self.token) + 1 :]
        inside["raw_path"] = inside["path"].encode()
        try:
            await self.app(inside, receive, send_with_headers)
        except Exception as error:  # a bug, which was answered
            # Neither the message nor the address goes to the log.
            log.error("%s", where_it_failed(error))

    def refusal(self, scope: Scope) -> PlainTextResponse | RedirectResponse | None:
        """What to answer to a request that is not let through."""
        headers = Headers(scope=scope)
        # A name that was made to lead here (DNS rebinding) stands in Host.
        if headers.get("host", "") not in self.hosts:
            return PlainTextResponse("misdirected", 421)
        if self._is_foreign(headers):
            return PlainTextResponse("forbidden", 403)
        given, slash, _ = scope["path"].removeprefix("/").partition("/")
        if self.ticket and _same(given, self.ticket):
            self.ticket = ""
            return RedirectResponse(f"/{self.token}/", 303)
        if not _same(given, self.token):
            return PlainTextResponse("not found", 404)
        return None if slash else RedirectResponse(f"/{self.token}/")

    def _is_foreign(self, headers: Headers) -> bool:
        """Whether a browser says that another page asks."""
        origin = headers.get("origin")
        if origin is not None and origin not in {f"http://{host}" for host in self.hosts}:
            return True
        # Pages of other servers of this machine are `same-site`: ports do not count there.
        return headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}


def _same(given: str, secret: str) -> bool:
    """Compared in a time that does not tell how much of it is right."""
    return secrets.compare_digest(given.encode(), secret.encode())

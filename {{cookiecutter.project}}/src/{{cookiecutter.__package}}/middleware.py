"""Handle what all requests have in common: their id, metrics, log line, and failures."""

import asyncio
import logging
import os
import re
import time
from http import HTTPStatus

from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import logs
from .metrics import OTHER, Metrics

QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Routes asked by machines every few seconds: logged at debug level while all is well."""

_HEADER = b"x-request-id"
_SHOWN = 1000
"""How much of a path or a user agent is logged: journald breaks lines longer than 48 KB."""
_SANE_ID = re.compile(r"[A-Za-z0-9._:=+/@-]{1,128}")

access = logging.getLogger(logs.ACCESS)
failures = logging.getLogger(f"{__package__}.failures")


class Observe:
    """ASGI middleware; the app's outermost, so that it sees what all others do."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, even when the app fails, and log it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _sane_id(headers.get(_HEADER, b""))
        logs.request_id.set(request_id)  # never reset: each request is a task of its own
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (_HEADER, request_id.encode())]
            await send(message)

        began = time.perf_counter_ns()
        try:
            with self.metrics.in_progress.track_inprogress():
                await self.app(scope, receive, send_with_id)
        except (Exception, asyncio.CancelledError) as error:
            if status:  # part of an answer was sent: only the server can end it, and it logs why
                raise
            await _failure(error)(scope, receive, send_with_id)
        finally:
            self._account(scope, headers, status, time.perf_counter_ns() - began)

    def _account(
        self, scope: Scope, headers: dict[bytes, bytes], status: int, nanoseconds: int
    ) -> None:
        method, path = scope["method"], scope["path"][:_SHOWN]
        route = getattr(scope.get("route"), "path", OTHER)
        self.metrics.answered(method, route, status, nanoseconds / 1e9)
        quiet = route in QUIET and status == HTTPStatus.OK
        access.log(
            logging.DEBUG if quiet else logging.INFO,
            "%s %s %d",
            method,
            path,
            status,
            extra={
                "client.address": (scope.get("client") or [None])[0],
                "event.duration": nanoseconds,
                "http.request.method": method,
                "http.response.status_code": status,
                "http.version": scope["http_version"],
                "url.path": path,  # without the query, which may hold secrets
                "user_agent.original": _text(headers.get(b"user-agent", b"")) or None,
            },
        )


def error_body(reason: str) -> dict[str, str | None]:
    """Return the JSON body of every answer that is an error."""
    return {"error": reason, "request_id": logs.request_id.get()}


def _text(value: bytes) -> str:
    return value[:_SHOWN].decode("latin-1")


def _sane_id(offered: bytes) -> str:
    text = offered.decode("latin-1")
    return text if _SANE_ID.fullmatch(text) else os.urandom(16).hex()


def _failure(error: BaseException) -> ASGIApp:
    """Log `error`, and return the answer to it: 503, 400 or 500."""
    if isinstance(error, asyncio.CancelledError):
        failures.warning("given up: not answered within the grace period")
        status = HTTPStatus.SERVICE_UNAVAILABLE
    elif isinstance(error, ClientDisconnect):
        failures.info("the caller is gone, or sends no more")
        status = HTTPStatus.BAD_REQUEST
    else:
        failures.error("unhandled exception", exc_info=error)
        status = HTTPStatus.INTERNAL_SERVER_ERROR
    return JSONResponse(error_body(status.phrase), status)

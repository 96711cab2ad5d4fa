"""Handle what all requests have in common: their id, metrics, log line, and failures."""

import asyncio
import logging
import os
import re
import time
from http import HTTPStatus

from . import logs
from .asgi import App, Message, Receive, Scope, Send, answer_json
from .metrics import OTHER, Metrics

_HEADER = b"x-request-id"
_SHOWN = 1000
"""How much of a path or a user agent is logged: journald breaks lines longer than 48 KB."""
_SANE_ID = re.compile(r"[A-Za-z0-9._:=+/@-]{1,128}")

access = logging.getLogger(logs.ACCESS)
failures = logging.getLogger(f"{__package__}.failures")


class Observe:
    """ASGI middleware; the app's outermost, so that it sees what all others do.

    The paths in `quiet` are asked by machines every few seconds: their requests are logged at debug
    level while all is well.
    """

    def __init__(self, app: App, metrics: Metrics, quiet: frozenset[str]) -> None:
        self._app = app
        self._metrics = metrics
        self._quiet = quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, even when the app fails, and log it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _sane_id(headers.get(_HEADER, b""))
        logs.request_id.set(request_id)  # never reset: each request is a task of its own
        seen = _Exchange(receive, send, request_id)
        began = time.perf_counter_ns()
        try:
            with self._metrics.in_progress.track_inprogress():
                await self._app(scope, seen.receive, seen.send)
        except (Exception, asyncio.CancelledError) as error:
            if seen.is_half or (seen.status and isinstance(error, asyncio.CancelledError)):
                raise  # part of an answer was sent: only the server can end it, and it logs why
            await _fail(error, seen)
        finally:
            self._account(scope, headers, seen.status, time.perf_counter_ns() - began)

    def _account(
        self, scope: Scope, headers: dict[bytes, bytes], status: int, nanoseconds: int
    ) -> None:
        method, path = scope["method"], scope["path"][:_SHOWN]
        known = path if path in self._quiet else OTHER
        route = getattr(scope.get("route"), "path", known)
        self._metrics.answered(method, route, status, nanoseconds / 1e9)
        quiet = path in self._quiet and status == HTTPStatus.OK
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


class _Exchange:
    """The messages of one request, between the server and the app."""

    def __init__(self, receive: Receive, send: Send, request_id: str) -> None:
        self._receive, self._send = receive, send
        self._header = (_HEADER, request_id.encode())
        self.status = 0
        self.is_half = False
        """Whether an answer has begun and not ended."""
        self.is_gone = False
        """Whether the app was told that the caller is gone."""

    async def receive(self) -> Message:
        """Return the next message of the caller."""
        message = await self._receive()
        self.is_gone |= message["type"] == "http.disconnect"
        return message

    async def send(self, message: Message) -> None:
        """Send the next part of the answer; its head gets the request id."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message.get("headers", ()), self._header]
        self.is_half = message["type"] != "http.response.body" or message.get("more_body", False)
        await self._send(message)


def _text(value: bytes) -> str:
    return value[:_SHOWN].decode("latin-1")


def _sane_id(offered: bytes) -> str:
    text = offered.decode("latin-1")
    return text if _SANE_ID.fullmatch(text) else os.urandom(16).hex()


async def _fail(error: BaseException, seen: _Exchange) -> None:
    """Log `error`, and answer 503, 400 or 500, unless the app has answered before it failed."""
    if isinstance(error, asyncio.CancelledError):
        failures.warning("given up: not answered within the grace period")
        status = HTTPStatus.SERVICE_UNAVAILABLE
    elif seen.is_gone:
        failures.info("the caller is gone, or sends no more")
        status = HTTPStatus.BAD_REQUEST
    else:
        failures.error("unhandled exception", exc_info=error)
        status = HTTPStatus.INTERNAL_SERVER_ERROR
    if seen.status:
        return
    body = {"error": status.phrase, "request_id": logs.request_id.get()}
    await answer_json(seen.send, status, body)

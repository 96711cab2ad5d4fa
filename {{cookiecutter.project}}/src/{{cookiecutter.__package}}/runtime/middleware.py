"""Handle what all requests have in common: their id, metrics, log line, and failures."""

import asyncio
import logging
import os
import re
import time
from http import HTTPStatus

from . import access_log
from .asgi import App, Receive, Scope, Send
from .conversation import Conversation
from .exchange import REQUEST_ID, Exchange
from .metrics import OTHER, Metrics

_SHOWN = 1000
"""How much of a path or a user agent is logged: journald breaks lines longer than 48 KB."""
_SANE_ID = re.compile(rb"[A-Za-z0-9._:=+/@-]{1,128}")
_KINDS: dict[str, type[Exchange] | type[Conversation]] = {
    "http": Exchange,
    "websocket": Conversation,
}


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
        if scope["type"] not in _KINDS:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _sane_id(headers.get(REQUEST_ID))
        access_log.request_id.set(request_id)  # never reset: each request is a task of its own
        seen = _KINDS[scope["type"]](receive, send, request_id)
        began = time.perf_counter_ns()
        now_open = self._metrics.open[scope["type"]]
        now_open.inc()
        try:
            await self._app(scope, seen.receive, seen.send)
        except (Exception, asyncio.CancelledError) as error:
            await seen.fail(error)
        finally:
            now_open.dec()
            self._account(scope, headers, seen, time.perf_counter_ns() - began)

    def _account(
        self,
        scope: Scope,
        headers: dict[bytes, bytes],
        seen: Exchange | Conversation,
        nanoseconds: int,
    ) -> None:
        method, path = scope.get("method", "GET"), scope["path"][:_SHOWN]
        known = path if path in self._quiet else OTHER
        route = getattr(scope.get("route"), "path", known)
        is_short = scope["type"] == "http"  # how long a WebSocket is open says nothing of its speed
        seconds = nanoseconds / 1e9 if is_short else None
        self._metrics.answered(method, route, seen.status, seconds)
        quiet = path in self._quiet and seen.status == HTTPStatus.OK
        access_log.write(
            logging.DEBUG if quiet else logging.INFO,
            (method, path, seen.status, seen.ending),
            {
                "client.address": (scope.get("client") or [None])[0],
                "event.duration": nanoseconds,
                "http.request.method": method,
                "http.response.status_code": int(seen.status),
                "http.version": scope["http_version"],
                "url.path": path,  # without the query, which may hold secrets
                "user_agent.original": _text(headers.get(b"user-agent", b"")) or None,
            },
        )


def _text(value: bytes) -> str:
    return value[:_SHOWN].decode("latin-1")


def _sane_id(offered: bytes | None) -> str:
    if offered is not None and _SANE_ID.fullmatch(offered):
        return offered.decode("ascii")
    return os.urandom(16).hex()

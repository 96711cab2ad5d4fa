"""Answer health checks of a worker at its health socket; no framework is needed for that."""

import contextlib
import json
import math
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cached_property
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import TYPE_CHECKING, Any

from . import NAME
from .check import HEALTH_PATH, READY_PATH
from .heart import HELD, READY, Heart
from .release import Release

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

METRICS_PATH = "/metrics"
CALLER_SECONDS = 5.0
"""How long a caller may keep a thread waiting."""
_POLL_SECONDS = 0.05

Answer = tuple[HTTPStatus, bytes, str]


class Health(ThreadingMixIn, UnixStreamServer):
    """A server for health checks, in threads of its own."""

    daemon_threads = True

    def __init__(self, listening: socket.socket, heart: Heart, release: Release) -> None:
        super().__init__(listening.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self._heart, self._release = heart, release
        self.answers: Mapping[str, Callable[[str], Answer]] = {
            HEALTH_PATH: self._health,
            READY_PATH: self._ready,
            METRICS_PATH: self._scrape,
        }

    def start(self) -> None:
        """Answer from now on."""
        serve = threading.Thread(
            target=self.serve_forever, args=[_POLL_SECONDS], name="health", daemon=True
        )
        serve.start()

    def stop(self) -> None:
        """Answer no more, and remove the socket."""
        self.shutdown()
        Path(self.socket.getsockname()).unlink(missing_ok=True)
        self.socket.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do nothing about a caller who has gone."""

    def _health(self, _: str) -> Answer:
        return self._json(HTTPStatus.OK, {"status": "alive"})

    def _ready(self, _: str) -> Answer:
        report = self._heart.report()
        is_ready = report["status"] in {HELD, READY}
        return self._json(HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE, report)

    def _scrape(self, accepted: str) -> Answer:
        from prometheus_client.exposition import choose_encoder

        encode, kind = choose_encoder(accepted)
        return HTTPStatus.OK, encode(self._registry), kind

    @cached_property
    def _registry(self) -> "CollectorRegistry":
        from .metrics import of_worker  # slow to import, and not every worker's are asked for

        return of_worker(self._release, lambda: self._heart.age)

    def _json(self, status: HTTPStatus, report: Mapping[str, str]) -> Answer:
        age = self._heart.age
        known = {"heartbeat_age": round(age, 1)} if math.isfinite(age) else {}
        facts = {**report, **known, **asdict(self._release)}
        body = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()
        return status, body, "application/json"


class _Handler(BaseHTTPRequestHandler):
    server: Health
    timeout = CALLER_SECONDS
    server_version, sys_version = NAME, ""

    def do_GET(self) -> None:
        """Answer a probe."""
        answer = self.server.answers.get(self.path)
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        status, body, kind = answer(self.headers.get("accept", ""))
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing: machines ask every few seconds."""

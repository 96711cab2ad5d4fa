"""What every service has around its program: probes, metrics, request ids and logs."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from http import HTTPStatus

from prometheus_client.exposition import choose_encoder

from .asgi import App, Receive, Scope, Send, answer, answer_json
from .check import HEALTH_PATH, READY_PATH
from .metrics import Metrics
from .middleware import Observe
from .program import Program
from .readiness import READY, Readiness
from .release import Release

Probe = Callable[[Scope, Send], Awaitable[None]]

_METHODS = {"GET", "HEAD"}
_ALLOW = (b"allow", b"GET, HEAD")


class Service:
    """The program with all that is around it, as one ASGI application."""

    def __init__(self, program: Program, release: Release) -> None:
        self.readiness = Readiness(program.ready)
        self._app = program.app
        self._release = asdict(release)
        self._metrics = Metrics(release)
        facts = program.facts
        public = {
            facts.health_path: self._health,
            facts.ready_path: self._ready,
            facts.metrics_path: self._scrape,
        }
        public.pop("", None)
        self._public = self._around(public)
        always = {HEALTH_PATH: self._health, READY_PATH: self._ready}
        self.private = self._around({**public, **always})
        """The same for the health socket, where the probes always have their usual paths."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or start and stop with the server."""
        if scope["type"] == "lifespan":
            await self.readiness.live(self._app, scope, receive, send)
        else:
            await self._public(scope, receive, send)

    def _around(self, probes: Mapping[str, Probe]) -> App:
        return Observe(Probes(self._app, probes), self._metrics, frozenset(probes))

    async def _health(self, _: Scope, send: Send) -> None:
        """Answer the liveness probe: the process responds. A failure calls for a restart."""
        await answer_json(send, HTTPStatus.OK, {"status": "alive", **self._release})

    async def _ready(self, _: Scope, send: Send) -> None:
        """Answer the readiness probe. A failure calls for sending requests elsewhere."""
        report = await self.readiness.report()
        is_ready = report["status"] == READY
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        await answer_json(send, status, {**report, **self._release})

    async def _scrape(self, scope: Scope, send: Send) -> None:
        accepted = dict(scope["headers"]).get(b"accept", b"").decode("latin-1")
        encode, kind = choose_encoder(accepted)
        await answer(send, HTTPStatus.OK, encode(self._metrics.gathered()), kind)


class Probes:
    """ASGI middleware that answers at the paths of probes, and leaves the others to the app."""

    def __init__(self, app: App, probes: Mapping[str, Probe]) -> None:
        self._app = app
        self._probes = probes

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answer a probe, or let the app answer."""
        probe = self._probes.get(scope["path"])
        if probe is None or scope["type"] != "http":
            return self._app(scope, receive, send)
        if scope["method"] in _METHODS:
            return probe(scope, send)
        status = HTTPStatus.METHOD_NOT_ALLOWED
        return answer_json(send, status, {"error": status.phrase}, [_ALLOW])

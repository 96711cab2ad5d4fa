"""The web application: its routes and their answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import NAME
from .metrics import Metrics
from .middleware import Observe, error_body
from .release import Release


def create_app(release: Release) -> Starlette:
    """Return the application; its answers and metrics name `release`.

    ``app.state.readiness`` is what ``/readyz`` answers: "starting", "ready", or "stopping".
    """
    metrics = Metrics(release)
    app = Starlette(
        routes=ROUTES,
        lifespan=_lifespan,
        middleware=[Middleware(Observe, metrics=metrics)],
        exception_handlers={HTTPException: _refused},
    )
    app.state.registry = metrics.registry
    app.state.release = asdict(release)
    app.state.readiness = "starting"
    return app


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    # Open what the service needs here, such as a database, and close it after the yield.
    app.state.readiness = "ready"
    yield
    app.state.readiness = "stopping"


async def _index(request: Request) -> Response:
    return _report(request, service=NAME, status="ok")


async def _alive(request: Request) -> Response:
    """Answer the liveness probe: the process responds. A failure calls for a restart."""
    return _report(request, status="alive")


async def _ready(request: Request) -> Response:
    """Answer the readiness probe. A failure calls for sending requests elsewhere."""
    readiness = request.app.state.readiness
    code = HTTPStatus.OK if readiness == "ready" else HTTPStatus.SERVICE_UNAVAILABLE
    return _report(request, code, status=readiness)


async def _metrics(request: Request) -> Response:
    encode, content_type = choose_encoder(request.headers.get("accept", ""))
    return Response(encode(request.app.state.registry), headers={"content-type": content_type})


def _report(request: Request, code: int = HTTPStatus.OK, **facts: str) -> Response:
    return JSONResponse(facts | request.app.state.release, code)


async def _refused(_: Request, error: Any) -> Response:
    return JSONResponse(error_body(error.detail), error.status_code, error.headers)


ROUTES = [
    Route("/", _index),
    Route("/healthz", _alive),
    Route("/readyz", _ready),
    Route("/metrics", _metrics),
]

"""The programs that these tests serve; some of their routes take their time."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

logger = logging.getLogger("apps")


async def index(_: Request) -> Response:
    """Answer at once."""
    return PlainTextResponse("hello")


async def slow(request: Request) -> Response:
    """Answer after as many seconds as the query says."""
    logger.info("begun")
    await asyncio.sleep(float(request.url.query))
    return PlainTextResponse("done")


async def stream(request: Request) -> Response:
    """Answer half at once, half after as many seconds as the query says."""

    async def halves() -> AsyncIterator[str]:
        yield "half"
        logger.info("begun")
        await asyncio.sleep(float(request.url.query))
        yield "done"

    return StreamingResponse(halves())


async def upload(request: Request) -> Response:
    """Answer how much was sent."""
    logger.info("begun")
    return PlainTextResponse(str(len(await request.body())))


ROUTES = [
    Route("/", index),
    Route("/slow", slow),
    Route("/stream", stream),
    Route("/upload", upload, methods=["POST"]),
]
app = Starlette(routes=ROUTES)


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer after as many seconds as the query says, if it says so."""
    if environ["QUERY_STRING"]:
        logger.info("begun")
        time.sleep(float(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["REQUEST_METHOD"].encode(), environ["wsgi.input"].read()]

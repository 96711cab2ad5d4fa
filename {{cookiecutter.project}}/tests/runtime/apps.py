"""The programs that these tests serve; some of their routes take their time."""

import asyncio
import itertools
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

logger = logging.getLogger("apps")


async def index(_: Request) -> Response:
    """Answer at once."""
    return PlainTextResponse("hello")


async def process(_: Request) -> Response:
    """Answer which process this is."""
    return PlainTextResponse(str(os.getpid()))


async def slow(request: Request) -> Response:
    """Answer after as many seconds as the query says."""
    logger.info("begun")
    await asyncio.sleep(float(request.url.query))
    return PlainTextResponse("done")


async def stuck(_: Request) -> Response:
    """Keep the process from doing anything else."""
    time.sleep(600)
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


async def count(request: Request) -> Response:
    """Answer how much was sent, and keep none of it."""
    logger.info("begun")
    return PlainTextResponse(str(sum([len(part) async for part in request.stream()])))


async def sluggish(request: Request) -> Response:
    """Do the same, but take nothing for a moment."""
    await asyncio.sleep(0.5)
    return await count(request)


async def flood(_: Request) -> Response:
    """Send without an end, as quickly as it is taken."""

    async def parts() -> AsyncIterator[bytes]:
        while True:
            yield bytes(100_000)

    return StreamingResponse(parts())


async def events(_: Request) -> Response:
    """Send events without an end, a small one at a time."""

    async def numbers() -> AsyncIterator[str]:
        for number in itertools.count():
            yield f"data: {number}\n\n"
            await asyncio.sleep(0.05)

    return StreamingResponse(numbers(), media_type="text/event-stream")


async def echo(socket: WebSocket) -> None:
    """Send each message back, after as many seconds as the query says."""
    await socket.accept()
    try:
        while True:
            text = await socket.receive_text()
            logger.info("received")
            await asyncio.sleep(float(socket.url.query or 0))
            await socket.send_text(text)
    except WebSocketDisconnect as left:
        logger.info("left with %d", left.code)


async def ticker(socket: WebSocket) -> None:
    """Send numbers, and never listen."""
    await socket.accept()
    for number in itertools.count():
        await socket.send_text(str(number))
        await asyncio.sleep(0.05)


async def absent(socket: WebSocket) -> None:
    """Accept, and take no message."""
    await socket.accept()
    logger.info("begun")
    await asyncio.sleep(600)


async def unwilling(socket: WebSocket) -> None:
    """Take as long as the query says to refuse."""
    logger.info("begun")
    await asyncio.sleep(float(socket.url.query))
    await socket.close()


async def broken(socket: WebSocket) -> None:
    """Fail: before the answer, or after as many messages as the query says."""
    if socket.url.query:
        await socket.accept()
        for _ in range(int(socket.url.query)):
            await socket.receive_text()
    raise LookupError("no such thing")


ROUTES = [
    Route("/", index),
    Route("/process", process),
    Route("/slow", slow),
    Route("/stuck", stuck),
    Route("/stream", stream),
    Route("/upload", upload, methods=["POST"]),
    Route("/count", count, methods=["POST"]),
    Route("/sluggish", sluggish, methods=["POST"]),
    Route("/flood", flood),
    Route("/events", events),
    WebSocketRoute("/echo", echo),
    WebSocketRoute("/ticker", ticker),
    WebSocketRoute("/absent", absent),
    WebSocketRoute("/unwilling", unwilling),
    WebSocketRoute("/broken", broken),
]
app = Starlette(routes=ROUTES)


@asynccontextmanager
async def _no_database(_: Starlette) -> AsyncIterator[None]:
    raise LookupError("no database")
    yield


failing = Starlette(lifespan=_no_database)


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer after as many seconds as the query says, if it says so."""
    if environ["QUERY_STRING"]:
        logger.info("begun")
        time.sleep(float(environ["QUERY_STRING"]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["REQUEST_METHOD"].encode(), environ["wsgi.input"].read()]

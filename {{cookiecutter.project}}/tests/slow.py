"""Run the program whose package is the first argument, with routes that take their time."""

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from pkgutil import resolve_name

from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route

logger = logging.getLogger("slow")


async def slow(request: Request) -> PlainTextResponse:
    """Answer after as many seconds as the query says."""
    logger.info("begun")
    await asyncio.sleep(float(request.url.query))
    return PlainTextResponse("done")


async def stream(request: Request) -> StreamingResponse:
    """Answer half at once, half after as many seconds as the query says."""

    async def halves() -> AsyncIterator[str]:
        yield "half"
        logger.info("begun")
        await asyncio.sleep(float(request.url.query))
        yield "done"

    return StreamingResponse(halves())


async def upload(request: Request) -> PlainTextResponse:
    """Answer how much was sent."""
    logger.info("begun")
    return PlainTextResponse(str(len(await request.body())))


ROUTES = [
    Route("/slow", slow),
    Route("/stream", stream),
    Route("/upload", upload, methods=["POST"]),
]

if __name__ == "__main__":
    package = sys.argv.pop(1)
    resolve_name(f"{package}.app").ROUTES.extend(ROUTES)
    resolve_name(f"{package}.cli").main()

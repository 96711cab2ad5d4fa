"""The application: a sample to replace by your own (docs/your-program.md)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from .runtime import NAME, release

RELEASE = release.current().release


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    """Open what the service needs, such as a database, and close it after the yield."""
    yield


async def index(_: Request) -> JSONResponse:
    """Answer which service this is."""
    return JSONResponse({"service": NAME, "release": RELEASE})


app = Starlette(routes=[Route("/", index)], lifespan=lifespan)

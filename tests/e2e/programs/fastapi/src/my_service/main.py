"""Notes: what several people want to remember."""

from pathlib import Path

from fastapi import FastAPI
from fastapi.staticfiles import StaticFiles

from .routers import notes, pages
from .runtime import release

STATIC = Path(__file__).parent / "static"

app = FastAPI(title="Notes", version=release.current().version)
app.include_router(notes.router)
app.include_router(pages.router)
app.mount("/static", StaticFiles(directory=STATIC), name="static")
app.mount("/.well-known", StaticFiles(directory=STATIC / ".well-known"), name="well-known")

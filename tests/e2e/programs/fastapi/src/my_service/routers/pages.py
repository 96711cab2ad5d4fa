"""Notes as a page, with a form."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.templating import Jinja2Templates

from .. import schemas
from ..database import Database
from . import notes

router = APIRouter(include_in_schema=False)
templates = Jinja2Templates(Path(__file__).parents[1] / "templates")


@router.get("/", response_class=HTMLResponse)
def page(request: Request, database: Database) -> HTMLResponse:
    """Show all notes."""
    return templates.TemplateResponse(request, "index.html", {"notes": notes.all_notes(database)})


@router.post("/")
def add(text: Annotated[str, Form()], database: Database) -> RedirectResponse:
    """Keep what was written into the form, and show all notes again."""
    notes.add_note(schemas.NewNote(text=text), database)
    return RedirectResponse("/", status_code=303)

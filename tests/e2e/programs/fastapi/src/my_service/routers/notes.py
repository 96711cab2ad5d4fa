"""Notes as JSON."""

from collections.abc import Sequence

from fastapi import APIRouter, HTTPException
from sqlalchemy import select

from .. import models, schemas
from ..database import Database

router = APIRouter(prefix="/notes", tags=["notes"])


@router.get("", response_model=list[schemas.Note])
def all_notes(database: Database) -> Sequence[models.Note]:
    """Return all notes, the oldest first."""
    return database.scalars(select(models.Note).order_by(models.Note.id)).all()


@router.get("/{number}", response_model=schemas.Note)
def one_note(number: int, database: Database) -> models.Note:
    """Return one note."""
    note = database.get(models.Note, number)
    if note is None:
        raise HTTPException(404, "there is no such note")
    return note


@router.post("", response_model=schemas.Note, status_code=201)
def add_note(new: schemas.NewNote, database: Database) -> models.Note:
    """Keep a note."""
    note = models.Note(**new.model_dump())
    database.add(note)
    database.commit()
    return note

"""What callers send and get."""

from pydantic import BaseModel, ConfigDict


class NewNote(BaseModel):
    """A note as a caller writes it."""

    text: str


class Note(NewNote):
    """A note as it is kept."""

    model_config = ConfigDict(from_attributes=True)

    id: int

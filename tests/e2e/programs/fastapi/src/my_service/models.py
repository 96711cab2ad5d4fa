"""The tables."""

from sqlalchemy.orm import Mapped, mapped_column

from .database import Base


class Note(Base):
    """Something to remember."""

    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]

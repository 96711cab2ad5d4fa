"""The database: where it is, sessions of it, and its migrations."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.orm import DeclarativeBase, Session

MIGRATIONS = Path(__file__).parent / "migrations"
# On a machine, systemd names the folder in which a service keeps its data.
DATA = Path(os.environ.get("STATE_DIRECTORY", "build/data")).absolute()
URL = os.environ.get("DATABASE_URL", f"sqlite:///{DATA}/notes.db")


class Base(DeclarativeBase):
    """What all tables have in common."""


def make_engine(url: str) -> Engine:
    """Return the engine of a database."""
    made = create_engine(url)
    if made.dialect.name == "sqlite":
        # Without these two, SQLite would keep half of a migration that fails.
        event.listen(made, "connect", _do_not_begin_by_itself)
        event.listen(made, "begin", _begin)
    return made


def _do_not_begin_by_itself(connection: Any, _: object) -> None:
    connection.isolation_level = None


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


engine = make_engine(URL)


def _session() -> Iterator[Session]:
    with Session(engine) as session:
        yield session


Database = Annotated[Session, Depends(_session)]


def ready() -> bool | str:
    """Return whether the database answers."""
    with engine.connect() as connection:
        connection.execute(text("SELECT 1 FROM notes LIMIT 1"))
    return True


def migrate() -> None:
    """Give the database the tables that this release works with."""
    from alembic import command  # the service itself starts without it
    from alembic.config import Config

    DATA.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("sourceless", "true")  # a built program has bytecode only
    command.upgrade(config, "head")

"""A FastAPI program with a database: its migrations run before each switch, in every quadrant."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import Bake

from . import quadrants
from .browser import Browser
from .machine import Machine
from .quadrants import Place
from .releases import NAME, Releases, Versions
from .service import answer, history, status

ADMIN = f"{NAME}-admin"
_SOURCE = "src/my_service"
_MIGRATIONS = f"{_SOURCE}/migrations/versions"
_HEAD = """\"\"\"Notes.\"\"\"

import sqlalchemy as sa
from alembic import op

revision = "{}"
down_revision = "0001"


def upgrade() -> None:
    \"\"\"Give the database what this release needs.\"\"\"
"""
_DONE = f"""{_HEAD.format("0002")}
    op.add_column(
        "notes", sa.Column("done", sa.Boolean(), nullable=False, server_default=sa.false())
    )
"""
_FAILS = f"""{_HEAD.format("0003")}
    op.create_table("tags", sa.Column("name", sa.String()))
    op.drop_column("notes", "no_such_column")
"""

VERSIONS: Versions = {
    "old": ("0.1.0", ()),
    # The old release can work with the new table, as the new column has a default in the database.
    "new": (
        "0.2.0",
        (
            (f"{_MIGRATIONS}/0002_done.py", "", _DONE),
            (f"{_SOURCE}/models.py", "    text: Mapped[str]\n",
             "    text: Mapped[str]\n    done: Mapped[bool] = mapped_column(default=False)\n"),
            (f"{_SOURCE}/schemas.py", "    id: int\n", "    id: int\n    done: bool\n"),
        ),
    ),
    "fails": ("0.1.5", ((f"{_MIGRATIONS}/0003_fails.py", "", _FAILS),)),
}  # fmt: skip


@pytest.fixture(scope="module")
def releases(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """Return the releases of the program."""
    return quadrants.releases(bake, "fastapi", tmp_path_factory.mktemp("fastapi"), VERSIONS)


@pytest.fixture(params=quadrants.tried("fastapi"))
def place(
    request: pytest.FixtureRequest, bake: Bake, releases: Releases, tmp_path: Path
) -> Iterator[Place]:
    """Return a machine for each quadrant."""
    with quadrants.place(str(request.param), bake, "fastapi", releases, tmp_path) as prepared:
        yield prepared


def test_it_is_installed_migrated_and_rolled_back(place: Place, tmp_path: Path) -> None:
    machine = place.machine
    browser = Browser(machine, tmp_path / "cookies")
    place.install("old")
    assert answer(machine) == "0.1.0"
    assert "<li>buy milk</li>" in browser.submit("/", text="buy milk").text
    assert "margin" in browser.get("/static/style.css").text
    assert browser.get("/.well-known/security.txt").text.startswith("Contact: ")
    assert notes(browser) == [{"id": 1, "text": "buy milk"}]
    assert machine.path(f"/var/lib/{NAME}/notes.db").stat().st_uid != 0

    with pytest.raises(AssertionError) as failed:
        place.install("fails")
    said = [line for line in str(failed.value).splitlines() if "hook failed: " in line]
    assert said
    assert [line for line in said if "no such column" not in line] == [], "all is in one line"
    assert answer(machine) == "0.1.0"
    assert status(machine)["service"].startswith("healthy")
    assert "no such column" in history(machine)[-1][3]
    assert notes(browser) == [{"id": 1, "text": "buy milk"}]
    assert tables(machine) == {"notes", "alembic_version"}, "nothing of the migration is kept"

    place.install("new")
    assert answer(machine) == "0.2.0"
    assert "<li>sweep</li>" in browser.submit("/", text="sweep").text
    assert [note["done"] for note in notes(browser)] == [False, False]
    assert "the data is prepared for 0.2.0+" in machine.run(ADMIN, "run", "before-switch").stdout

    machine.run(ADMIN, "rollback")
    assert answer(machine) == "0.1.0"
    browser.submit("/", text="rest")
    assert [note["text"] for note in notes(browser)] == ["buy milk", "sweep", "rest"]


def notes(browser: Browser) -> list[dict[str, object]]:
    """Return the notes as callers get them."""
    found: list[dict[str, object]] = json.loads(browser.get("/notes").text)
    return found


def tables(machine: Machine) -> set[str]:
    """Return the names of the tables in the program's database."""
    path = machine.path(f"/var/lib/{NAME}/notes.db")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        rows = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {str(name) for (name,) in rows}

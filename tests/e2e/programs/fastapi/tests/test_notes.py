"""The program, on a database of each test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from fastapi.testclient import TestClient
from sqlalchemy.exc import OperationalError

from my_service import database
from my_service.main import app


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """Return a caller of the program, whose database was migrated."""
    engine = database.make_engine(f"sqlite:///{tmp_path}/notes.db")
    monkeypatch.setattr(database, "engine", engine)
    database.migrate()
    with TestClient(app) as client:
        yield client
    engine.dispose()


def test_notes_are_kept(client: TestClient) -> None:
    kept = client.post("/notes", json={"text": "buy milk"})
    assert kept.status_code == 201
    assert client.get("/notes").json() == [kept.json()]
    assert client.get(f"/notes/{kept.json()['id']}").json()["text"] == "buy milk"
    assert client.get("/notes/7").status_code == 404


def test_the_page_has_a_form(client: TestClient) -> None:
    shown = client.post("/", data={"text": "<b>buy milk</b>"})
    assert "<li>&lt;b&gt;buy milk&lt;/b&gt;</li>" in shown.text


def test_files_are_served(client: TestClient) -> None:
    assert "margin" in client.get("/static/style.css").text
    assert client.get("/.well-known/security.txt").text.startswith("Contact: ")


def test_the_program_is_ready_once_its_tables_are_there(client: TestClient) -> None:
    assert database.ready() is True
    database.Base.metadata.drop_all(database.engine)
    with pytest.raises(OperationalError, match="no such table"):
        database.ready()


def test_migrations_make_the_tables_of_the_models(client: TestClient) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, database.Base.metadata) == []

"""The notes, on a database of the tests' own."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from django.core.management import call_command
from django.test import Client
from django.test.utils import setup_databases, setup_test_environment, teardown_databases

from my_service.config.wsgi import application
from my_service.notes.models import Note


@pytest.fixture(scope="module", autouse=True)
def _database() -> Iterator[None]:
    setup_test_environment()
    made = setup_databases(verbosity=0, interactive=False)
    yield
    teardown_databases(made, verbosity=0)


def test_a_note_is_shown() -> None:
    assert application
    assert "Nothing yet" in Client().get("/").content.decode()
    Note.objects.create(text="Buy <milk>")
    assert "<li>Buy &lt;milk&gt;</li>" in Client().get("/").content.decode()


def test_admin_asks_for_a_login() -> None:
    answer = Client().get("/admin/", follow=True)
    assert answer.redirect_chain == [("/admin/login/?next=/admin/", 302)]
    with closing(Client().get("/static/admin/css/base.css")) as style:
        assert style.headers["Content-Type"] == 'text/css; charset="utf-8"'


def test_every_change_of_a_model_has_its_migration() -> None:
    call_command("makemigrations", check=True, dry_run=True)

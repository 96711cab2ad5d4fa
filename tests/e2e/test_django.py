"""A Django site: its admin pages, its database and its commands, in every quadrant."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Bake

from . import quadrants
from .browser import Browser, Page
from .quadrants import Place
from .releases import NAME, Releases, Versions
from .service import answer
from .terminal import typed

ADMIN = f"{NAME}-admin"
WORDS = "a long one, of course"
"""By which the site's user logs in."""
_NOTES = "src/my_service/notes"
_MIGRATION = """from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("notes", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="note", name="done", field=models.BooleanField(db_default=False)
        ),
    ]
"""

VERSIONS: Versions = {
    "old": ("0.1.0", ()),
    # The old release can work with the new table, as the new column has a default in the database.
    "new": (
        "0.2.0",
        (
            (f"{_NOTES}/models.py", "    written =",
             "    done = models.BooleanField(db_default=False)\n    written ="),
            (f"{_NOTES}/migrations/0002_note_done.py", "", _MIGRATION),
            (f"{_NOTES}/static/notes/notes.css", "square", "circle"),
        ),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def releases(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """Return the releases of the site."""
    return quadrants.releases(bake, "django", tmp_path_factory.mktemp("django"), VERSIONS)


@pytest.fixture(params=quadrants.tried("django"))
def place(
    request: pytest.FixtureRequest, bake: Bake, releases: Releases, tmp_path: Path
) -> Iterator[Place]:
    """Return a machine for each quadrant."""
    with quadrants.place(str(request.param), bake, "django", releases, tmp_path) as prepared:
        yield prepared


def test_it_is_installed_used_upgraded_and_rolled_back(place: Place, tmp_path: Path) -> None:
    machine = place.machine
    browser = Browser(machine, tmp_path / "cookies")
    place.install("old")
    assert answer(machine) == "0.1.0"
    assert "Nothing yet" in browser.get("/").text
    style = browser.get("/static/admin/css/base.css")
    assert (style.status, style.type) == (200, 'text/css; charset="utf-8"')
    assert "square" in browser.get("/static/notes/notes.css").text

    shown = typed(
        machine, f"{ADMIN} run manage createsuperuser --username ann --email ann@example.com",
        ("Password: ", WORDS), ("Password (again): ", WORDS),
    )  # fmt: skip
    assert "Superuser created successfully." in shown
    assert "Please enter the correct username and password" in login(browser, "another").text
    assert "Log out" in login(browser).text
    assert write(browser, "Buy <milk>").path == "/admin/notes/note/"
    assert "<li>Buy &lt;milk&gt;</li>" in browser.get("/").text

    place.install("new")
    assert answer(machine) == "0.2.0"
    assert "circle" in browser.get("/static/notes/notes.css").text
    assert "Log out" in browser.get("/admin/").text, "the login lasts"
    assert 'name="done"' in browser.get("/admin/notes/note/1/change/").text
    write(browser, "Sweep", done="on")

    machine.run(ADMIN, "rollback")
    assert answer(machine) == "0.1.0"
    assert 'name="done"' not in browser.get("/admin/notes/note/1/change/").text
    write(browser, "Rest")
    for note in ("Buy &lt;milk&gt;", "Sweep", "Rest"):
        assert f"<li>{note}</li>" in browser.get("/").text
    check_commands(place)


def login(browser: Browser, password: str = WORDS) -> Page:
    """Log in to the admin pages."""
    return browser.submit("/admin/login/?next=/admin/", username="ann", password=password)


def write(browser: Browser, note: str, **more: str) -> Page:
    """Add a note by the admin pages."""
    return browser.submit("/admin/notes/note/add/", text=note, **more)


def check_commands(place: Place) -> None:
    """Check that Django's commands run as the service does."""
    machine = place.machine
    settings = machine.path(f"/etc/{NAME}/{NAME}.env")
    with settings.open("a") as file:
        file.write(f"DJANGO_STATIC_ROOT=/var/lib/{NAME}/static\n")
    said = machine.run(ADMIN, "run", "manage", "collectstatic", "--noinput").stdout
    assert f"static files copied to '/var/lib/{NAME}/static'." in said
    copied = machine.path(f"/var/lib/{NAME}/static/admin/css/base.css")
    assert copied.stat().st_uid == machine.path(f"/var/lib/{NAME}/db.sqlite3").stat().st_uid != 0
    asked = "import os; print(os.getuid() != 0, os.environ['STATE_DIRECTORY'])"
    said = machine.run(ADMIN, "run", "manage", "shell", stdin=asked).stdout
    assert said.endswith(f"True /var/lib/{NAME}\n")
    assert "[X] 0001_initial" in machine.run(ADMIN, "run", "manage", "showmigrations").stdout
    wrong = machine.run(ADMIN, "run", "manage", "nothing", check=False)
    assert wrong.returncode == 1
    assert "Unknown command: 'nothing'\n" in wrong.stderr
    left = machine.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "run-u*")
    assert left.stdout == ""

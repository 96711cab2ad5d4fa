"""A Flask app with a blueprint package, which has templates and data, in every quadrant."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Bake

from . import quadrants
from .browser import Browser
from .quadrants import Place
from .releases import NAME, Releases, Versions
from .service import answer

ADMIN = f"{NAME}-admin"
_PARTS = "src/my_service/catalogue/parts.json"

VERSIONS: Versions = {
    "old": ("0.1.0", ()),
    "new": (
        "0.2.0",
        ((_PARTS, ' Ø 6 mm"}\n', ' Ø 6 mm"},\n    {"number": 3, "name": "Nut M6"}\n'),),
    ),
}


@pytest.fixture(scope="module")
def releases(bake: Bake, tmp_path_factory: pytest.TempPathFactory) -> Releases:
    """Return the releases of the app."""
    return quadrants.releases(bake, "flask", tmp_path_factory.mktemp("flask"), VERSIONS)


@pytest.fixture(params=quadrants.tried("flask"))
def place(
    request: pytest.FixtureRequest, bake: Bake, releases: Releases, tmp_path: Path
) -> Iterator[Place]:
    """Return a machine for each quadrant."""
    with quadrants.place(str(request.param), bake, "flask", releases, tmp_path) as prepared:
        yield prepared


def test_it_is_installed_used_upgraded_and_rolled_back(place: Place, tmp_path: Path) -> None:
    machine = place.machine
    browser = Browser(machine, tmp_path / "cookies")
    place.install("old")
    assert answer(machine) == "0.1.0"
    page = browser.get("/").text
    assert '<a href="/parts/1">Hex bolt &lt;M6&gt;</a>' in page
    assert "<p>0.1.0+" in page
    style = browser.get("/catalogue/static/catalogue.css")
    assert (style.status, style.type) == (200, "text/css; charset=utf-8")
    assert json.loads(browser.get("/parts/2").text) == {"number": 2, "name": "Washer, Ø 6 mm"}
    assert browser.get("/parts/3").status == 404
    assert machine.run(NAME, "flask", "catalogue", "count").stdout == "2 parts\n"

    place.install("new")
    assert answer(machine) == "0.2.0"
    assert json.loads(browser.get("/parts/3").text) == {"number": 3, "name": "Nut M6"}
    assert machine.run(ADMIN, "run", "flask", "catalogue", "count").stdout == "3 parts\n"

    machine.run(ADMIN, "rollback")
    assert answer(machine) == "0.1.0"
    assert browser.get("/parts/3").status == 404
    assert "Nut M6" not in browser.get("/").text

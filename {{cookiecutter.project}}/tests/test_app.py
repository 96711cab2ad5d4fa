"""The sample's own test: replace it together with the sample."""

import tomllib
from pathlib import Path
from pkgutil import resolve_name

from starlette.testclient import TestClient

SETTINGS = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text("utf-8"))


def test_index_names_the_service() -> None:
    with TestClient(resolve_name(SETTINGS["tool"]["program"]["app"])) as client:
        response = client.get("/")
    assert response.status_code == 200
    [command] = SETTINGS["project"]["scripts"]
    assert response.json()["service"] == command
    assert response.json()["release"].startswith(SETTINGS["project"]["version"])

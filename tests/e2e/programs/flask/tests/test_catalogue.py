"""The catalogue: its pages, and its command."""

import pytest
from flask.testing import FlaskClient

from my_service.app import create_app


@pytest.fixture
def client() -> FlaskClient:
    return create_app().test_client()


def test_every_part_is_shown_and_found(client: FlaskClient) -> None:
    page = client.get("/").text
    assert "Hex bolt &lt;M6&gt;</a>" in page
    assert client.get("/parts/2").json == {"number": 2, "name": "Washer, Ø 6 mm"}
    assert client.get("/parts/3").status_code == 404


def test_the_style_is_served(client: FlaskClient) -> None:
    with client.get("/catalogue/static/catalogue.css") as answer:
        assert answer.content_type == "text/css; charset=utf-8"


def test_the_command_counts_parts() -> None:
    done = create_app().test_cli_runner().invoke(args=["catalogue", "count"])
    assert done.output == "2 parts\n"

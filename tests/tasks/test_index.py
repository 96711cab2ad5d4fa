"""tasks.lib.index: names a package index in the Pipfile, and no password with it."""

import json
import tomllib

import pytest
from tasks.lib import index, lock
from tasks.lib.console import TaskError
from tasks.lib.interpreter import Interpreter
from tasks.lib.project import Project

from tests.tasks.conftest import Processes

SETTINGS = """\
global.index-url='https://global.example.com/simple'
:env:.index-url='https://env.example.com/simple'
global.trusted-host='env.example.com other.example.com'
global.timeout='5'
"""


@pytest.fixture(autouse=True)
def _python(python: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "interpreter", lambda _: python)


def named(small: Project) -> list[dict[str, object]]:
    """Return the indexes that the Pipfile names."""
    found: list[dict[str, object]] = tomllib.loads(small.lock.with_name("Pipfile").read_text())[
        "source"
    ]
    return found


def test_pips_own_index_is_named(small: Project, processes: Processes) -> None:
    processes.answer("pip config list", SETTINGS)
    before = lock.packages(small.lock, "packages")
    source, taken_out = index.name(small)
    assert source == {"name": "index", "url": "https://env.example.com/simple", "verify_ssl": False}
    assert (named(small), taken_out) == ([source], [])
    assert lock.packages(small.lock, "packages") == before
    assert json.loads(small.lock.read_text())["_meta"]["sources"] == []
    lock.require_fitting(small.lock)


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize(
    ("url", "written", "taken_out"),
    [
        ("http://a.example.com/x", "http://a.example.com/x", []),
        ("https://me@a.example.com/x", "https://${INDEX_USER}@a.example.com/x", ["INDEX_USER"]),
        (
            "https://me:" + "word@a.example.com:8443/x",
            "https://${INDEX_USER}:${INDEX_PASSWORD}@a.example.com:8443/x",
            ["INDEX_USER", "INDEX_PASSWORD"],
        ),
    ],
)
def test_a_password_stays_out(small: Project, url: str, written: str, taken_out: list[str]) -> None:
    source, found = index.name(small, url)
    assert (source["url"], found) == (written, taken_out)
    assert source["verify_ssl"] == url.startswith("https")
    text = small.lock.with_name("Pipfile").read_text() + small.lock.read_text()
    assert "word@" not in text


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("url", ["mirror.example.com/simple", "ftp://a.example.com", "https://"])
def test_what_is_no_url_is_refused(small: Project, url: str) -> None:
    before = small.lock.with_name("Pipfile").read_text()
    with pytest.raises(TaskError) as refused:
        index.name(small, url)
    expected = "expected a URL such as https://HOST/simple"
    assert str(refused.value) == f"the index is '{url}': {expected}"
    assert small.lock.with_name("Pipfile").read_text() == before


@pytest.mark.usefixtures("processes")
def test_a_second_one_is_refused(small: Project) -> None:
    index.name(small, "https://a.example.com/x")
    with pytest.raises(TaskError, match=r"^the Pipfile names an index already: https://a\."):
        index.name(small, "https://b.example.com/x")

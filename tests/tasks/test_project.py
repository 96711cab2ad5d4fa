"""tasks.lib.project: the facts of pyproject.toml."""

from dataclasses import replace
from pathlib import Path

import pytest
from tasks.lib import project
from tasks.lib.project import EntryPoint, Project

from tests.support import PROJECT


def test_what_pyproject_says(small: Project) -> None:
    assert (small.name, small.version, small.license) == ("My.Service", "1.0rc1", "MIT")
    assert small.description == "Serves 100 % of requests"
    assert (small.author, small.email) == ("A. Author", "author@example.com")
    assert small.pythons == ("3.12", "3.13")
    assert small.python == "3.13"
    assert small.entry_points == (EntryPoint("my-service", "my_service.runtime.cli", "main"),)
    assert small.serves == {"kind": "service", "app": "my_service.app:app"}
    assert small.answers_callers


def test_what_follows_from_it(small: Project) -> None:
    assert (small.program, small.package, small.prefix) == (
        "my-service",
        "my_service",
        "MY_SERVICE_",
    )
    assert (small.source, small.runtime) == (small.root / "src/my_service", "my_service.runtime")
    assert (small.build, small.dist) == (small.root / "build", small.root / "dist")
    assert small.lock == small.root / "Pipfile.lock"


def test_a_user_has_a_name_that_the_system_takes(small: Project) -> None:
    assert replace(small, name="a" * 31 + "-b").user == "a" * 31
    assert replace(small, name="a_b").user == "a-b"


def test_an_entry_point_may_be_a_method() -> None:
    entry = EntryPoint("x", "a.b", "App.main")
    assert entry.code == 'sys.argv[0] = "x"; from a.b import App; sys.exit(App.main())'


@pytest.mark.parametrize("name", ["A.b", "a-b", "a__b", "a-_.B"])
def test_one_spelling(name: str) -> None:
    assert project.normalised(name) == "a-b"


def test_these_tasks_belong_to_the_project_around_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise FileNotFoundError(path)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(FileNotFoundError) as read:
        project.load()
    assert read.value.args == (PROJECT / "pyproject.toml",)

"""tasks.deps and tasks.lib.pipenv: a lock by Pipenv for every Python, or the lock as it was."""

import json
import shutil
import tomllib
from typing import Any

import pytest
from invoke.context import MockContext
from invoke.exceptions import Exit
from tasks import deps
from tasks.lib import lock, pipenv, project
from tasks.lib.interpreter import Interpreter, InterpreterError
from tasks.lib.project import Project

from tests.tasks.conftest import CATEGORIES, LOCKED, Processes

NEWER = {**LOCKED, "version": "==8.2"}
ELSEWHERE = {"markers": "python_version >= '3.13'", "version": "*"}
Answers = dict[str, dict[str, Any]]


@pytest.fixture(autouse=True)
def _here(small: Project, python: Interpreter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(pipenv, "find", lambda _: python)
    monkeypatch.setattr(project, "load", lambda: small)


@pytest.fixture
def answers(small: Project, processes: Processes) -> Answers:
    """Return what Pipenv locks as default packages, by the Python that a Pipfile requires."""
    given: Answers = {}
    folder = small.build / "lock"

    def lock_it(_: list[str]) -> None:
        required = tomllib.loads((folder / "Pipfile").read_text())["requires"]["python_version"]
        sections = {name: {"click": LOCKED} for name in CATEGORIES[1:]}
        meta = {"hash": {"sha256": "x"}, "requires": {}, "sources": [{"url": "secret"}]}
        content = {"_meta": meta, "default": given[required], **sections}
        (folder / "Pipfile.lock").write_text(json.dumps(content))

    processes.answer("/bin/pipenv lock", does=lock_it)
    processes.answer("/bin/pipenv upgrade", does=lock_it)
    return given


def make_lock(only: str = "") -> None:
    deps.make_lock(MockContext(), only=only)


def test_it_is_made_on_the_oldest_python(
    small: Project, answers: Answers, processes: Processes, capsys: pytest.CaptureFixture[str]
) -> None:
    answers["3.12"] = {"click": {**NEWER, "index": "secret"}}
    make_lock()
    assert len([call for call in processes.calls if "/bin/pipenv" in call]) == 1
    assert lock.packages(small.lock, "packages") == {"click": NEWER}
    assert "secret" not in small.lock.read_text()
    lock.require_fitting(small.lock)
    assert "click 8.1 -> 8.2" in capsys.readouterr().out
    assert not (small.build / "lock").exists()


def test_what_only_a_newer_python_needs_is_locked_there(
    small: Project, answers: Answers, processes: Processes
) -> None:
    """Pipenv leaves an entry without hashes for what the oldest Python does not need."""
    pipfile = small.lock.with_name("Pipfile")
    rows = f"tool = {{version = '*', markers = \"{ELSEWHERE['markers']}\"}}"
    pipfile.write_text(pipfile.read_text().replace("[packages]\n", f"[packages]\n{rows}\n"))
    answers["3.12"] = {"click": LOCKED, "tool": ELSEWHERE}
    tool = {**LOCKED, "markers": ELSEWHERE["markers"]}
    answers["3.13"] = {"click": NEWER, "tool": tool, "below": LOCKED}
    make_lock()
    made = lock.packages(small.lock, "packages")
    assert made == {"click": LOCKED, "tool": tool, "below": {**LOCKED, **_markers()}}
    required = [call for call in processes.calls if "/bin/pipenv" in call]
    assert [call[1:] for call in required] == [["lock"], ["lock"]]


def _markers() -> dict[str, str]:
    return {"markers": ELSEWHERE["markers"]}


def test_only_some_packages(small: Project, answers: Answers, processes: Processes) -> None:
    answers["3.12"] = {"click": NEWER}
    make_lock("click")
    asked = [call[1:] for call in processes.calls if "/bin/pipenv" in call]
    assert asked == [["upgrade", "--categories", name, "click"] for name in sorted(CATEGORIES)]
    with pytest.raises(
        Exit, match=r"^error: --only is 'clack': expected a package that the Pipfile"
    ):
        make_lock("clack")


def test_a_lock_that_does_not_serve_all_is_not_kept(small: Project, answers: Answers) -> None:
    before = small.lock.read_bytes()
    answers["3.12"] = {"click": {**NEWER, "markers": "python_version < '3.13'"}}
    with pytest.raises(Exit, match=r"^error: Pipfile.lock does not serve Python 3.13: click 8.2"):
        make_lock()
    assert small.lock.read_bytes() == before


def test_a_failure_of_pipenv_leaves_the_lock(small: Project, processes: Processes) -> None:
    before = small.lock.read_bytes()
    processes.answer("/bin/pipenv lock", err="no match for nonsense", code=1)
    with pytest.raises(Exit, match="no match for nonsense"):
        make_lock()
    assert small.lock.read_bytes() == before


def test_what_is_missing_is_named(
    small: Project, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_python(version: str) -> Interpreter:
        raise InterpreterError(f"there is no Python {version}")

    monkeypatch.setattr(pipenv, "find", no_python)
    with pytest.raises(Exit) as refused:
        make_lock()
    assert str(refused.value) == (
        "error: a lock is made on the oldest Python it is for: there is no Python 3.12"
    )
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(Exit, match=r"^error: pipenv is not here: install it"):
        make_lock()
    assert processes.calls == []

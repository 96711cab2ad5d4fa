"""tasks.lib.git: asked without a terminal, answered in one line."""

from pathlib import Path

import pytest
from tasks.lib import git
from tasks.lib.console import TaskError

from tests.support import commit


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "a b").write_text("x")
    commit(tmp_path)
    (tmp_path / "new").touch()
    return tmp_path


def test_what_git_prints(repository: Path) -> None:
    assert git.run(repository, "branch", "--show-current") == "main"
    assert git.answer(repository, "status", "--porcelain") == "?? new"
    assert git.tracked(repository) == [repository / "a b"]


def test_a_failure_is_one_line_or_nothing(repository: Path) -> None:
    with pytest.raises(TaskError, match=r"^git rev-parse: Needed a single revision$"):
        git.run(repository, "rev-parse", "--verify", "nothing")
    assert git.ask(repository, "rev-parse", "--verify", "nothing").returncode
    assert git.answer(repository, "rev-parse", "--verify", "nothing") == ""


def test_where_there_is_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TaskError, match=r"^cannot run git: No such file or directory$"):
        git.ask(tmp_path, "status")
    assert git.tracked(tmp_path) == []


def test_nothing_is_asked_on_a_terminal(repository: Path) -> None:
    said = git.run(repository, "-c", "alias.env=!env", "env")
    assert {"GIT_TERMINAL_PROMPT=0", "LC_ALL=C"} <= set(said.splitlines())

"""`deploy.online-source`: what is refused with one line, before any host is asked."""

import os
import sys
from pathlib import Path

import pytest
from tasks.deploy.online_source import commit
from tasks.lib import project
from tasks.lib.console import TaskError

from tests.conftest import Bake
from tests.support import commit_change, run

DEPLOY = (sys.executable, "-m", "invoke", "deploy.online-source", "--to", "local")


@pytest.fixture(scope="module")
def cloned(bake: Bake) -> Path:
    """Give a project whose `origin` has its first commit."""
    folder = bake(git=True)
    bare = folder.parent / "origin.git"
    run(["git", "clone", "--quiet", "--bare", folder, bare], cwd=folder)
    run(["git", "remote", "add", "origin", bare], cwd=folder)
    settings = folder / "invoke.yaml"
    text = settings.read_text().replace("      repository: .\n", "      repository: origin\n")
    text = text.replace("end_of_life: warn", "end_of_life: refuse")
    settings.write_text(text)
    commit_change(folder)
    run(["git", "push", "--quiet", "origin", "HEAD"], cwd=folder)
    return folder


@pytest.fixture
def folder(cloned: Path) -> Path:
    """Give it as it was pushed."""
    run(["git", "checkout", "--quiet", "--force", "main"], cwd=cloned)
    run(["git", "reset", "--quiet", "--hard", "origin/main"], cwd=cloned)
    return cloned


def refusal(folder: Path, *options: str) -> str:
    """Give the one line that a refused deployment says."""
    done = run([*DEPLOY, *options], cwd=folder, code=1)
    (line,) = done.stderr.splitlines()
    assert "localhost" not in done.stdout, "a host was asked"
    return line


def test_the_plan_asks_no_host(folder: Path) -> None:
    said = run([*DEPLOY, "--dry-run"], cwd=folder).stdout
    commit = run(["git", "rev-parse", "HEAD"], cwd=folder).stdout.strip()
    assert f"  ref      main, commit {commit}\n" in said
    assert "localhost" not in said


def test_changes_in_no_commit(folder: Path) -> None:
    (folder / "src/new.py").write_text("")
    try:
        assert refusal(folder) == (
            "error: there are changes in no commit: commit and push them, or name a --ref"
        )
        run([*DEPLOY, "--dry-run", "--ref", "main"], cwd=folder)
    finally:
        (folder / "src/new.py").unlink()


def test_what_was_not_pushed(folder: Path) -> None:
    (folder / "README.md").write_text("Changed\n")
    commit_change(folder)
    commit = run(["git", "rev-parse", "HEAD"], cwd=folder).stdout[:12]
    line = refusal(folder)
    assert line.startswith(f"error: main ({commit}) is not in ")
    assert line.endswith("origin.git: hosts could not get it, push it first")


@pytest.mark.parametrize("ref", ["v7", "--all", "a b"])
def test_a_ref_that_does_not_exist(folder: Path, ref: str) -> None:
    line = refusal(folder, f"--ref={ref}")
    assert line == f"error: --ref is '{ref}': expected a tag, branch or commit that is here"


def test_a_lock_that_does_not_fit_the_pipfile(folder: Path) -> None:
    pipfile = folder / "Pipfile"
    pipfile.write_text(pipfile.read_text().replace('click = "*"', 'click = "<9"'))
    commit_change(folder)
    run(["git", "push", "--quiet", "--force", "origin", "HEAD:refs/heads/other"], cwd=folder)
    line = refusal(folder)
    assert line == "error: main: Pipfile.lock does not fit its Pipfile: run `pipenv lock`"


def test_a_python_past_its_end_of_life(folder: Path) -> None:
    table = folder / "tasks/lib/end_of_life.py"
    table.write_text(table.read_text().replace("dt.date(2029", "dt.date(2019"))
    commit_change(folder)
    run(["git", "push", "--quiet", "--force", "origin", "HEAD:refs/heads/other"], cwd=folder)
    line = refusal(folder)
    assert line.startswith("error: Python 3.13 reached its end of life on 2019-10-31")


def test_a_repository_that_cannot_be_asked(folder: Path) -> None:
    address = "http://user:" + "hidden" + "@127.0.0.1:9/x.git"
    found = commit.find(project.load(folder), address, "")
    (folder.parent / "empty").mkdir()
    with pytest.raises(TaskError) as refused:
        found.check_out(folder.parent / "empty")
    assert str(refused.value).startswith("cannot fetch from http://127.0.0.1:9/x.git: ")
    assert "hidden" not in str(refused.value)


def test_a_remote_that_does_not_exist(folder: Path) -> None:
    with pytest.raises(TaskError, match=r"^there is no remote 'up' .*; there are: origin \("):
        commit.find(project.load(folder), "up", "")


def test_a_folder_outside_of_git(baked: Path) -> None:
    line = refusal(baked)
    assert line == f"error: {baked.name} has no commit: hosts get the source by Git"


def test_a_project_below_the_top_of_its_repository(folder: Path, tmp_path: Path) -> None:
    run(["git", "init", "--quiet"], cwd=tmp_path)
    run(["cp", "-R", folder, tmp_path / "inner"], cwd=tmp_path)
    run(["rm", "-rf", tmp_path / "inner/.git"], cwd=tmp_path)
    commit_change(tmp_path)
    found = commit.find(project.load(tmp_path / "inner"), ".", "")
    (tmp_path / "out").mkdir()
    assert found.check_out(tmp_path / "out") == tmp_path / "out" / "inner"
    assert found.folder == "inner/"
    assert found.repository == os.path.realpath(tmp_path)

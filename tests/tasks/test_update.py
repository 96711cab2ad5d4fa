"""tasks.dependencies: a commit on a dependency branch, or everything as it was."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from invoke.context import MockContext
from invoke.exceptions import Exit
from tasks import deps
from tasks.dependencies import audit, branch, facts, installed, osv, report, update, wheels
from tasks.dependencies.audit import Vulnerability
from tasks.dependencies.facts import Facts
from tasks.dependencies.report import Outcome
from tasks.lib import git, lock, pipenv, project
from tasks.lib.console import TaskError
from tasks.lib.environment import Environment
from tasks.lib.interpreter import Interpreter
from tasks.lib.project import Project

from tests.branches import ROWS
from tests.support import commit
from tests.tasks.conftest import INDEX, LOCKED, Processes

WEAK = Vulnerability("click", "GHSA-1", "8.1", ("CVE-1",), ("8.2",))
CLEAN = Facts({}, frozenset(), {}, 2048)
TABLE = """
[tool.security]
advisories = "https://advisories.example/v1/query"
"""


@pytest.fixture
def repository(small: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Return the project on its branch `develop`; nox there says what a file tells it to."""
    for name in ("GIT_AUTHOR_EMAIL", "CI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    (small.root / ".gitignore").write_text("build/\n.env\n")
    path = small.root / "pyproject.toml"
    path.write_text(f"{path.read_text()}{TABLE}\n{ROWS}")
    commit(small.root)
    git.run(small.root, "switch", "--quiet", "--create", "develop")
    nox = tmp_path / "bin/nox"
    nox.parent.mkdir()
    nox.write_text(f"#!/bin/sh\npwd\necho \"$@\"\ncat '{tmp_path}/said' && exit 3\nexit 0\n")
    nox.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bin/python"))
    return small


def renew(this: Project, version: str = "8.2") -> pipenv.Content:
    """Return the lock of a project with another version of its package."""
    content = lock.read(this.lock)
    content["default"]["click"] = {**LOCKED, "version": f"=={version}"}
    pipfile = lock.read_pipfile(this.lock.with_name("Pipfile"))
    content["_meta"]["hash"] = {"sha256": lock.fingerprint(pipfile, [INDEX])}
    return content


@pytest.fixture
def known(repository: Project, monkeypatch: pytest.MonkeyPatch) -> dict[str, Facts]:
    """Return what is known of each version of click, which Pipenv would now lock at 8.2."""
    given = {"8.1": replace(CLEAN, vulnerable={WEAK.name: WEAK}), "8.2": CLEAN}

    def gather(_: Project, this: Project) -> Facts:
        return given[lock.packages(this.lock, "packages")["click"]["version"].lstrip("=")]

    monkeypatch.setattr(pipenv, "renewed", lambda this, _: renew(this))
    monkeypatch.setattr(update, "gather", gather)
    monkeypatch.setattr(project, "load", lambda root=None: _load(root or repository.root))
    return given


_load = project.load


def as_it_was(this: Project) -> tuple[str, str, str, bytes]:
    refs = git.run(this.root, "for-each-ref", "--format=%(refname) %(objectname)")
    status = git.run(this.root, "status", "--porcelain", "--branch")
    return refs, status, git.run(this.root, "worktree", "list"), this.lock.read_bytes()


# --- the branch and its commit -------------------------------------------------------------------


def test_a_commit_on_a_new_branch(repository: Project) -> None:
    (repository.root / ".env").write_text("PASSWORD=x\n")
    with branch.work(repository) as work:
        assert work.project.root == repository.build / "update"
        assert (work.project.root / ".env").is_file()
        (work.project.root / "Pipfile.lock").write_text("new")
        assert work.finish("x", "build(deps): x", ["Pipfile.lock"]) == "dependency/x"
    assert not (repository.build / "update").exists()
    assert git.run(repository.root, "branch", "--show-current") == "dependency/x"
    assert git.run(repository.root, "log", "-1", "--format=%an %ae %s") == (
        "A. Author author@example.com build(deps): x"
    )
    assert repository.lock.read_text() == "new"
    assert git.run(repository.root, "status", "--porcelain") == ""
    with branch.work(repository) as work:
        (work.project.root / "Pipfile.lock").write_text("newer")
        assert work.finish("y", "build(deps): y", ["Pipfile.lock"]) == "dependency/x"
    assert git.run(repository.root, "rev-list", "--count", "develop..HEAD") == "2"


def test_a_name_that_is_taken_gets_a_number(repository: Project) -> None:
    git.run(repository.root, "branch", "dependency/x")
    git.run(repository.root, "update-ref", "refs/remotes/origin/dependency/x-2", "HEAD")
    with branch.work(repository) as work:
        (work.project.root / "Pipfile.lock").write_text("new")
        assert work.finish("x", "build(deps): x", ["Pipfile.lock"]) == "dependency/x-3"


def test_a_checked_out_commit_as_in_ci(repository: Project) -> None:
    git.run(repository.root, "update-ref", "refs/remotes/origin/develop", "HEAD")
    git.run(repository.root, "switch", "--quiet", "--detach")
    git.run(repository.root, "branch", "--delete", "--force", "develop")
    git.run(repository.root, "config", "user.email", "ci@example.com")
    git.run(repository.root, "config", "user.name", "CI")
    with branch.work(repository) as work:
        (work.project.root / "Pipfile.lock").write_text("new")
        work.finish("x", "build(deps): x", ["Pipfile.lock"])
    assert git.run(repository.root, "log", "-1", "--format=%ae") == "ci@example.com"
    git.run(repository.root, "switch", "--quiet", "--detach")
    with pytest.raises(TaskError, match=r"^this is no branch: expected develop, or a branch named"):
        branch.work(repository).__enter__()


def test_where_nothing_is_begun(repository: Project) -> None:
    repository.lock.write_text("mine")
    with pytest.raises(TaskError, match=r"^there are uncommitted changes \(Pipfile.lock\): commit"):
        branch.work(repository).__enter__()
    git.run(repository.root, "checkout", "--quiet", ".")
    git.run(repository.root, "switch", "--quiet", "main")
    with pytest.raises(TaskError, match=r"^this is branch 'main': expected develop, or a branch"):
        branch.work(repository).__enter__()
    git.run(repository.root, "switch", "--quiet", "develop")
    with (
        branch.work(repository),
        pytest.raises(TaskError, match=r"^another update is running here: wait for its end$"),
    ):
        branch.work(repository).__enter__()


def test_a_commit_that_finds_no_place_is_named(repository: Project) -> None:
    git.run(repository.root, "switch", "--quiet", "--create", "dependency/x")
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    with branch.work(repository) as work:
        (work.project.root / "Pipfile.lock").write_text("new")
        git.run(repository.root, *who, "commit", "--quiet", "--allow-empty", "--message=Other")
        with pytest.raises(TaskError, match=r"^git merge: .*; what was made is commit \w{40}$"):
            work.finish("x", "build(deps): x", ["Pipfile.lock"])


def test_checks_run_in_the_copy(repository: Project, tmp_path: Path) -> None:
    with branch.work(repository) as work:
        work.check(["lint", "test"])
        log = (repository.build / "update.log").read_text()
        assert log.splitlines()[:2] == [str(work.project.root), "-s lint test"]
        (tmp_path / "said").write_text("1 failed\n")
        with pytest.raises(TaskError, match=r"nothing was changed \(all of it: build/update.log\)"):
            work.check(["lint"])


def test_without_nox(repository: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with branch.work(repository) as work:
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(TaskError, match=r"^nox is not here: install it, for example with"):
            work.check(["lint"])


# --- the update ----------------------------------------------------------------------------------


def test_what_is_fixed_is_told_and_committed(
    repository: Project, known: dict[str, Facts], capsys: pytest.CaptureFixture[str]
) -> None:
    deps.update(MockContext(), only="click")
    said = capsys.readouterr().out
    assert "dependency/click has the new lock" in said
    assert "  fixed        GHSA-1 of click 8.1\n" in said
    assert "  checks       lint, test, security passed\n" in said
    subject = git.run(repository.root, "log", "-1", "--format=%s")
    assert subject == "fix(deps): update click"
    known["8.1"] = CLEAN
    deps.update(MockContext())
    assert "everything is as new as the Pipfile allows" in capsys.readouterr().out


def test_a_failure_leaves_all_as_it_was(
    repository: Project, known: dict[str, Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = as_it_was(repository)
    (tmp_path / "said").write_text("1 failed\n")
    with pytest.raises(Exit, match=r"^error: the checks fail, nothing was changed .*"):
        deps.update(MockContext())
    worse = replace(WEAK, id="GHSA-2", version="8.2", fixes=())
    known["8.2"] = replace(CLEAN, vulnerable={worse.name: worse})
    with pytest.raises(Exit) as refused:
        deps.update(MockContext())
    assert str(refused.value).splitlines() == [
        "error: the newer versions have new vulnerabilities, nothing was changed:",
        "    click 8.2: GHSA-2 (CVE-1); no version fixes it yet",
    ]
    (repository.lock).write_text("{}")
    with pytest.raises(Exit, match="uncommitted changes"):
        deps.update(MockContext())
    git.run(repository.root, "checkout", "--quiet", ".")
    monkeypatch.setattr(pipenv, "renewed", lambda *_: lock.read(tmp_path / "none"))
    with pytest.raises(Exit, match=r"^error: there is no none"):
        deps.update(MockContext())
    assert as_it_was(repository) == before


def test_what_no_version_fixes_keeps_no_update_away(
    repository: Project, known: dict[str, Facts], capsys: pytest.CaptureFixture[str]
) -> None:
    known["8.2"] = replace(CLEAN, vulnerable={WEAK.name: WEAK}, notes=("wheels not measured: x",))
    deps.update(MockContext())
    said = capsys.readouterr().out
    assert "  still there  GHSA-1 of click 8.1\n" in said
    assert "  checks       lint, test passed\n" in said
    assert "  not known    wheels not measured: x\n" in said
    today = branch.today()
    assert git.run(repository.root, "branch", "--show-current") == f"dependency/{today}"
    assert git.run(repository.root, "log", "-1", "--format=%s") == "build(deps): update click"


@pytest.mark.parametrize(("checks", "run"), [("", "lint test security"), ("lint", "lint")])
def test_what_is_accepted_is_no_reason(
    repository: Project, known: dict[str, Facts], checks: str, run: str
) -> None:
    found = {WEAK.name: WEAK}
    known["8.2"] = replace(CLEAN, vulnerable=found, accepted=frozenset(found))
    deps.update(MockContext(), checks=checks)
    assert f"-s {run}\n" in (repository.build / "update.log").read_text()


# --- what is said of it --------------------------------------------------------------------------


def test_the_report_of_an_update() -> None:
    before = Facts({WEAK.name: WEAK}, frozenset(), {"a": ("1", "MIT"), "b": ("1", "MIT")}, 1024)
    after = Facts(None, frozenset(), {"a": ("2", "GPL"), "c": ("1", "MIT")}, None)
    many = [f"p{n} 1 -> 2" for n in range(4)]
    outcome = Outcome(many, before, after, frozenset({"click"}), ("lint",))
    rows = report.rows(outcome)
    assert rows["advisories"] == "not known"
    assert rows["licences"] == "a MIT -> GPL, b MIT -> none, c none -> MIT"
    assert "wheels" not in rows
    assert report.message(outcome).startswith("build(deps): update 4 packages\n\n- p0 1 -> 2\n")
    mended = replace(outcome, after=CLEAN)
    assert report.rows(mended)["wheels"] == "1 kB -> 2 kB"
    assert report.message(mended).startswith("fix(deps): ")
    elsewhere = replace(mended, ships=frozenset())
    assert report.message(elsewhere).startswith("build(deps): "), "a tool's weakness ships nowhere"
    assert report.rows(Outcome()) == {}


# --- what is known of a lock ---------------------------------------------------------------------


@pytest.fixture
def tools(
    environment: Environment, python: Interpreter, monkeypatch: pytest.MonkeyPatch
) -> Environment:
    monkeypatch.setattr(facts, "interpreter", lambda _: python)
    monkeypatch.setattr(facts, "ensure", lambda *_: environment)
    monkeypatch.setattr(deps, "interpreter", lambda _: python)
    monkeypatch.setattr(deps, "ensure", lambda *_: environment)
    return environment


REPORT = {
    "dependencies": [
        {"name": "click", "version": "8.1",
         "vulns": [{"id": "GHSA-1", "aliases": ["CVE-1"], "fix_versions": ["8.2"]}]},
        {"name": "h11", "version": "1", "vulns": []},
    ]
}  # fmt: skip


def test_everything_is_asked_of_pip_audit(
    repository: Project, tools: Environment, processes: Processes
) -> None:
    content = lock.read(repository.lock)
    content["default"]["click"] = {**LOCKED, "markers": "sys_platform == 'win32'"}
    repository.lock.write_text(json.dumps(content))
    seen: list[str] = []

    def read(argv: list[str]) -> None:
        seen.append(Path(argv[argv.index("-r") + 1]).read_text())

    processes.answer("pip-audit", json.dumps(REPORT), code=1, does=read)
    assert audit.run(repository, tools) == [WEAK]
    assert seen == ["click==8.1 --hash=sha256:aa --hash=sha256:bb\n"]
    assert str(WEAK) == "click 8.1: GHSA-1 (CVE-1); fixed in 8.2"


def test_an_audit_that_gives_no_answer(
    repository: Project, tools: Environment, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    processes.answer("pip-audit", err="ERROR:x: Could not connect to OSV", code=1)
    with pytest.raises(osv.NoAnswer, match=r"^https://advisories.example/v1/query does not answer"):
        audit.run(repository, tools)
    processes.answer("version-check download", err="no such package", code=1)
    found = facts.gather(repository, repository)
    assert (found.vulnerable, found.size) == (None, None)
    assert found.notes == (
        "not audited: https://advisories.example/v1/query does not answer",
        "wheels not measured: no such package",
    )
    monkeypatch.setenv("CI", "true")
    with pytest.raises(osv.NoAnswer):
        facts.gather(repository, repository)
    processes.answer("pip-audit", err="Traceback\nImportError: x", code=1)
    with pytest.raises(TaskError, match=r"^pip-audit failed with exit code 1: ImportError: x$"):
        audit.run(repository, tools)


def test_what_is_gathered(
    repository: Project, tools: Environment, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def download(argv: list[str]) -> None:
        folder = Path(argv[argv.index("--dest") + 1])
        folder.mkdir()
        (folder / "a.whl").write_bytes(b"x" * 7)

    processes.answer("pip-audit", json.dumps(REPORT))
    processes.answer("pip --disable-pip-version-check download", does=download)
    assert facts.gather(repository, repository) == Facts({WEAK.name: WEAK}, frozenset(), {}, 7)
    entry = '[[tool.security.allow]]\ncheck = "pip-audit"\nfinding = "GHSA-1:click"\n'
    path = repository.root / "pyproject.toml"
    path.write_text(path.read_text() + entry)
    assert facts.gather(repository, repository).accepted == {"GHSA-1:click"}
    assert wheels.size(repository, tools) == 7
    content = lock.read(repository.lock)
    repository.lock.write_text(json.dumps({**content, "default": {}}))
    assert wheels.size(repository, tools) == 0
    assert installed.licences(tools) == {}


def test_the_audit_says_what_is_accepted(
    repository: Project,
    tools: Environment,
    processes: Processes,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(project, "load", lambda: repository)
    processes.answer("pip-audit", json.dumps(REPORT))
    with pytest.raises(
        Exit, match=r"^error: there are vulnerabilities: `invoke deps.update` takes"
    ):
        deps.ask_audit(MockContext())
    assert "  click 8.1: GHSA-1 (CVE-1); fixed in 8.2\n" in capsys.readouterr().out
    entry = '[[tool.security.allow]]\ncheck = "pip-audit"\nfinding = "GHSA-1:click"\n'
    path = repository.root / "pyproject.toml"
    path.write_text(path.read_text() + entry)
    deps.ask_audit(MockContext())
    assert "fixed in 8.2 (accepted in pyproject.toml)\n" in capsys.readouterr().out


def test_the_table_names_the_branches(repository: Project) -> None:
    path = repository.root / "pyproject.toml"
    rows = path.read_text().replace('name = "dependency/*"', 'name = "deps/*"')
    path.write_text(rows.replace('name = "develop"', 'name = "next"'))
    commit(repository.root)
    wrong = pytest.raises(TaskError, match=r"^this is branch 'develop': expected next, or a branch")
    with wrong, branch.work(repository):
        pass
    git.run(repository.root, "branch", "--move", "next")
    with branch.work(repository) as work:
        (work.project.root / "Pipfile.lock").write_text("{}")
        assert work.finish("x", "build(deps): x", ["Pipfile.lock"]) == "deps/x"

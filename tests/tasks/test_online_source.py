"""tasks.deploy.online_source: which commits hosts can get, and what hosts are given."""

import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import MockContext
from invoke.exceptions import Exit
from tasks.deploy import online_source as module
from tasks.deploy.build.plan import Plan
from tasks.deploy.online_source import commit, kit
from tasks.hosts.target import Hosts
from tasks.lib import git, project
from tasks.lib.console import TaskError
from tasks.lib.environment import Environment
from tasks.lib.project import Project
from tasks.lib.target import Rollout

from tests.support import PROJECT
from tests.support import commit as commit_all
from tests.tasks.conftest import Processes


@pytest.fixture
def cloned(small: Project) -> Project:
    """Return the project in a Git repository that is its own remote."""
    (small.root / "deploy").unlink()
    for name in ("online-source", "host", "units", "inventory"):
        (small.root / "deploy" / name).mkdir(parents=True)
        for path in (PROJECT / "deploy" / name).iterdir():
            if path.is_file():
                (small.root / "deploy" / name / path.name).write_bytes(path.read_bytes())
    commit_all(small.root)
    git.run(small.root, "remote", "add", "origin", str(small.root))
    return small


def test_the_commit_that_is_checked_out(cloned: Project) -> None:
    found = commit.find(cloned, "origin", "")
    assert found.id == git.run(cloned.root, "rev-parse", "HEAD")
    assert (found.ref, found.tag, found.folder) == ("main", "", "")
    assert found.repository == str(cloned.root)


def test_a_tag_and_a_project_below_the_top(cloned: Project) -> None:
    git.run(cloned.root, "tag", "v1")
    assert commit.find(cloned, ".", "v1").tag == "v1"
    below = cloned.root / "services/web"
    below.mkdir(parents=True)
    (below / "pyproject.toml").touch()
    git.run(cloned.root, "add", "--all")
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    git.run(cloned.root, *who, "commit", "--quiet", "--message=More")
    assert commit.find(replace(cloned, root=below), "origin", "").folder == "services/web/"


@pytest.mark.parametrize("address", ["ssh://git@example.com/x.git", "host:x"])
def test_an_address_is_taken_as_it_is(cloned: Project, address: str) -> None:
    assert commit.find(cloned, address, "").repository == address


def test_what_hosts_could_not_get_is_refused(small: Project, cloned: Project) -> None:
    with pytest.raises(TaskError, match=r"^--ref is 'v9': expected a tag, branch or commit"):
        commit.find(cloned, "origin", "v9")
    with pytest.raises(TaskError, match=r"^there is no remote 'x' .*; there are: origin \("):
        commit.find(cloned, "x", "")
    (small.root / "new").touch()
    with pytest.raises(TaskError, match=r"^there are uncommitted changes"):
        commit.find(cloned, "origin", "")


def test_outside_of_git_there_is_nothing_to_get(small: Project) -> None:
    with pytest.raises(TaskError, match=r"^project has no commit: hosts get the source by Git$"):
        commit.find(small, "origin", "")


def test_a_commit_is_checked_out_as_a_host_does(cloned: Project, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    found = commit.find(cloned, "origin", "")
    assert project.load(found.check_out(tmp_path / "out")).name == "My.Service"


def test_what_cannot_be_fetched_is_one_line(tmp_path: Path, processes: Processes) -> None:
    login = "me:pass"
    wanted = commit.Commit(f"https://{login}@example.com/x", "main", "a" * 40, "", "")
    processes.answer(
        " fetch --quiet", err=f"fatal: no route to https://{login}@example.com\n", code=128
    )
    with pytest.raises(TaskError, match=r"^cannot fetch from https://example.com/x: no route to"):
        wanted.check_out(tmp_path)
    processes.answer(
        " fetch --quiet", err="fatal: remote error: upload-pack: not our ref aa\n", code=128
    )
    with pytest.raises(TaskError, match=r"^main \(a{12}\) is not in https://example.com/x: hosts"):
        wanted.check_out(tmp_path)


def test_two_commits_are_compared(cloned: Project) -> None:
    first = git.run(cloned.root, "rev-parse", "HEAD")
    (cloned.root / "README").write_text("x\n")
    git.run(cloned.root, "add", "--all")
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    git.run(cloned.root, *who, "commit", "--quiet", "--message=More")
    assert commit.difference(cloned, first, "HEAD").startswith("README | 1 +")
    assert "is not here: nothing to compare with" in commit.difference(cloned, "0" * 40, "HEAD")


def test_a_kit_has_all_that_a_host_needs(
    plan: Plan, environment: Environment, tmp_path: Path, processes: Processes
) -> None:
    processes.answer("release_rank.py", "a1\n")
    wanted = commit.Commit("https://example.com/x", "v1", "0123456789abcdef", "v1", "web/")
    archive = kit.pack(wanted, plan, environment, tmp_path)
    with tarfile.open(archive) as tar:

        def text(name: str) -> str:
            file = tar.extractfile(f"my-service/{name}")
            assert file
            return file.read().decode()

        source, release = (
            json.loads(text("source.json")),
            json.loads(text("release/host/release.json")),
        )
        assert (source["folder"], source["tag"], source["package"]) == ("web/", "v1", "my_service")
        assert json.loads(text("release.json"))["program"]["app"] == "my_service.app:app"
        assert text("requirements.txt").startswith("click==8.1 --hash=sha256:aa")
        assert release["version"] == "1.0rc1-0123456789ab" == kit.name_of(plan)
        assert (release["machine"], release["glibc"]) == ("%MACHINE%", "none")
        assert "from my_service.runtime.cli import main" in text("release/bin/my-service")
        assert '"%PYTHON%"' in text("release/bin/my-service-admin")
        assert "my-service/install.py" in tar.getnames()


DEPLOY = {
    "targets": {
        "local": {"inventory": "deploy/inventory/local.yml", "repository": "."},
        "other": {"inventory": "deploy/inventory/local.yml", "quadrant": "offline-source"},
    }
}


@pytest.fixture
def told(
    cloned: Project, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> list[Rollout]:
    """Let nothing but Git run; return a list that gets the rollouts of the target."""
    rollouts: list[Rollout] = []
    monkeypatch.setattr(
        project, "load", lambda root=None, load=project.load: load(root or cloned.root)
    )
    monkeypatch.setattr(module, "interpreter", lambda _: environment.interpreter)
    monkeypatch.setattr(module, "ensure", lambda *_: environment)
    monkeypatch.setattr(module, "pack", lambda *_: Path("/kit.tar.gz"))
    monkeypatch.setattr(Hosts, "roll_out", lambda _, rollout: rollouts.append(rollout))
    return rollouts


def run(**options: Any) -> None:
    context = MockContext(Config(overrides={"deploy": DEPLOY}))
    module.online_source(context, **{"to": "local", **options})


def test_hosts_are_told_to_make_the_release(cloned: Project, told: list[Rollout]) -> None:
    run(allow_downgrade=True)
    [rollout] = told
    head = git.run(cloned.root, "rev-parse", "HEAD")
    assert rollout.release == f"1.0rc1+{head[:12]}"
    assert (rollout.quadrant, rollout.way, rollout.check) == ("online-source", "source", False)
    assert rollout.means["source_kit"] == "/kit.tar.gz"
    assert rollout.means["source_installer"] == [
        "FOLDER/my-service/install.py",
        "--allow-downgrade",
    ]
    assert rollout.means["python_wanted"] == "3.13"
    assert rollout.compare is None


def test_a_check_compares_with_what_is_there(cloned: Project, told: list[Rollout]) -> None:
    run(check=True)
    compare = told[0].compare
    assert compare
    head = git.run(cloned.root, "rev-parse", "HEAD")
    assert compare(head) == ""
    assert compare("0" * 40).startswith(f"\n{'0' * 12} -> {head[:12]}\nthe commit")


def test_a_dry_run_asks_no_host(told: list[Rollout], capsys: pytest.CaptureFixture[str]) -> None:
    run(dry_run=True)
    assert told == []
    said = capsys.readouterr().out
    assert "plan of deploy.online-source\n" in said
    assert "local (local.yml), 1 and then 1 at a time\n" in said


def lose_the_scripts(folder: Path) -> None:
    git.run(folder, "rm", "-r", "--quiet", "deploy/online-source")


def lose_the_fit(folder: Path) -> None:
    (folder / "Pipfile").write_text('[packages]\nflask = "*"\n')


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lose_the_scripts, "main has no deploy/online-source: it cannot be deployed in this way"),
        (lose_the_fit, "main: Pipfile.lock does not fit its Pipfile"),
    ],
)
def test_a_commit_that_cannot_be_deployed_is_refused(
    cloned: Project, told: list[Rollout], harm: Callable[[Path], None], said: str
) -> None:
    harm(cloned.root)
    git.run(cloned.root, "add", "--all")
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    git.run(cloned.root, *who, "commit", "--quiet", "--message=Worse")
    with pytest.raises(Exit, match=f"^error: {said}"):
        run()
    assert told == []


def test_a_target_for_another_way_is_refused(told: list[Rollout]) -> None:
    with pytest.raises(Exit, match=r"the target other is for deploy.offline-source, not online"):
        run(to="other")

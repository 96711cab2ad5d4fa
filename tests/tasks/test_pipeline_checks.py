"""tasks.checks.pipelines: what pipelines run is the same everywhere, and exists."""

import shutil
from pathlib import Path

import pytest
from tasks.checks import pipelines

from tests.support import PROJECT

SESSIONS = ("lint", "test", "security")
QUADRANTS = ("offline-source", "offline-binary")
HELPS = {
    "nox -s": dict.fromkeys([*SESSIONS, "docs", "sonar"], ""),
    "invoke": {
        "branch.check": "--source=STRING --target=STRING",
        "ci.deploy": "--branch=STRING",
        "ci.request": "--help",
        "deploy.offline-binary": "--help",
        "deploy.offline-source": "--help",
        "deploy.verify": "--path=STRING",
        "deps.update": "--only=STRING",
    },
}
FIRST = [files[0] for files in pipelines.PROVIDERS.values()]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for files in pipelines.PROVIDERS.values():
        for name in files:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / name, tmp_path / name)
    return tmp_path


def problems(root: Path, sessions: tuple[str, ...] = SESSIONS) -> list[str]:
    return pipelines.problems(root, HELPS, QUADRANTS, sessions)


def test_the_pipelines_run_the_same_and_all_of_it_exists(root: Path) -> None:
    found = {
        provider: {pipelines._name(call) for name in files for call in pipelines.calls(root / name)}
        for provider, files in pipelines.PROVIDERS.items()
    }
    assert found["GitHub"] == found["GitLab"] == found["Jenkins"] == set(pipelines.COMMANDS)
    assert problems(root) == []


@pytest.mark.parametrize("name", FIRST)
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("nox -s security", "nox -s lint", "`nox -s security` is not run"),
        ("invoke ci.deploy", "invoke deps.update", "`invoke ci.deploy` is not run"),
        ("nox -s docs", "nox -s bench", "`nox -s bench` is run here only"),
        ("nox -s docs", "nox -s bench", "`nox -s bench` does not exist"),
        ("branch.check --source", "branch.check --from", "`invoke branch.check --from` does not"),
        ("invoke deploy.verify", "invoke deploy.check", "`invoke deploy.check` does not exist"),
    ],
)
def test_a_difference_is_told(root: Path, name: str, old: str, new: str, told: str) -> None:
    text = (root / name).read_text("utf-8")
    assert old in text
    (root / name).write_text(text.replace(old, new), "utf-8")
    assert any(line.startswith(f"{name}: {told}") for line in problems(root))


def test_a_quadrant_without_a_task_is_told(root: Path) -> None:
    wrong = pipelines.problems(root, HELPS, ["online-binary"], SESSIONS)
    assert wrong == [f"{name}: `invoke deploy.online-binary` does not exist" for name in FIRST]


def test_a_session_of_the_table_needs_a_job(root: Path) -> None:
    told = [f"{name}: `nox -s bench` is not run" for name in FIRST]
    assert problems(root, (*SESSIONS, "bench")) == told


def test_a_table_without_deployments_needs_none(root: Path) -> None:
    path = root / "Jenkinsfile"
    path.write_text(path.read_text("utf-8").replace("invoke ci.deploy", "true"), "utf-8")
    assert problems(root) == ["Jenkinsfile: `invoke ci.deploy` is not run"]
    assert pipelines.problems(root, HELPS, QUADRANTS, SESSIONS, deploys=False) == []


def test_a_comment_runs_nothing(root: Path) -> None:
    for name in FIRST:
        path = root / name
        mark = "//" if name == "Jenkinsfile" else "#"
        path.write_text(f"{path.read_text('utf-8')}\n{mark} invoke nothing\n", "utf-8")
    assert problems(root) == []


def test_a_provider_that_is_not_there_is_not_asked(root: Path) -> None:
    (root / "Jenkinsfile").unlink()
    (root / ".gitlab-ci.yml").unlink()
    assert problems(root) == []

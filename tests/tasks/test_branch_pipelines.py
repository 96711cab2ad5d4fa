"""tasks.branches.pipelines: what the table and the Pythons write into each pipeline."""

import shutil
from pathlib import Path

import pytest
from tasks.branches import derived, pipelines, table
from tasks.lib import project
from tasks.lib.console import TaskError

from tests.branches import ROWS
from tests.support import PROJECT, PYTHONS

PIPELINES = [name for name in pipelines.FILES if "weekly" not in name]
QUADRANTS = ("offline_source", "offline_binary", "online_source")


@pytest.fixture
def root(small: project.Project) -> Path:
    """Return a project with the pipelines as they are baked, and what they are written from."""
    path = small.root / "pyproject.toml"
    language = "Programming Language :: Python :: "
    usual, offered = (
        "".join(f'    "{language}{version}",\n' for version in versions)
        for versions in (("3.12", "3.13"), PYTHONS)
    )
    text = path.read_text("utf-8").replace(usual, offered)
    path.write_text(f"{text}\n{ROWS}", "utf-8")
    for name in pipelines.FILES:
        (small.root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, small.root / name)
    for name in QUADRANTS:
        (small.root / "tasks" / "deploy" / name).mkdir(parents=True, exist_ok=True)
    return small.root


def change(root: Path, old: str, new: str, file: str = "pyproject.toml") -> dict[str, str]:
    """Change a file; return what is then expected of each pipeline that is not as it should be."""
    path = root / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")
    made = pipelines.expected(root)
    return {name: made[name] for name in made if made[name] != (root / name).read_text("utf-8")}


def test_the_template_is_as_its_table_says(root: Path) -> None:
    assert pipelines.expected(root) == {
        name: (root / name).read_text("utf-8") for name in pipelines.FILES
    }


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('name = "release/*"', 'name = "version/*"', ("startsWith(github.ref_name, 'version/')",
         "/^(version\\/.+)$/", "==~ /version\\/.+/")),
        ('deploys = "staging"', 'deploys = "trial"', ("|| 'trial' }}", "deploy-trial:",
         "stage('deploy develop to trial')")),
        ("approval = true", "approval = false", None),
        ('Python :: 3.14",', 'Python :: 3.15",', ('"3.13", "3.15"]', '"3.13", "3.15"]',
         "'3.13', '3.15'")),
    ],
)  # fmt: skip
def test_a_change_reaches_every_pipeline(
    root: Path, old: str, new: str, words: tuple[str, ...] | None
) -> None:
    changed = change(root, old, new)
    if words is None:  # who approves on GitHub is a setting of the environment
        assert set(changed) == {".gitlab-ci.yml", "Jenkinsfile"}
        assert "when: manual" not in changed[".gitlab-ci.yml"]
        assert "input {" not in changed["Jenkinsfile"]
        return
    assert set(changed) == set(PIPELINES)
    for name, word in zip(PIPELINES, words, strict=True):
        assert word in changed[name]


def test_the_weekly_job_follows_the_branch_of_dependencies(root: Path) -> None:
    text = (root / "pyproject.toml").read_text("utf-8")
    (root / "pyproject.toml").write_text(text.replace('"develop"', '"trunk"'), "utf-8")
    changed = change(root, "[tool.branches.develop]", "[tool.branches.trunk]")
    assert "ref: trunk\n" in changed[".github/workflows/weekly.yml"]
    assert "BRANCH_NAME == 'trunk'" in changed["Jenkinsfile"]


def test_a_quadrant_that_was_deleted_is_not_built(root: Path) -> None:
    (root / "tasks/deploy/offline_source").rmdir()
    made = pipelines.expected(root)
    assert all("offline-source" not in made[name] for name in PIPELINES)
    assert all("offline-binary" in made[name] for name in PIPELINES)


def test_a_table_without_deployments_deploys_nowhere(root: Path) -> None:
    text = (root / "pyproject.toml").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith(("deploys", "approval"))]
    (root / "pyproject.toml").write_text("\n".join(lines), "utf-8")
    made = pipelines.expected(root)
    assert "(false)\n" in made[PIPELINES[0]]
    assert "    environment: " not in made[PIPELINES[0]]
    assert "  environment: " not in made[PIPELINES[1]]
    assert "ci.deploy" not in made[PIPELINES[2]]


def test_a_branch_without_a_check_does_not_run_it(root: Path) -> None:
    assert table.load(root)["docs"].checks == ("lint",)
    made = pipelines.expected(root)
    for name, word in zip(PIPELINES, ("'docs/')", "docs\\/", "docs\\/"), strict=True):
        blocks = made[name].split("Written by `invoke branch.sync`: ")
        assert word not in next(block for block in blocks if block.startswith("test\n"))
    assert "docs\\/" in made["Jenkinsfile"]


@pytest.mark.parametrize("name", pipelines.FILES)
def test_a_pipeline_may_be_deleted(root: Path, name: str) -> None:
    (root / name).unlink()
    assert set(pipelines.expected(root)) == pipelines.FILES.keys() - {name}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("branch.sync`: lint", "branch.sync`: lnt", "0 blocks 'lint'"),
        ("# Written by `invoke branch.sync`: lint", "#", "0 blocks 'lint'"),
        ("branch.sync`: security", "branch.sync`: test", "2 blocks 'test'"),
    ],
)
def test_a_pipeline_with_other_blocks_is_refused(root: Path, old: str, new: str, told: str) -> None:
    with pytest.raises(TaskError, match=rf"pipeline.yml has {told}: expected one of each of "):
        change(root, old, new, PIPELINES[0])


def test_a_difference_is_told_and_written_anew(root: Path) -> None:
    for name in ("docs/branches.md", "ops/branches"):
        source, copy = PROJECT / name, root / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    change(root, "ref: develop", "ref: main", ".github/workflows/weekly.yml")
    assert derived.problems(root, ("lint", "test", "security")) == [
        ".github/workflows/weekly.yml is not as [tool.branches] says: run `invoke branch.sync`"
    ]
    derived.write(root)
    assert derived.problems(root, ("lint", "test", "security")) == []

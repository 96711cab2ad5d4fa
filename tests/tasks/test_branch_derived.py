"""What is derived from the table of branches: all of it changes with a row, and is compared."""

import json
import shutil
from pathlib import Path

import pytest
from tasks.branches import derived, github, gitlab, page, table, words
from tasks.lib import project
from tasks.lib.console import TaskError

from tests.branches import GIVEN, KINDS, ROWS
from tests.support import PROJECT


@pytest.fixture
def root(small: project.Project) -> Path:
    """Return a project with the table and all that is derived from it, as they are baked."""
    with (small.root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write(f"\n{ROWS}")
    for name in ("docs/branches.md", "ops/branches"):
        source, copy = PROJECT / name, small.root / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copytree(source, copy) if source.is_dir() else shutil.copy(source, copy)
    return small.root


def change(root: Path, old: str, new: str) -> None:
    path = root / "pyproject.toml"
    text = path.read_text("utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), "utf-8")


def test_the_template_is_as_its_table_says(root: Path) -> None:
    assert derived.problems(root, ("lint", "test", "security")) == []
    assert derived.write(root) == []


def test_a_changed_row_changes_every_output(root: Path) -> None:
    change(root, 'name = "release/*"', 'name = "version/*"')
    outputs = {
        "docs/branches.md",
        "ops/branches/github/names.json",
        "ops/branches/github/release-push.json",
        "ops/branches/github/release.json",
        "ops/branches/gitlab.json",
        "ops/branches/pre-receive",
    }
    assert set(derived.differences(root)) == outputs
    lines = derived.problems(root, ("lint", "test", "security"))
    assert f"{lines[0]}" == (
        "docs/branches.md is not as [tool.branches] says: run `invoke branch.sync`"
    )
    assert len(lines) == len(outputs)
    assert set(derived.write(root)) == outputs
    assert derived.differences(root) == []
    for name in outputs:
        text = (root / name).read_text("utf-8")
        assert "version/" in text
        assert "release/*" not in text
    names = words.config(project.load(root), table.load(root))["branch"]
    assert "version" in names["allow_branch_types"]
    assert "release" not in names["allow_branch_types"]


def test_a_kind_that_is_gone_takes_its_rulesets_along(root: Path) -> None:
    change(root, 'push = "maintainers"\nmerge = "maintainers"', 'push = "developers"')
    stale = {"ops/branches/github/release-push.json", "ops/branches/github/release.json"}
    assert stale < set(derived.write(root))
    assert not any((root / name).exists() for name in stale)
    assert [row["name"] for row in json.loads((root / "ops/branches/gitlab.json").read_text())] == [
        "main",
        "develop",
    ]


def test_a_file_that_was_edited_or_lost_is_named(root: Path) -> None:
    hook = root / derived.HOOK
    hook.write_text(hook.read_text("utf-8").replace("refused:", "allowed:"), "utf-8")
    (root / "ops/branches/gitlab.json").unlink()
    assert derived.differences(root) == ["ops/branches/gitlab.json", "ops/branches/pre-receive"]
    derived.write(root)
    assert derived.differences(root) == []
    assert hook.stat().st_mode & 0o111


def test_a_check_that_is_no_session_is_named(root: Path) -> None:
    assert derived.problems(root, ("lint", "security"))[0] == (
        "tool.branches.main.checks has 'test': expected lint, security"
    )


def test_a_page_without_the_marks_is_left_alone(root: Path) -> None:
    (root / derived.PAGE).write_text("# My branches\n")
    with pytest.raises(TaskError, match=r"^docs/branches\.md lacks the lines '<!-- Written by"):
        derived.write(root)
    assert (root / derived.PAGE).read_text() == "# My branches\n"


def test_a_project_without_the_table_is_told(small: project.Project) -> None:
    with pytest.raises(TaskError, match=r"^pyproject\.toml has no \[tool\.branches\]: docs/bra"):
        derived.problems(small.root, ())


def test_the_drawing_has_each_way_once() -> None:
    lines = page.graph(KINDS).splitlines()
    assert lines[0] == "```mermaid"
    assert '    kind_feature["feature/*"]' in lines
    assert "    kind_develop -.->|starts| kind_feature" in lines
    assert "    kind_feature -->|merges| kind_develop" in lines
    assert "    kind_feature -->|merges| kind_main" not in lines
    assert len(lines) == len(set(lines))


def test_rulesets() -> None:
    made = github.rulesets(KINDS)
    assert list(made) == ["names", "main", "main-merge", "develop", "release", "release-push"]
    assert len({ruleset["name"] for ruleset in made.values()}) == len(made)
    rules = {rule["type"]: rule.get("parameters") for rule in made["develop"]["rules"]}
    assert list(rules) == ["deletion", "non_fast_forward", "pull_request", "required_status_checks"]
    checks = rules["required_status_checks"]["required_status_checks"]
    assert [check["context"] for check in checks] == ["branch", *GIVEN["develop"]["checks"]]
    names = made["names"]["conditions"]["ref_name"]
    assert names["include"] == ["~ALL"]
    assert names["exclude"] == [f"refs/heads/{kind.name}" for kind in KINDS.values()]
    assert {actor["bypass_mode"] for actor in made["main-merge"]["bypass_actors"]} == {
        "pull_request"
    }
    without = github.without_checks(made["develop"])
    assert [rule["type"] for rule in without["rules"]] == list(rules)[:-1]


def test_protected_branches() -> None:
    levels = {row["name"]: gitlab.says(row) for row in gitlab.protected(KINDS)}
    assert levels == {
        "main": "nobody may push, maintainers may merge",
        "develop": "nobody may push, developers may merge",
        "release/*": "maintainers may push, maintainers may merge",
    }

"""Targets of invoke.yaml: how they are read, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tasks.deploy import targets
from tasks.lib import project
from tasks.lib.console import TaskError
from tasks.lib.project import Project

GIVEN = {"inventory": "hosts.yml", "quadrant": "offline-source", "batch": 2, "keep_releases": 5}


@pytest.fixture
def this(tmp_path: Path) -> Project:
    """Return this project, as if in a folder that has only an inventory."""
    (tmp_path / "hosts.yml").touch()
    return replace(project.load(), root=tmp_path)


def test_a_target_is_read(this: Project) -> None:
    deploy = {"keep_releases": 3, "targets": {"staging": GIVEN}}
    found = targets.hosts(this, deploy, "staging", "offline-source").settings
    assert (found.name, found.inventory) == ("staging", this.root / "hosts.yml")
    assert found.batches == [1, 2], "one host goes first"
    assert targets.over(deploy, "staging")["keep_releases"] == 5


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({**GIVEN, "bacth": 1}, "deploy.targets.t has 'bacth': did you mean 'batch'?"),
        ({**GIVEN, "inventory": "x"}, "deploy.targets.t.inventory is 'x': there is no such file"),
        ({**GIVEN, "quadrant": "offline-binary"}, "the target t is for deploy.offline-binary, not"),
        ({}, "deploy.targets.t has no 'inventory'"),
    ],
)
def test_what_is_wrong_is_named(this: Project, given: dict[str, Any], said: str) -> None:
    with pytest.raises(TaskError) as refused:
        targets.find(this, {"targets": {"t": given}}, "t", "offline-source")
    assert str(refused.value).startswith(said)


def test_an_unknown_target_is_named_with_those_that_exist(this: Project) -> None:
    with pytest.raises(TaskError, match=r"^--to is 'x': expected a target .*; there are: t$"):
        targets.find(this, {"targets": {"t": GIVEN}}, "x")

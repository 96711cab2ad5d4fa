"""tasks.deploy.targets: the settings of a target in invoke.yaml, and which are refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tasks.deploy import targets
from tasks.hosts.settings import HostSettings
from tasks.lib import project
from tasks.lib.console import TaskError

HOSTS = {"inventory": "deploy/inventory/local.yml", "quadrant": "offline-source"}


def find(folder: Path, settings: dict[str, Any], quadrant: str = "") -> HostSettings:
    deploy = {"targets": {"t": settings}}
    return targets.hosts(project.load(folder), deploy, "t", quadrant).settings


def test_the_target_that_every_project_has(baked: Path) -> None:
    deploy = yaml.safe_load((baked / "invoke.yaml").read_text())["deploy"]
    local = targets.hosts(project.load(baked), deploy, "local").settings
    assert local.inventory.is_file()
    assert local.batches == [1, 1]
    assert local.quadrant == "", "it is for every way to deploy"


def test_what_is_the_targets_own() -> None:
    deploy = {"keep_releases": 3, "targets": {"t": HOSTS | {"keep_releases": 7}, "u": HOSTS}}
    assert targets.over(deploy, "t") == {**deploy, "keep_releases": 7}
    assert targets.over(deploy, "u") == deploy


@pytest.mark.parametrize(("batch", "batches"), [(3, [1, 3]), ("25%", [1, "25%"]), ("10", [1, 10])])
def test_one_host_goes_first(baked: Path, batch: object, batches: list[object]) -> None:
    assert find(baked, HOSTS | {"batch": batch}).batches == batches


REFUSED = [
    (HOSTS | {"batch": 0}, "deploy.targets.t.batch is '0': expected a number or a percentage"),
    (HOSTS | {"batch": "all"}, "deploy.targets.t.batch is 'all': expected a number"),
    (HOSTS | {"batch": "101%"}, "deploy.targets.t.batch is '101%': expected a number"),
    (HOSTS | {"bacth": 2}, "deploy.targets.t has 'bacth': did you mean 'batch'?"),
    (HOSTS | {"hosts": "x"}, "deploy.targets.t has 'hosts': expected batch, health_url, inventory"),
    (
        HOSTS | {"keep_releases": 1},
        "deploy.targets.t.keep_releases is '1': expected a whole number",
    ),
    (HOSTS | {"health_url": "there"}, "deploy.targets.t.health_url is 'there': expected a URL"),
    (
        HOSTS | {"quadrant": "binary"},
        "deploy.targets.t.quadrant is 'binary': expected online-source",
    ),
    ({"quadrant": "offline-source"}, "deploy.targets.t has no 'inventory'"),
    (HOSTS | {"inventory": "nowhere.yml"}, "deploy.targets.t.inventory is 'nowhere.yml': there is"),
    (HOSTS | {"quadrant": "offline-binary"}, "the target t is for deploy.offline-binary, not"),
]


@pytest.mark.parametrize(("settings", "expected"), REFUSED)
def test_what_is_wrong_is_named(baked: Path, settings: dict[str, Any], expected: str) -> None:
    with pytest.raises(TaskError) as refusal:
        find(baked, settings, "offline-source")
    assert str(refusal.value).startswith(expected)


@pytest.mark.parametrize("kind", ["worker", "cli"])
def test_only_a_service_is_asked_as_callers_do(baked: Path, kind: str) -> None:
    this = replace(project.load(baked), serves={"kind": kind})
    settings = HOSTS | {"health_url": "http://HOST/readyz"}
    with pytest.raises(TaskError) as refusal:
        targets.find(this, {"targets": {"t": settings}}, "t")
    name, said = "deploy.targets.t.health_url", f"expected nothing for a {kind}"
    assert str(refusal.value) == f"{name} is 'http://HOST/readyz': {said}"


def test_an_unknown_target_is_refused_with_those_that_exist(baked: Path) -> None:
    with pytest.raises(TaskError, match=r"^--to is 'x': expected a target .*; there are: local$"):
        targets.find(project.load(baked), {"targets": {"local": HOSTS}}, "x")

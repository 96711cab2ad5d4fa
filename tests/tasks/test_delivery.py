"""tasks.deploy.delivery: where an artefact goes besides dist/."""

from pathlib import Path
from typing import Any, cast

import pytest
from tasks.deploy import delivery, targets
from tasks.deploy.build.plan import Plan
from tasks.deploy.delivery import FOLDER, Destination
from tasks.deploy.settings import Settings
from tasks.hosts.target import Hosts
from tasks.lib.console import TaskError
from tasks.lib.project import Project
from tasks.lib.target import Rollout

DEPLOY: dict[str, Any] = {
    "keep_releases": 4,
    "targets": {"local": {"inventory": "deploy/inventory/local.yml", "keep_releases": 9}},
}


def find(project: Project, to: str = "", *on: str) -> Destination:
    switches = {name: name in on for name in ("allow_downgrade", "check")}
    return delivery.find(project, DEPLOY, "offline-binary", to, **switches)


@pytest.mark.parametrize("switch", ["allow_downgrade", "check"])
def test_a_switch_about_hosts_needs_hosts(small: Project, switch: str) -> None:
    with pytest.raises(TaskError, match=rf"^--{switch.replace('_', '-')} is about hosts: it needs"):
        find(small, "", switch)


def test_without_a_target_nothing_is_delivered(small: Project, plan: Plan) -> None:
    nowhere = find(small)
    assert (nowhere.target, nowhere.options, nowhere.settings.keep_releases) == (None, (), 4)
    delivery.deliver(plan, Path("x"), ["install"], nowhere)


def test_a_target_has_settings_of_its_own(small: Project) -> None:
    found = find(small, "local", "allow_downgrade", "check")
    assert isinstance(found.target, Hosts)
    assert found.target.name == "local"
    assert found.options == ("--allow-downgrade",)
    assert (found.check, found.settings.keep_releases) == (True, 9)


def test_what_a_target_is_told(plan: Plan) -> None:
    told: list[Rollout] = []

    class Target:
        def roll_out(self, rollout: Rollout) -> None:
            told.append(rollout)

    target = cast("targets.Target", Target())
    destination = Destination(target, ("--allow-downgrade",), check=True, settings=Settings())
    delivery.deliver(plan, Path("/a.tar.gz"), [f"{FOLDER}/install"], destination)
    means = {
        "deliver_artefact": "/a.tar.gz",
        "deliver_installer": ["FOLDER/install", "--allow-downgrade"],
    }
    release = plan.revision.release
    assert told == [Rollout(release, "offline-test", "deliver", means, 30, check=True)]

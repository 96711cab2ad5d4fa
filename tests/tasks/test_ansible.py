"""tasks.hosts.ansible: what Ansible is given, and how its outcome is read."""

import json
from pathlib import Path

import pytest
from tasks.hosts import ansible
from tasks.hosts.settings import HostSettings
from tasks.lib.console import TaskError
from tasks.lib.environment import Environment
from tasks.lib.project import Project

from tests.tasks.conftest import Processes

CAME = {"changed": 1, "failures": 0, "unreachable": 0, "reason": "", "seconds": 0.5}


@pytest.fixture
def target(
    small: Project, environment: Environment, monkeypatch: pytest.MonkeyPatch
) -> HostSettings:
    monkeypatch.setattr(ansible, "interpreter", lambda _: environment.interpreter)
    monkeypatch.setattr(ansible, "ensure", lambda *_: environment)
    return HostSettings(small, "staging", small.root / "staging.yml")


def let_hosts_tell(processes: Processes, told: object) -> list[object]:
    """Let Ansible write an outcome; return a list that gets the variables that it is given."""
    given: list[object] = []

    def write(argv: list[str]) -> None:
        variables = argv[argv.index("--extra-vars") + 1].removeprefix("@")
        given.append(json.loads(Path(variables).read_text()))
        Path(processes.environs[-1]["HOSTS_OUTCOME"]).write_text(json.dumps(told))

    processes.answer("ansible-playbook", code=2, does=write)
    return given


def test_every_host_has_its_outcome(target: HostSettings, processes: Processes) -> None:
    given = let_hosts_tell(processes, {"one": CAME, "two": {**CAME, "failures": 1}})
    hosts = ansible.play(target, "look.yml", {"a": "b"}, "--check")
    assert {host: outcome.is_well for host, outcome in hosts.items()} == {"one": True, "two": False}
    assert given == [{"a": "b"}]
    command = processes.ran("ansible-playbook")
    assert command[1:3] == ["--inventory", str(target.inventory)]
    assert command[-2:] == ["--check", str(target.project.root / "deploy/ansible/look.yml")]


def test_an_ansible_that_does_not_work_is_one_line(
    target: HostSettings, processes: Processes
) -> None:
    processes.answer("ansible-playbook", err="[ERROR]: no locale\nadvice\n", code=1)
    with pytest.raises(TaskError, match=r"^Ansible does not work here: no locale$"):
        ansible.play(target, "look.yml", {})


def test_an_inventory_without_hosts_is_named(target: HostSettings, processes: Processes) -> None:
    let_hosts_tell(processes, {})
    with pytest.raises(TaskError, match=r"^staging.yml names no hosts$"):
        ansible.play(target, "look.yml", {})

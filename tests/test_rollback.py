"""`deploy.rollback`: its messages where nothing is installed."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from tasks.hosts import rollout
from tasks.hosts.outcome import HostOutcome
from tasks.hosts.settings import HostSettings
from tasks.lib import project
from tasks.lib.console import TaskError

from tests.conftest import Bake
from tests.support import offered_here, run

BACK = rollout.Act("rollback", "rollback", {"rollback_to": ""}, returns=True)
INSTALLED = {"active": "0.2.0", "service": "healthy at http://127.0.0.1:8000"}


def host(**facts: Any) -> HostOutcome:
    counters = {"changed": 0, "failures": 0, "unreachable": 0, "reason": "", "seconds": 1.0}
    return HostOutcome.of({**counters, **facts})


def test_a_machine_with_nothing_installed_is_one_line(bake: Bake, tmp_path: Path) -> None:
    folder = bake(python_version=offered_here())
    inventory = folder / "deploy/inventory/local.yml"
    text = inventory.read_text("utf-8")
    before, key, _ = text.partition("      deploy_prefix: ")
    inventory.write_text(f"{before}{key}'{tmp_path}'\n", "utf-8")
    command = [sys.executable, "-m", "invoke", "deploy.rollback", "--to", "local"]
    # The first call makes the environment that Ansible runs in; its output does not matter here.
    run([*command[:3], "deploy.status", "--to", "local"], cwd=folder, code=1)
    said = run(command, cwd=folder, env={**os.environ, "HOME": str(tmp_path)}, code=1)
    expected = "error: nothing is installed on local: there is nothing to go back to\n"
    assert said.stdout + said.stderr == expected


def test_among_others_it_is_named_after_what_came_of_them(
    baked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = {
        "one": host(before=INSTALLED, after={**INSTALLED, "active": "0.1.0"}, changed=1),
        "two": host(before={}),
    }
    monkeypatch.setattr(rollout, "play", lambda *_: outcome)
    monkeypatch.setattr(project.Project, "build", property(lambda _: baked.parent / "build"))
    with pytest.raises(TaskError) as refused:
        rollout.roll_out(HostSettings(project.load(baked), "staging", Path("hosts.yml")), BACK)
    assert str(refused.value) == "nothing is installed on two: there is nothing to go back to"
    said = capsys.readouterr().out
    assert "  one      0.2.0 -> 0.1.0, healthy at http://127.0.0.1:8000, 1.0 s\n" in said
    assert "  two      nothing, unchanged\n" in said


def test_a_host_that_answers_nothing_is_not_taken_for_one_without_a_release(
    baked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = {"one": host(unreachable=1, reason="cannot be reached: no route")}
    monkeypatch.setattr(rollout, "play", lambda *_: outcome)
    monkeypatch.setattr(project.Project, "build", property(lambda _: baked.parent / "build"))
    with pytest.raises(TaskError, match=r"^one: cannot be reached: no route$"):
        rollout.roll_out(HostSettings(project.load(baked), "staging", Path("hosts.yml")), BACK)

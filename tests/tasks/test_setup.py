"""tasks.hosts.setup: the outcome of each host."""

from typing import Any

import pytest
from invoke.config import Config
from invoke.context import MockContext
from invoke.exceptions import Exit
from tasks.hosts import setup as module
from tasks.hosts.outcome import HostOutcome
from tasks.lib import project
from tasks.lib.project import Project

CAME = {"changed": 0, "failures": 0, "unreachable": 0, "reason": "", "seconds": 1.0}


def outcome(**told: Any) -> HostOutcome:
    return HostOutcome.of({**CAME, **told})


def run(
    monkeypatch: pytest.MonkeyPatch, came: dict[str, HostOutcome], *, check: bool = False
) -> list[tuple[Any, ...]]:
    """Set up hosts with these outcomes; return what Ansible was given."""
    told: list[tuple[Any, ...]] = []

    def play(*given: Any) -> dict[str, HostOutcome]:
        told.append(given)
        return came

    monkeypatch.setattr(module, "play", play)
    targets = {"local": {"inventory": "deploy/inventory/local.yml", "quadrant": "online-source"}}
    context = MockContext(Config(overrides={"deploy": {"targets": targets}}))
    module.setup(context, to="local", check=check)
    return told


@pytest.fixture(autouse=True)
def _project(small: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project, "load", lambda: small)


@pytest.mark.parametrize(
    ("told", "line"),
    [
        ({"set_up": True}, "nothing to change"),
        ({"set_up": True, "changed": 1}, "1 change made"),
        ({"set_up": True, "changed": 2}, "2 changes made"),
        ({}, "not touched"),
    ],
)
def test_what_came_of_a_host(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    told: dict[str, Any],
    line: str,
) -> None:
    run(monkeypatch, {"one": outcome(**told)})
    assert f"\nsetup of local\n  one      {line}\n" in capsys.readouterr().out


def test_the_first_host_that_failed_ends_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    came = {
        "one": outcome(unreachable=1, reason="cannot be reached: no route"),
        "two": outcome(failures=1, reason="no space"),
    }
    with pytest.raises(Exit, match=r"^error: one: cannot be reached: no route$"):
        run(monkeypatch, came)
    said = capsys.readouterr().out
    assert "  one      not reached: no route\n  two      failed: no space\n" in said


def test_a_check_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    [(_, playbook, variables, *options)] = run(
        monkeypatch, {"one": outcome(set_up=True, changed=3)}, check=True
    )
    assert (playbook, options) == ("setup.yml", ["--check", "--diff"])
    assert variables["quadrant"] == "online-source"
    assert "\ncheck of local\n  one      3 changes to make\n" in capsys.readouterr().out

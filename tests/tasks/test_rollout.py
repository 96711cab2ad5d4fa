"""tasks.hosts.rollout: what hosts are given, one run at a time, and the outcome of each."""

import re
from pathlib import Path
from typing import Any

import pytest
from tasks.hosts import rollout
from tasks.hosts.outcome import HostOutcome
from tasks.hosts.settings import HostSettings
from tasks.hosts.target import Hosts
from tasks.lib.console import TaskError
from tasks.lib.project import Project

CAME = {"changed": 0, "failures": 0, "unreachable": 0, "reason": "", "seconds": 2.0}
OLD, NEW = {"active": "0.1.0"}, {"active": "0.2.0", "service": "healthy at URL"}
ACT = rollout.Act("deliver", "0.2.0", {"deliver_artefact": "a"}, wanted="0.2.0+x", quadrant="q")


def outcome(**told: Any) -> HostOutcome:
    return HostOutcome.of({**CAME, **told})


@pytest.fixture
def target(small: Project) -> HostSettings:
    return HostSettings(small, "staging", Path("staging.yml"), batch="25%")


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Let every host be healthy; return a list that gets what Ansible is given."""
    given: list[tuple[Any, ...]] = []

    def play(*arguments: Any) -> dict[str, HostOutcome]:
        given.append(arguments)
        return {"one": outcome(before=OLD, after=NEW, changed=1)}

    monkeypatch.setattr(rollout, "play", play)
    return given


def test_what_hosts_are_told(target: HostSettings, told: list[tuple[Any, ...]]) -> None:
    rollout.roll_out(target, ACT)
    [(_, playbook, variables)] = told
    assert playbook == "rollout.yml"
    assert variables["batches"] == [1, "25%"]
    assert (variables["act"], variables["wanted"]) == ("deliver", "0.2.0+x")
    assert (variables["program"], variables["settings_prefix"]) == ("my-service", "MY_SERVICE_")
    assert variables["deliver_artefact"] == "a"
    assert "@" in variables["deployed_by"]


def test_hosts_go_back_by_a_role_of_its_own(
    target: HostSettings, told: list[tuple[Any, ...]]
) -> None:
    Hosts(target).roll_back("0.1.0", 7)
    [(_, _, variables)] = told
    assert (variables["act"], variables["returns"]) == ("rollback", True)
    assert (variables["rollback_to"], variables["health_seconds"]) == ("0.1.0", 7)
    assert variables["wanted"] == "", "hosts that go back are not left alone for what they have"


def test_a_second_run_is_refused_until_the_first_has_ended(
    target: HostSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[str] = []

    def play(*_: object) -> dict[str, HostOutcome]:
        with pytest.raises(TaskError) as second:
            rollout.roll_out(target, ACT)
        refused.append(str(second.value))
        return {"one": outcome(before=NEW)}

    monkeypatch.setattr(rollout, "play", play)
    for _ in range(2):
        rollout.roll_out(target, ACT)
    first, second = refused
    assert re.match(r"another run is at work on staging: process \d+ of \S+ since 2", first)
    assert second.count("process") == 1, "it names nobody who is gone"


def lines(
    target: HostSettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    **came: HostOutcome,
) -> tuple[list[str], str]:
    """Return what a rollout prints of the hosts, and its error."""
    monkeypatch.setattr(rollout, "play", lambda *_: came)
    error = ""
    try:
        rollout.roll_out(target, ACT)
    except TaskError as refused:
        error = str(refused)
    said = capsys.readouterr().out.splitlines()
    return [" ".join(line.split()) for line in said[2:-1]], error


def test_all_is_well(
    target: HostSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    came = {"one": outcome(before=OLD, after=NEW), "two": outcome(before=NEW), "new": outcome()}
    assert lines(target, monkeypatch, capsys, **came) == (
        [
            "one 0.1.0 -> 0.2.0, healthy at URL, 2.0 s",
            "two 0.2.0, unchanged",
            "new nothing, unchanged",
            "changed 1 of 3 hosts",
        ],
        "",
    )


def test_the_first_that_failed_ends_it_and_the_rest_is_not_touched(
    target: HostSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    came = {
        "one": outcome(before=OLD, failures=1, reason="not healthy"),
        "two": outcome(before=OLD),
        "three": outcome(unreachable=1, reason="no route"),
        "four": outcome(before=OLD, unreachable=1, reason="no route"),
    }
    assert lines(target, monkeypatch, capsys, **came) == (
        [
            "one failed, 0.1.0 as before: not healthy",
            "two 0.1.0, not touched",
            "three not reached",
            "four not reached, 0.1.0 before",
            "changed 0 of 4 hosts",
        ],
        "one: not healthy",
    )

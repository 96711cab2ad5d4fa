"""tasks.hosts.target and tasks.deploy.operations: how tasks report what hosts answer."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from invoke.config import Config
from invoke.context import MockContext
from invoke.exceptions import Exit
from tasks.deploy import operations, targets
from tasks.hosts import rollout, target
from tasks.hosts.outcome import HostOutcome
from tasks.hosts.settings import HostSettings
from tasks.lib import project
from tasks.lib.target import Report, Rollout

from tests.support import PROJECT

ACTIVE = {"active": "0.2.0", "quadrant": "offline-binary", "since": "today"}
WELL = {**ACTIVE, "service": "healthy at http://127.0.0.1:8000"}


def outcome(**told: Any) -> HostOutcome:
    counters = {"changed": 0, "failures": 0, "unreachable": 0, "reason": "", "seconds": 1.0}
    return HostOutcome.of({**counters, **told})


@pytest.fixture
def hosts(baked: Path) -> target.Hosts:
    """Return a target of hosts that are never asked."""
    return target.Hosts(HostSettings(project.load(baked), "staging", Path("hosts.yml")))


STATES = [
    ({"state": WELL}, "0.2.0 (offline-binary) since today, healthy at http://127.0.0.1:8000", True),
    (
        {"state": {**ACTIVE, "service": "none: …"}},
        "0.2.0 (offline-binary) since today, none: …",
        True,
    ),
    (
        {"state": {"active": "0.2.0", "service": "not healthy: …"}},
        "0.2.0 (unknown) since unknown, not healthy: …",
        False,
    ),
    ({"state": {}}, "nothing is installed", False),
    ({"unreachable": 1, "reason": "no route"}, "not reached: no route", False),
    ({"failures": 1, "reason": "no Python"}, "failed: no Python", False),
]


@pytest.mark.parametrize(("told", "line", "well"), STATES)
def test_the_state_of_a_host(
    hosts: target.Hosts,
    monkeypatch: pytest.MonkeyPatch,
    told: Mapping[str, Any],
    line: str,
    well: bool,
) -> None:
    monkeypatch.setattr(target, "play", lambda *_: {"one": outcome(**told)})
    assert hosts.state() == {"one": Report((line,), "" if well else "not healthy")}


def test_the_history_of_hosts(hosts: target.Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    came = {
        "one": outcome(history=["a", "b"]),
        "two": outcome(history=[]),
        "three": outcome(unreachable=1, reason="no route"),
    }
    monkeypatch.setattr(target, "play", lambda *_: came)
    assert hosts.history() == {
        "one": Report(("a", "b")),
        "two": Report(("nothing was ever activated here",)),
        "three": Report(("no route",), "not reached"),
    }


def test_a_check_compares_each_commit_once(
    hosts: target.Hosts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {"one": {**WELL, "commit": "b"}, "two": {**WELL, "commit": "b"}, "three": {}}
    came = {host: outcome(before=state, after=WELL) for host, state in before.items()}
    monkeypatch.setattr(rollout, "play", lambda *_: came)
    monkeypatch.setattr(project.Project, "build", property(lambda this: this.root.parent / "build"))
    compare: Callable[[str], str] = "from {} to c".format
    hosts.roll_out(Rollout("1+c", "online-source", "source", {}, 5, check=True, compare=compare))
    said = capsys.readouterr().out
    assert said.startswith("from b to c\n\ncheck of 1+c on staging\n")
    assert "  one           0.2.0 -> 1+c, would be changed\n" in said
    assert "  would change  3 of 3 hosts\n" in said


class Cluster:
    """A target of another kind, as far as the tasks can tell."""

    name = "cluster"

    def __init__(self) -> None:
        self.rolled_back: list[tuple[str, int]] = []

    def state(self) -> dict[str, Report]:
        return {"web": Report(("3 of 3",)), "api": Report(("0 of 2",), "not healthy")}

    def history(self) -> dict[str, Report]:
        return {"web": Report(("first", "second"))}

    def roll_out(self, rollout: Rollout) -> None:
        raise NotImplementedError

    def roll_back(self, release: str, health_seconds: int) -> None:
        self.rolled_back.append((release, health_seconds))


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Return a target of that kind, which the tasks find."""
    made = Cluster()
    found: targets.Target = made
    monkeypatch.setattr(targets, "find", lambda *_: found)
    monkeypatch.setattr(project, "load", lambda: None)
    return made


def context() -> MockContext:
    deploy = {"health_seconds": 7, "targets": {"cluster": {}}}
    return MockContext(Config(overrides={"deploy": deploy}))


def test_the_tasks_know_no_kind_of_target(
    cluster: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Exit, match="error: not healthy: api"):
        operations.status(context(), to="cluster")
    assert "  web  3 of 3\n  api  0 of 2\n" in capsys.readouterr().out
    operations.history(context(), to="cluster")
    assert capsys.readouterr().out == "\nweb\n  first\n  second\n"
    operations.rollback(context(), to="cluster", release="0.1.0")
    assert cluster.rolled_back == [("0.1.0", 7)]


def test_the_callback_lies_where_ansible_looks() -> None:
    folder = PROJECT / "deploy/ansible"
    assert "callback_plugins = callback_plugins\n" in (folder / "ansible.cfg").read_text()
    assert (folder / "callback_plugins/outcome.py").is_file()

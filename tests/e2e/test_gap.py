"""Callers of every kind during upgrades, rollbacks and switches to broken releases.

bench/switch.py measures how long they wait.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TypedDict

import pytest

from .conftest import NewMachine
from .faults import ADMIN, activate, order
from .machine import Machine
from .releases import Releases
from .service import PORT, active, error, unpack

CALLERS = Path(__file__).with_name("callers.py")
SOME = {"keep": 30, "close": 16, "slow": 6, "pieces": 4, "half": 4}
BROKEN = {
    "die": "the program ended with status 3",
    "strange": "release is 0.6.0?[2J",
    "never ready": "not ready: 503 starting",
    "hang": "it did not become ready in time",
}
"""What a release is ordered to do, and the reason with which it is refused."""


class Seen(TypedDict):
    """What callers.py prints."""

    requests: dict[str, int]
    failed: int
    failures: list[str]
    releases: dict[str, int]
    median: float
    p99: float
    longest: float
    late: tuple[float, float]
    longest_waits: list[tuple[float, float]]


class Crowd:
    """Callers that ask while a test does something."""

    def __init__(self, machine: Machine, kinds: dict[str, int], slow_seconds: int = 3) -> None:
        numbers = [f"{kind}={number}" for kind, number in kinds.items()]
        self._process: subprocess.Popen[str] = machine.beside(
            sys.executable, CALLERS, str(PORT), "3600", str(slow_seconds), *numbers
        )
        time.sleep(2)

    def end(self) -> Seen:
        """Stop the callers, and return what they saw."""
        said, wrong = self._process.communicate(timeout=120)
        assert not wrong, wrong
        seen: Seen = json.loads(said)
        return seen


def serves(machine: Machine, releases: Releases) -> None:
    """Let 0.6.0 serve, with 0.6.1 at hand."""
    order(machine)
    machine.run(f"{unpack(machine, releases['obeys'])}/install")
    unpack(machine, releases["obeys too"])


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine, releases: Releases) -> Machine:
    """Return a machine on which 0.6.0 serves."""
    machine = new_machine("systemd")
    serves(machine, releases)
    return machine


def of(seen: Seen, version: str) -> int:
    """Return how many answers came from a version."""
    return sum(n for release, n in seen["releases"].items() if release.startswith(f"{version}+"))


def test_nobody_is_failed_by_upgrades_and_rollbacks(machine: Machine) -> None:
    crowd = Crowd(machine, SOME)
    for _ in range(2):
        said = activate(machine, "/srv/0.6.1")
        assert said.returncode == 0, said
        machine.run(ADMIN, "rollback")
        assert active(machine) == "0.6.0"
    seen = crowd.end()
    assert seen["failed"] == 0, seen
    assert set(seen["requests"]) == set(SOME) - {"half"}
    assert of(seen, "0.6.0")
    assert of(seen, "0.6.1")


def test_a_broken_release_answers_nobody_and_fails_nobody(machine: Machine) -> None:
    crowd = Crowd(machine, SOME)
    for what in ("die", "strange"):
        order(machine, v061=what)
        said = activate(machine, "/srv/0.6.1")
        assert said.returncode == 1
        assert BROKEN[what] in error(said)
    seen = crowd.end()
    assert seen["failed"] == 0, seen
    assert len(seen["releases"]) == 1, seen
    assert of(seen, "0.6.0")

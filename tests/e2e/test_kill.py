"""`activate` killed at every step, and machines that lose power in the middle."""

import re
import time
from collections.abc import Iterator

import pytest

from .conftest import NewMachine
from .machine import Machine
from .releases import HEALTH_SECONDS, Releases
from .service import BASE, active, answer, ensure, history, install, unpack, whole

# What changes something, waits, or runs the program. A kill before one of these leaves what a kill
# at any moment since the one before it leaves: everything else only reads.
STEPS = ("mkdir", "flock", "rm", "cp", "chown", "chmod", "mv", "ln", "sync", "timeout", "systemctl")
# A child goes on when its parent is killed: here that matters.
OUTLIVE = ("cp", "mv", "timeout", "systemctl")

# Stands before the real command on PATH: kills the run at its turn, and, where the child outlives
# the run, does what the child would have done.
SHIM = """#!/bin/sh
turn=$(($(cat /shims/turn) + 1))
echo $turn >/shims/turn
echo "{command} $*" >>/shims/log
if [ $turn -eq "$(cat /shims/last)" ]; then
    kill -9 "$(cat /shims/pid)"
    [ -e /shims/outlive ] || exit 137
fi
PATH=$REAL_PATH exec {command} "$@"
"""
RUN = """
echo 0 >/shims/turn
: >/shims/log
export REAL_PATH=$PATH PATH=/shims:$PATH
echo $$ >/shims/pid
exec {activate}
"""


class Killer:
    """Runs `activate` in a machine and kills it at a given step."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        folder = machine.path("/shims")
        folder.mkdir(exist_ok=True)
        for command in STEPS:
            shim = folder / command
            shim.write_text(SHIM.format(command=command))
            shim.chmod(0o755)

    def run(self, tree: str, step: int, *, outlive: bool = False) -> str | None:
        """Run until before that step and give its command; None if it ended before."""
        self.machine.path("/shims/last").write_text(f"{step}\n")
        flag = self.machine.path("/shims/outlive")
        flag.touch() if outlive else flag.unlink(missing_ok=True)
        self.machine.sh(RUN.format(activate=f"{tree}/host/activate {tree}"), check=False)
        steps = self.machine.read("/shims/log").splitlines()
        return steps[step - 1] if len(steps) >= step else None


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine, releases: Releases) -> Machine:
    machine = new_machine("systemd")
    for which in ("old", "new"):
        unpack(machine, releases[which])
    machine.run("/root/0.1.0/install")
    return machine


def kills(killer: Killer, tree: str, *, after: int = 0) -> Iterator[str]:
    """Kill one run after the other, each a step later, until one ends by itself."""
    step = after
    while said := killer.run(tree, step := step + 1):
        yield f"step {step}: {said}"
        if said.split()[0] in OUTLIVE and killer.run(tree, step, outlive=True):
            yield f"step {step}, which went on alone: {said}"


def assert_serves_either(machine: Machine, where: str) -> None:
    """Check that one of the two releases is whole, active and serving."""
    served = answer(machine)
    assert served in {"0.1.0", "0.2.0"}, where
    now = active(machine)
    assert now is not None, where
    assert whole(machine, now), where
    assert served == now or machine.path(f"{BASE}/.pending").is_symlink(), where


def reset(machine: Machine) -> None:
    """Bring the old release back, as if the new one had never been there."""
    machine.run("/root/0.1.0/host/activate")
    machine.sh(f"rm -rf {BASE}/releases/0.2.0")
    assert active(machine) == "0.1.0"


def test_killed_at_every_step_of_an_upgrade_a_release_serves_and_the_next_run_ends_it(
    machine: Machine,
) -> None:
    reset(machine)
    steps = []
    for where in kills(Killer(machine), "/root/0.2.0"):
        steps.append(where)
        assert_serves_either(machine, where)
        machine.run("/root/0.2.0/host/activate")
        assert active(machine) == answer(machine) == "0.2.0", where
        assert not machine.path(f"{BASE}/.pending").is_symlink(), where
        left = {path.name for path in machine.path(f"{BASE}/releases").iterdir()}
        assert left == {"0.1.0", "0.2.0"}, where
        reset(machine)
    assert len(steps) > 20, steps

"""A bundle's installation killed at every step: one release serves, and the next run ends it."""

import time

import pytest

from . import bundles
from .bundles import assert_untouched, script
from .conftest import NewMachine
from .killer import BUNDLE_OUTLIVE, BUNDLE_STEPS, Killer, Turn, turns
from .machine import Machine
from .releases import NAME, Releases
from .service import BASE, active, answer, put, whole
from .test_kill import MACHINES, at_every_turn

HANDED_OVER = f"sh {BASE}/incoming/host/activate"
"""How the step begins after which only `activate` is at work."""


@pytest.fixture(scope="module")
def killers(new_machine: NewMachine, releases: Releases) -> list[Killer]:
    """Return machines on which nothing is installed and the bundles lie unpacked."""
    machines = [new_machine("systemd") for _ in range(MACHINES)]
    for machine in machines:
        put(machine, releases["old"].run)
        for which in ("old", "new"):
            bundles.unpack(machine, releases[which])
    return [Killer(machine, steps=BUNDLE_STEPS, group=True) for machine in machines]


def install(version: str) -> str:
    return script(f"/srv/bundles/{version}/{NAME}", "install", "--allow-downgrade")


def ways_to_kill(steps: list[str]) -> list[Turn]:
    """Return every way that makes a difference: whether it can run here is only asked."""
    ways = turns(steps, outlive=BUNDLE_OUTLIVE)
    return [turn for turn in ways if "/host/preflight " not in steps[turn[0] - 1]]


def handed_over(steps: list[str]) -> int:
    """Return the number of the step that starts `activate`."""
    return 1 + next(n for n, step in enumerate(steps) if step.startswith(HANDED_OVER))


def test_a_first_installation_killed_at_any_step_is_ended_by_the_next_run(
    killers: list[Killer], releases: Releases
) -> None:
    run = f"sh /root/{releases['old'].run.name}"

    def retire(machine: Machine) -> None:
        machine.sh(script(f"/srv/bundles/0.1.0/{NAME}", "uninstall", "--purge"))

    assert killers[0].run(run, 0) is None
    retire(killers[0].machine)
    steps = killers[0].steps()
    ways = ways_to_kill(steps)
    # The rest is the same for a package (test_kill.py): some of it will do.
    first = handed_over(steps)
    ways = [turn for turn in ways if turn[0] <= first] + [w for w in ways if w[0] > first][::4]

    def test(killer: Killer, turn: Turn) -> None:
        where = f"{turn}: {killer.run(run, turn[0], outlive=turn[1])}"
        try:
            killer.machine.sh(run)
            assert_untouched(killer.machine, "0.1.0")
        except AssertionError as error:
            raise AssertionError(where) from error
        retire(killer.machine)

    at_every_turn(killers, ways, test)


def test_an_upgrade_killed_at_any_step_leaves_a_release_serving_and_the_next_run_ends_it(
    killers: list[Killer],
) -> None:
    for killer in killers:
        killer.machine.sh(install("0.1.0"))
    assert killers[0].run(install("0.2.0"), 0) is None
    steps = killers[0].steps()
    assert handed_over(steps) > 6, steps
    ways = ways_to_kill(steps)
    killers[0].machine.sh(install("0.1.0"))

    def test(killer: Killer, turn: Turn) -> None:
        machine = killer.machine
        old = active(machine) or ""
        new = "0.2.0" if old == "0.1.0" else "0.1.0"
        machine.sh(f"rm -rf {BASE}/releases/{new}")  # the same steps each time
        where = f"{turn}: {killer.run(install(new), turn[0], outlive=turn[1])}"
        served, now = answer(machine), active(machine) or ""
        assert served in {old, new}, where
        assert whole(machine, now), where
        assert served == now or machine.path(f"{BASE}/.pending").is_symlink(), where
        try:
            machine.sh(install(new))
            assert_untouched(machine, new)
        except AssertionError as error:
            raise AssertionError(where) from error

    at_every_turn(killers, ways, test)
    assert len(ways) > 30, ways


def test_the_making_of_the_environment_killed_in_the_middle(killers: list[Killer]) -> None:
    machine = killers[0].machine
    old = active(machine) or ""
    new = "0.2.0" if old == "0.1.0" else "0.1.0"
    for moment in (0.05, 0.15, 0.3, 0.45):
        machine.sh(f"rm -rf {BASE}/releases/{new}")
        run = machine.background(
            "setsid", "sh", "-c", f"echo $$ >/run/pid; exec {install(new)} >/dev/null 2>&1"
        )
        machine.sh(f"until [ -e {BASE}/incoming/python/bin/python3 ]; do :; done", seconds=20)
        time.sleep(moment)
        machine.sh("kill -s KILL -- -$(cat /run/pid)")
        run.communicate(timeout=10)
        assert active(machine) == answer(machine) == old
    machine.sh(install(new))
    assert_untouched(machine, new)

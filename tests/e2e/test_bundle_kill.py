"""A bundle's installation killed at any step: one release serves, and the next run completes it."""

import time

import pytest

from tests.soak import some

from . import bundles
from .bundles import assert_untouched, script
from .conftest import NewMachine
from .killer import Killer, sample
from .machine import Machine
from .releases import NAME, Releases
from .service import BASE, active, answer, put
from .test_kill import called, settles


@pytest.fixture(scope="module")
def killer(new_machine: NewMachine, releases: Releases) -> Killer:
    """Return a machine on which nothing is installed and the bundles lie unpacked."""
    machine = new_machine("systemd")
    put(machine, releases["old"].run)
    for which in ("old", "new"):
        bundles.unpack(machine, releases[which])
    return Killer(machine)


@pytest.fixture
def machine(killer: Killer) -> Machine:
    """Return the machine with the old release serving."""
    killer.machine.sh(install("0.1.0"))
    return killer.machine


def install(version: str) -> str:
    return script(f"/srv/bundles/{version}/{NAME}", "install", "--allow-downgrade")


@pytest.mark.parametrize(
    "how", some(["the file that unpacks itself", "the bundle"], 1, "killed bundles")
)
def test_a_first_installation_killed_at_any_step_is_ended_by_the_next_run(
    how: str, killer: Killer, releases: Releases
) -> None:
    machine = killer.machine
    run = f"sh /root/{releases['old'].run.name}" if how != "the bundle" else install("0.1.0")

    def remove() -> None:
        machine.sh(script(f"/srv/bundles/0.1.0/{NAME}", "uninstall", "--purge"))

    remove()
    for step in sample(killer.steps(run), 3, f"first installation of {how}"):
        remove()
        where = f"{step}: {killer.kill(run, step)}"
        # The programs that a killed shell has started run on to their end.
        machine.sh("while pidof -q tar gzip; do sleep 0.1; done")
        try:
            machine.sh(run)
            assert_untouched(machine, "0.1.0")
        except AssertionError as error:
            raise AssertionError(where) from error


def test_an_upgrade_killed_at_any_step_is_done_or_undone_by_itself_and_no_caller_notices(
    killer: Killer, machine: Machine
) -> None:
    steps = killer.steps(install("0.2.0"))
    assert len(steps) > 100
    with called(machine, "0.1.0", "0.2.0"):
        for step in sample(steps, 3, "upgrade by a bundle"):
            old = active(machine) or ""
            new = "0.2.0" if old == "0.1.0" else "0.1.0"
            machine.sh(f"rm -rf {BASE}/releases/{new}")  # the same steps each time
            where = f"{step}: {killer.kill(install(new), step)}"
            settles(machine, old, new, where=where)
            try:
                machine.sh(install(new))
                assert_untouched(machine, new)
            except AssertionError as error:
                raise AssertionError(where) from error


def test_the_making_of_the_environment_killed_in_the_middle(machine: Machine) -> None:
    staging = f"{BASE}/.engine/staging"
    for moment in (0.05, 0.3):
        machine.sh(f"rm -rf {BASE}/releases/0.2.0")
        run = machine.background(
            "setsid", "sh", "-c", f"echo $$ >/run/pid; exec {install('0.2.0')} >/dev/null 2>&1"
        )
        machine.sh(f"until [ -e {staging}/tree ]; do :; done", seconds=20)
        time.sleep(moment)
        machine.sh("kill -s KILL -- -$(cat /run/pid)")
        run.communicate(timeout=10)
        assert active(machine) == answer(machine) == "0.1.0"
    machine.sh(install("0.2.0"))
    assert_untouched(machine, "0.2.0")

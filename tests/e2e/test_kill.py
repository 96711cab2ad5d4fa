"""`activate` killed at every step, and machines that lose power in the middle."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from .conftest import NewMachine
from .killer import Killer, Turn, turns
from .machine import Machine
from .releases import HEALTH_SECONDS, NAME, Releases
from .service import BASE, Listener, active, answer, error, history, unpack, whole

MACHINES = 2
"""So many work through the steps at the same time."""


@pytest.fixture(scope="module")
def killers(new_machine: NewMachine, releases: Releases) -> list[Killer]:
    """Return machines on which nothing is installed and the archives lie unpacked in /srv."""
    machines = [new_machine("systemd") for _ in range(MACHINES)]
    for machine in machines:
        for which in ("old", "new", "exits at once", "never ready", "other port"):
            unpack(machine, releases[which])
    return [Killer(machine) for machine in machines]


@pytest.fixture
def killer(killers: list[Killer], releases: Releases) -> Killer:
    """Return one of them on which the old release serves."""
    bring_back(killers[0].machine)
    return killers[0]


def at_every_turn(
    killers: list[Killer], ways: list[Turn], test: Callable[[Killer, Turn], None]
) -> None:
    """Test each way to be killed, shared out among the machines."""

    def share(number: int) -> None:
        for turn in ways[number::MACHINES]:
            test(killers[number], turn)

    with ThreadPoolExecutor(MACHINES) as pool:
        for done in [pool.submit(share, number) for number in range(MACHINES)]:
            done.result()


def activate(version: str) -> str:
    return f"/srv/{version}/bin/{NAME}-admin activate --allow-downgrade"


def bring_back(machine: Machine) -> None:
    """Make the old release the only one, and serving."""
    machine.sh(activate("0.1.0"))
    machine.sh(f"cd {BASE}/releases && rm -rf $(ls | grep -vxF 0.1.0)")
    assert active(machine) == answer(machine) == "0.1.0"


def assert_finished(machine: Machine, version: str, where: str) -> None:
    """Check that a release is active, serving, whole, and nothing is left of a killed run."""
    assert active(machine) == answer(machine) == version, where
    assert whole(machine, version), where
    assert not machine.path(f"{BASE}/.pending").is_symlink(), where
    left = {path.name for path in machine.path(f"{BASE}/releases").iterdir()}
    assert {name for name in left if name.startswith(".")} == set(), where


def test_a_first_installation_killed_at_any_step_is_ended_by_the_next_run(
    killers: list[Killer],
) -> None:
    def retire(machine: Machine) -> None:
        machine.run("/srv/0.1.0/bin/my-service-admin", "uninstall", "--purge")

    for killer in killers:
        retire(killer.machine)
    assert killers[0].run(activate("0.1.0"), 0) is None
    steps = killers[0].steps()
    # What comes before is the same for an upgrade.
    user = 1 + next(n for n, step in enumerate(steps) if step.startswith("useradd"))
    ways = turns(steps, first=user)
    retire(killers[0].machine)

    def test(killer: Killer, turn: Turn) -> None:
        where = f"{turn}: {killer.run(activate('0.1.0'), turn[0], outlive=turn[1])}"
        killer.machine.sh(activate("0.1.0"))
        assert_finished(killer.machine, "0.1.0", where)
        retire(killer.machine)

    at_every_turn(killers, ways, test)


def test_an_upgrade_killed_at_any_step_leaves_a_release_serving_and_the_next_run_ends_it(
    killers: list[Killer],
) -> None:
    for killer in killers:
        bring_back(killer.machine)
    assert killers[0].run(activate("0.2.0"), 0) is None
    ways = turns(killers[0].steps())
    bring_back(killers[0].machine)

    def test(killer: Killer, turn: Turn) -> None:
        machine = killer.machine
        old = active(machine) or ""
        new = "0.2.0" if old == "0.1.0" else "0.1.0"
        machine.sh(f"rm -rf {BASE}/releases/{new}")
        where = f"{turn}: {killer.run(activate(new), turn[0], outlive=turn[1])}"
        served, now = answer(machine), active(machine) or ""
        assert served in {old, new}, where
        assert whole(machine, now), where
        assert served == now or machine.path(f"{BASE}/.pending").is_symlink(), where
        machine.sh(activate(new))
        assert_finished(machine, new, where)

    at_every_turn(killers, ways, test)
    assert len(ways) > 25, ways


def test_an_upgrade_to_a_broken_release_killed_at_any_step_ends_with_the_old_one_by_itself(
    killers: list[Killer],
) -> None:
    for killer in killers:
        bring_back(killer.machine)
    assert killers[0].run(activate("0.3.0"), 0) is None
    steps = killers[0].steps()
    # What comes before is the same for a good release.
    switch = 1 + next(n for n, step in enumerate(steps) if "current.new" in step)

    def test(killer: Killer, turn: Turn) -> None:
        machine = killer.machine
        machine.run("rm", "-rf", f"{BASE}/releases/0.3.0")  # the same steps each time
        where = f"{turn}: {killer.run(activate('0.3.0'), turn[0], outlive=turn[1])}"
        settles(machine, "0.1.0", where)
        again = machine.sh(activate("0.3.0"), check=False)
        assert again.returncode == 1, where
        assert_finished(machine, "0.1.0", where)

    at_every_turn(killers, turns(steps, first=switch), test)


def settles(machine: Machine, version: str, where: str, port: int = 8000) -> None:
    """Wait until a machine, left alone, serves a release."""
    end = time.monotonic() + HEALTH_SECONDS + 15
    while time.monotonic() < end:
        if answer(machine, port, patience=3) == version:
            return
        time.sleep(0.2)
    log = machine.sh(f"journalctl --no-pager -n 40; ls -la {BASE}").stdout
    raise AssertionError(f"{where}: {version} does not serve\n{log}")


@pytest.mark.parametrize("version", ["0.3.0", "0.3.1"], ids=["exits at once", "never ready"])
def test_a_restart_that_outlives_its_run_brings_the_old_release_back(
    version: str, killer: Killer
) -> None:
    restart = f"timeout {HEALTH_SECONDS + 180} systemctl restart {NAME}.service"
    assert killer.run(activate(version), restart, outlive=True) == restart
    settles(killer.machine, "0.1.0", version)
    assert active(killer.machine) == "0.1.0"
    assert history(killer.machine)[-1][1:3] == ["failed", version]


def on_trial(machine: Machine, version: str, command: str = "") -> None:
    """Kill a run while the service has begun with the new release and its health is not known."""
    command = command or activate(version)
    run = machine.background("sh", "-c", f"echo $$ >/run/pid; exec {command} >/dev/null 2>&1")
    machine.sh(
        f"until [ $(systemctl show -p SubState --value {NAME}) = start-post ] &&"
        f" [ $(readlink {BASE}/current) = releases/{version} ]; do :; done;"
        " kill -9 $(cat /run/pid)",
        seconds=20,
    )
    run.communicate(timeout=10)


def test_a_release_that_never_gets_ready_is_left_by_itself(killer: Killer) -> None:
    on_trial(killer.machine, "0.3.1")
    settles(killer.machine, "0.1.0", "0.3.1")
    assert_finished(killer.machine, "0.1.0", "0.3.1")
    assert history(killer.machine)[-1][1:3] == ["failed", "0.3.1"]


def test_a_release_that_gets_ready_stays_though_its_run_was_killed(killer: Killer) -> None:
    on_trial(killer.machine, "0.2.0")
    settles(killer.machine, "0.2.0", "0.2.0")
    time.sleep(1)
    killer.machine.run("systemctl", "restart", NAME)
    assert_finished(killer.machine, "0.2.0", "0.2.0")
    assert history(killer.machine)[-1][1:3] == ["active", "0.2.0"]


def test_a_new_port_that_is_taken_is_left_by_itself(killer: Killer) -> None:
    taken = Listener(killer.machine, 8080)
    try:
        restart = f"timeout {HEALTH_SECONDS + 180} systemctl restart {NAME}.socket {NAME}.service"
        assert killer.run(activate("0.4.0"), restart, outlive=True) == restart
        settles(killer.machine, "0.1.0", restart)
    finally:
        taken.end()


@pytest.mark.parametrize("version", ["0.2.0", "0.4.0"], ids=["same port", "other port"])
def test_power_lost_in_the_middle_brings_the_old_release_back(version: str, killer: Killer) -> None:
    machine = killer.machine
    switch = f"mv -T {BASE}/current.new {BASE}/current"
    for at, outlive in ((switch, False), (switch, True), ("systemctl daemon-reload", False)):
        if killer.run(activate(version), at, outlive=outlive) is None:
            assert at == "systemctl daemon-reload", at  # where both have the same units
            continue
        machine.stop()
        machine.start()
        settles(machine, "0.1.0", at)
        assert_finished(machine, "0.1.0", at)


def test_power_lost_while_a_release_is_on_trial_brings_the_old_one_back(killer: Killer) -> None:
    machine = killer.machine
    on_trial(machine, "0.3.1")
    machine.stop()
    machine.start()
    settles(machine, "0.1.0", "0.3.1")
    assert_finished(machine, "0.1.0", "0.3.1")


def test_a_killed_run_frees_the_lock_though_its_children_go_on(killer: Killer) -> None:
    machine = killer.machine
    on_trial(machine, "0.3.1")
    assert machine.sh("pidof systemctl").stdout.strip()
    machine.run("flock", "--nonblock", f"{BASE}/.lock", "true")
    settles(machine, "0.1.0", "0.3.1")


def test_a_second_run_gives_up_in_the_end_and_says_who_is_at_work(killer: Killer) -> None:
    machine = killer.machine
    machine.path(f"{BASE}/.lock").write_text("process 4711 since 2026-01-01T00:00:00Z\n")
    holder = machine.background("flock", f"{BASE}/.lock", "sleep", "4")
    try:
        time.sleep(0.3)
        impatient = ("env", "DEPLOY_LOCK_SECONDS=1", "/srv/0.2.0/bin/my-service-admin", "activate")
        said = machine.run(*impatient, check=False)
        assert said.returncode == 1
        assert "another run is at work, process 4711 since 2026-01-01T00:00:00Z" in error(said)
    finally:
        holder.communicate(timeout=10)
    assert active(machine) == "0.1.0"


def test_a_second_run_waits_for_the_first(killer: Killer) -> None:
    machine = killer.machine
    holder = machine.background("flock", f"{BASE}/.lock", "sleep", "2")
    try:
        time.sleep(0.3)
        begun = time.monotonic()
        machine.sh(activate("0.1.0"))
        assert time.monotonic() - begun > 1
    finally:
        holder.communicate(timeout=10)

"""The engine killed at any step, and machines that lose power in the middle.

Nobody has to do anything afterwards: the machine undoes the switch by itself, or it was complete.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.soak import some

from .conftest import NewMachine
from .killer import Killer, Step, sample
from .machine import Machine
from .releases import HEALTH_SECONDS, NAME, Releases
from .service import (
    BASE,
    Listener,
    Load,
    Seen,
    active,
    answer,
    end_trial,
    error,
    eventually,
    history,
    state,
    unpack,
    whole,
)

WHICH = ("old", "new", "exits at once", "never ready", "other port")
CURRENT = f'rename("{BASE}/current.new"'
"""The step that makes another release active; the state is written before it."""
REMEMBER = f'rename("{BASE}/.engine/state.json.new"'


@pytest.fixture(scope="module")
def killer(new_machine: NewMachine, releases: Releases) -> Killer:
    """Return a machine on which nothing is installed and the archives lie unpacked in /srv."""
    machine = new_machine("systemd")
    for which in WHICH:
        unpack(machine, releases[which])
    return Killer(machine)


@pytest.fixture
def machine(killer: Killer) -> Machine:
    """Return the machine with the old release serving, and no other."""
    bring_back(killer.machine)
    return killer.machine


def activate(version: str) -> str:
    return f"/srv/{version}/install --allow-downgrade"


def bring_back(machine: Machine) -> None:
    """Make the old release the only one, serving and not on trial."""
    machine.sh(activate("0.1.0"))
    end_trial(machine)
    machine.sh(f"cd {BASE}/releases && rm -rf $(ls | grep -vxF 0.1.0)")
    assert active(machine) == answer(machine) == "0.1.0"


def is_still(machine: Machine) -> bool:
    """Return whether nothing has to be undone, and nothing runs beside the service."""
    running = ("systemctl", "is-active", f"{NAME}-next.service")
    beside = machine.run(*running, check=False).stdout.strip()
    return state(machine)["switch"] is None and beside in {"inactive", "failed"}


def settles(machine: Machine, *versions: str, where: str, port: int = 8000) -> str:
    """Wait until a machine, left alone, serves one of these releases and is done; return which."""

    def is_done() -> bool:
        now = active(machine)
        return now in versions and is_still(machine) and answer(machine, port, patience=3) == now

    try:
        eventually(is_done, "", HEALTH_SECONDS + 20)
    except AssertionError as error:
        log = machine.sh(f"journalctl --no-pager -n 40; ls -la {BASE}; cat {BASE}/.engine/state*")
        raise AssertionError(f"{where}: does not settle\n{log.stdout}") from error
    now = active(machine) or ""
    assert whole(machine, now), where
    return now


def assert_finished(machine: Machine, version: str, where: str) -> None:
    """Check that a release is active, serving and whole, and that a killed run left nothing."""
    assert active(machine) == answer(machine) == version, where
    assert whole(machine, version), where
    eventually(lambda: is_still(machine), where)  # what ran beside is stopped without waiting
    left = {path.name for path in machine.path(f"{BASE}/.engine").iterdir()}
    known = {"lock", "state.json", "state.json.spare", "history", "back", "undoable"}
    assert left <= known, where


@contextmanager
def called(machine: Machine, *releases: str) -> Iterator[None]:
    """Check that during the block only these releases answer callers, and no request fails."""
    loads = [Load(machine, mode, workers=2, seconds=1800) for mode in ("close", "keep-alive")]
    seen: list[Seen] = []
    try:
        yield
    finally:
        seen += [load.end() for load in loads]
        print(*seen, sep="\n")
    for each in seen:
        assert each["failed"] == 0, each
        assert {release.split("+")[0] for release in each["releases"]} <= set(releases), each


def test_a_first_installation_killed_at_any_step_is_ended_by_the_next_run(killer: Killer) -> None:
    machine = killer.machine

    def remove() -> None:
        machine.run(f"/srv/0.1.0/bin/{NAME}-admin", "uninstall", "--purge")

    steps = killer.steps(activate("0.1.0"))
    for step in sample(steps, 3, "first installation"):
        remove()
        where = f"{killer.kill(activate('0.1.0'), step)}"
        machine.sh(activate("0.1.0"))
        assert_finished(machine, "0.1.0", where)


def test_an_upgrade_killed_at_any_step_is_done_or_undone_by_itself_and_no_caller_notices(
    killer: Killer, machine: Machine
) -> None:
    steps = killer.steps(activate("0.2.0"))
    assert len(steps) > 100
    bring_back(machine)
    went = []
    with called(machine, "0.1.0", "0.2.0"):
        for step in sample(steps, 4, "upgrade"):
            old = active(machine) or ""
            new = "0.2.0" if old == "0.1.0" else "0.1.0"
            machine.sh(f"rm -rf {BASE}/releases/{new}")  # the same steps each time
            where = f"{step}: {killer.kill(activate(new), step)}"
            went.append(settles(machine, old, new, where=where) == new)
            machine.sh(activate(new))
            assert_finished(machine, new, where)
    print(f"killed {len(went)} times, {sum(went)} of them after it was done")


def test_an_upgrade_to_a_broken_release_killed_at_any_step_is_no_more_than_one_that_was_not(
    killer: Killer, machine: Machine
) -> None:
    steps = killer.steps(activate("0.3.0"))
    with called(machine, "0.1.0"):
        for step in sample(steps, 3, "broken release"):
            machine.run("rm", "-rf", f"{BASE}/releases/0.3.0")  # the same steps each time
            where = f"{step}: {killer.kill(activate('0.3.0'), step)}"
            settles(machine, "0.1.0", where=where)
        again = machine.sh(activate("0.3.0"), check=False)
        assert again.returncode == 1
        assert_finished(machine, "0.1.0", "in the end")


def at(steps: list[Step], text: str) -> list[Step]:
    """Return the steps that have a text in them."""
    return [step for step in steps if text in step.text]


def test_killed_at_every_step_that_decides(killer: Killer, machine: Machine) -> None:
    """Kill just before the state is written, `current` is moved, and the success is written.

    Both the history and the status report what happened then.
    """
    steps = killer.steps(activate("0.2.0"))
    remember, commit = at(steps, REMEMBER)[-2:]
    for step in (remember, *at(steps, CURRENT), commit):
        bring_back(machine)
        killed = killer.kill(activate("0.2.0"), step)
        assert killed is not None
        assert killed.text.partition(" = ")[0] == step.text.partition(" = ")[0]
        settles(machine, "0.1.0", where=f"{step}")
        if step != remember:
            assert history(machine)[-1][1:] == [
                "failed", "0.2.0", "interrupted before it was seen healthy"
            ]  # fmt: skip
            said = machine.run(f"{NAME}-admin", "status").stdout
            assert "last       the switch to 0.2.0 was interrupted: went back to 0.1.0" in said
    machine.sh(activate("0.2.0"))
    assert_finished(machine, "0.2.0", "in the end")


def test_a_start_that_outlives_its_run_brings_the_old_release_back(
    killer: Killer, machine: Machine
) -> None:
    """Kill the run while it waits for a new release that never gets ready."""
    steps = killer.steps(activate("0.3.1"))
    longest = max(at(steps, ", 2, 15000)"), key=steps.index)
    machine.run("rm", "-rf", f"{BASE}/releases/0.3.1")
    with called(machine, "0.1.0"):
        assert killer.kill(activate("0.3.1"), longest) is not None
        settles(machine, "0.1.0", where="never ready")


def test_a_new_port_that_is_taken_is_left_by_itself(killer: Killer, machine: Machine) -> None:
    steps = killer.steps(activate("0.4.0"))
    bring_back(machine)
    (current,) = at(steps, CURRENT)
    taken = Listener(machine, 8080)
    try:
        assert killer.kill(activate("0.4.0"), current) is not None
        settles(machine, "0.1.0", where="the port is taken")
    finally:
        taken.end()


@pytest.mark.parametrize(
    ("version", "port"), some([("0.2.0", 8000), ("0.4.0", 8080)], 1, "power lost")
)
def test_power_lost_in_the_middle_brings_the_old_release_back(
    version: str, port: int, killer: Killer, machine: Machine
) -> None:
    """It does so until the success is written; from then on the new release comes back."""
    steps = killer.steps(activate(version))
    (current,) = at(steps, CURRENT)
    commit = at(steps, REMEMBER)[-1]
    before = at(steps, "sync()")[-1]
    assert steps.index(current) < steps.index(before) < steps.index(commit)
    for step, expected in ((current, "0.1.0"), (before, "0.1.0"), (commit, version)):
        bring_back(machine)
        run = killer.stop(activate(version), step)
        machine.stop()
        run.communicate(timeout=10)
        machine.start()
        where = f"power lost after {step}"
        settles(machine, expected, where=where, port=port if expected == version else 8000)
    said = machine.run(f"{NAME}-admin", "status").stdout
    assert f"active     {version} " in said
    assert "on trial" in said


def test_a_killed_run_frees_the_lock_though_its_children_go_on(
    killer: Killer, machine: Machine
) -> None:
    steps = killer.steps(activate("0.3.1"))
    longest = max(at(steps, ", 2, 15000)"), key=steps.index)
    machine.run("rm", "-rf", f"{BASE}/releases/0.3.1")
    assert killer.kill(activate("0.3.1"), longest) is not None
    began = time.monotonic()
    machine.sh(activate("0.2.0"))
    assert time.monotonic() - began < 20
    assert_finished(machine, "0.2.0", "after a killed one")


def test_a_second_run_gives_up_in_the_end_and_says_who_is_at_work(machine: Machine) -> None:
    machine.path(f"{BASE}/.engine/lock").write_text("process 4711 since 2026-01-01T00:00:00Z\n")
    holder = machine.background("flock", f"{BASE}/.engine/lock", "sleep", "4")
    try:
        time.sleep(0.3)
        said = machine.sh(f"DEPLOY_LOCK_SECONDS=1 {activate('0.2.0')}", check=False)
        assert said.returncode == 1
        assert "another run is at work, process 4711 since 2026-01-01T00:00:00Z" in error(said)
    finally:
        holder.communicate(timeout=10)
    assert active(machine) == "0.1.0"


def test_a_second_run_waits_for_the_first(machine: Machine) -> None:
    holder = machine.background("flock", f"{BASE}/.engine/lock", "sleep", "2")
    try:
        time.sleep(0.3)
        begun = time.monotonic()
        machine.sh(activate("0.1.0"))
        assert time.monotonic() - begun > 1
    finally:
        holder.communicate(timeout=10)


def test_nobody_but_root_can_hold_the_lock(machine: Machine) -> None:
    for who in ("65534", NAME):
        become = ("setpriv", f"--reuid={who}", "--regid=65534", "--clear-groups")
        for path in (f"{BASE}/.engine/lock", f"{BASE}/.engine"):
            said = machine.run(*become, "flock", "--nonblock", path, "true", check=False)
            assert "Permission denied" in said.stderr

"""The trial after a switch: if the release fails in it, the machine goes back and reports that."""

import pytest

from .conftest import NewMachine
from .faults import order
from .machine import Machine
from .releases import NAME, TRIAL_SECONDS, Releases
from .service import (
    Load,
    active,
    answer,
    crash,
    end_trial,
    error,
    eventually,
    history,
    state,
    status,
    unpack,
)

WHICH = ("old", "new", "obeys", "dies soon", "alone")


@pytest.fixture(scope="module")
def installed(new_machine: NewMachine, releases: Releases) -> Machine:
    """Return a machine on which the archives lie unpacked in /srv."""
    machine = new_machine("systemd")
    for which in WHICH:
        unpack(machine, releases[which])
    return machine


@pytest.fixture
def machine(installed: Machine) -> Machine:
    """Return that machine with the old release serving, and nothing on trial."""
    if active(installed) != "0.1.0" or answer(installed) != "0.1.0":
        activate(installed, "0.1.0")
    end_trial(installed)
    return installed


def activate(machine: Machine, version: str, *options: str) -> str:
    return machine.run(f"/srv/{version}/install", "--allow-downgrade", *options).stdout


def assert_went_back(machine: Machine, version: str, why: str) -> None:
    """Wait until the old release is back; check that the history and the status report it."""

    def is_back() -> bool:
        is_told = state(machine)["trial"] is None
        return is_told and active(machine) == answer(machine, patience=3) == "0.1.0"

    eventually(is_back, "the old release", TRIAL_SECONDS + 10)
    assert history(machine)[-1][1:3] == ["returned", version]
    assert why in history(machine)[-1][3]
    told = status(machine)
    assert told["said"].startswith(f"{version} failed on trial: {why}"), told
    assert told["trial"] == ""
    shown = machine.run(f"{NAME}-admin", "status", check=False).stdout
    assert f"last       {version} failed on trial: {why}" in shown
    assert f"returned  {version}  {why}" in machine.run(f"{NAME}-admin", "history").stdout


def test_a_crash_within_the_trial_leads_back_with_the_installer_long_gone(
    machine: Machine,
) -> None:
    activate(machine, "0.2.0")
    told = status(machine)
    assert told["service"] == "healthy at http://127.0.0.1:8000"
    assert told["trial"].startswith("0.2.0, for ")
    assert told["trial"].endswith("s more; a failure leads back to 0.1.0")
    crash(machine)
    assert_went_back(machine, "0.2.0", "the program was ended by signal 9")


def test_callers_of_a_release_that_crashes_wait_for_the_old_one(machine: Machine) -> None:
    """Only the requests that the crash interrupts fail; all others are answered."""
    activate(machine, "0.2.0")
    load = Load(machine, "close", workers=2)
    crash(machine)
    assert_went_back(machine, "0.2.0", "the program was ended by signal 9")
    seen = load.end()
    print(seen)
    assert seen["failed"] <= 2, seen
    assert seen["longest"] < 10, seen
    assert any(release.startswith("0.1.0") for release in seen["releases"]), seen


def test_a_release_that_stops_being_ready_is_left(machine: Machine) -> None:
    order(machine)
    activate(machine, "0.6.0")
    order(machine, v060="never ready")
    assert_went_back(machine, "0.6.0", "it stopped being ready")
    order(machine)


def test_who_wants_to_know_waits_for_the_end_of_the_trial(machine: Machine) -> None:
    """The release of the first run dies some seconds after it was healthy."""
    said = machine.run("/srv/0.7.0/install", "--wait-trial", check=False)
    assert "0.7.0 is active and healthy at http://127.0.0.1:8000" in said.stdout
    assert said.returncode == 1
    why = "the program ended with status 3"
    assert error(said).startswith(f"error: 0.7.0 failed on trial: {why}")
    assert_went_back(machine, "0.7.0", why)
    activate(machine, "0.2.0", "--wait-trial")
    assert status(machine)["trial"] == ""
    # Its trial is over, so a crash is no reason to go back.
    crash(machine)
    eventually(lambda: answer(machine, patience=3) == "0.2.0", "the same release again")
    told = status(machine)
    assert (told["active"], told["restarts"]) == ("0.2.0", 1)
    assert told["service"].startswith("not healthy: it has ended and was started again once, the")
    shown = machine.run(f"{NAME}-admin", "status", check=False)
    assert shown.returncode == 1
    assert "restarts   1 since the last switch" in shown.stdout


def test_a_restart_within_the_trial_leads_back(machine: Machine) -> None:
    activate(machine, "0.2.0")
    machine.run("systemctl", "restart", NAME)
    assert_went_back(machine, "0.2.0", "it was restarted within its trial")


def test_a_boot_within_the_trial_keeps_the_new_release(machine: Machine) -> None:
    activate(machine, "0.2.0")
    machine.stop()
    machine.start()
    eventually(lambda: answer(machine, patience=3) == "0.2.0", "the new release after a boot")
    assert active(machine) == "0.2.0"
    # The trial has begun again, since the release ran only shortly before the reboot.
    assert status(machine)["trial"].startswith("0.2.0, for ")
    crash(machine)
    assert_went_back(machine, "0.2.0", "the program was ended by signal 9")


def test_a_rollback_is_on_trial_too_and_ends_the_one_before(machine: Machine) -> None:
    activate(machine, "0.2.0")
    machine.run(f"{NAME}-admin", "rollback")
    assert status(machine)["trial"].startswith("0.1.0, for ")
    crash(machine)
    eventually(lambda: active(machine) == answer(machine, patience=3) == "0.2.0", "going back")
    assert history(machine)[-1][1:3] == ["returned", "0.1.0"]


def test_stopped_by_somebody_it_stays_stopped(machine: Machine) -> None:
    activate(machine, "0.2.0")
    machine.run("systemctl", "stop", f"{NAME}.socket", NAME)
    eventually(lambda: state(machine)["trial"] is None, "the end of it", TRIAL_SECONDS + 10)
    assert active(machine) == "0.2.0"
    assert machine.run("systemctl", "is-active", NAME, check=False).stdout == "inactive\n"
    machine.run("systemctl", "start", NAME)
    assert answer(machine) == "0.2.0"


def test_without_overlap_it_never_runs_twice(machine: Machine) -> None:
    """The old release ends before the new one starts, and comes back if that is broken."""
    load = Load(machine, "close", workers=2)
    activate(machine, "0.8.0")
    assert active(machine) == answer(machine) == "0.8.0"
    machine.sh(
        "cp -R /srv/0.6.0 /srv/broken && cd /srv/broken &&"
        ' sed -i \'s/"overlap": true/"overlap": false/\' host/release.json &&'
        " sed -i '/  host.release.json$/d' SHA256SUMS && sha256sum host/release.json >>SHA256SUMS"
    )
    order(machine, v060="die")
    said = machine.run("/srv/broken/install", "--allow-downgrade", check=False)
    assert said.returncode == 1
    assert (
        " did not become healthy, 0.8.0 is active and healthy as before: "
        "the program ended with status 3"
    ) in error(said)
    assert active(machine) == answer(machine) == "0.8.0"
    beside = machine.run("journalctl", "--no-pager", "-o", "cat", "-u", f"{NAME}-next").stdout
    assert "0.8.0+" not in beside
    seen = load.end()
    print(seen)
    assert seen["failed"] == 0, seen
    assert {release.split("+")[0] for release in seen["releases"]} == {"0.1.0", "0.8.0"}

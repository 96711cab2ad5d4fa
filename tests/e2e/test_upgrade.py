"""Upgrades, rollbacks, and new releases that are broken."""

import time

import pytest

from .conftest import NewMachine
from .machine import Machine, Result
from .releases import NAME, Releases
from .service import (
    BASE,
    Listener,
    Load,
    active,
    answer,
    ensure,
    error,
    history,
    install,
    main_pid,
    put,
    state,
    status,
    whole,
)


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine) -> Machine:
    return new_machine("systemd")


@pytest.fixture
def served(machine: Machine, releases: Releases) -> Machine:
    """Return a machine on which the old release serves."""
    ensure(machine, releases["old"])
    return machine


def test_no_request_fails_during_an_upgrade_and_a_rollback(
    served: Machine, releases: Releases
) -> None:
    new = releases["new"]
    put(served, new.deb)
    loads = {mode: Load(served, mode) for mode in ("close", "keep-alive")}
    start = time.monotonic()
    install(served, new)
    print(f"upgrade by dpkg: {time.monotonic() - start:.2f} s")
    assert active(served) == "0.2.0"
    start = time.monotonic()
    served.run(f"{NAME}-admin", "rollback")
    print(f"rollback: {time.monotonic() - start:.2f} s")
    assert active(served) == "0.1.0"
    for mode, load in loads.items():
        seen = load.end()
        print(mode, seen)
        assert seen["failed"] == 0, seen
        assert {release.split("+")[0] for release in seen["releases"]} == {"0.1.0", "0.2.0"}


BROKEN = {
    "exits at once": "the program ended with status 1: error: the new database is missing",
    "never ready": "not ready: 503 starting",
    "wrong release": "release is 0.1.0+another, expected 0.3.2+",
}


@pytest.mark.parametrize("which", BROKEN)
def test_a_broken_release_never_answers_and_the_old_one_does_not_notice(
    which: str, served: Machine, releases: Releases
) -> None:
    release, before = releases[which], main_pid(served)
    load = Load(served, "keep-alive")
    upgraded = install(served, release, check=False)
    seen = load.end()
    assert (seen["failed"], [r.split("+")[0] for r in seen["releases"]]) == (0, ["0.1.0"]), seen
    assert seen["releases"].keys() == {status(served)["release"]}
    assert upgraded.returncode == 1
    line = error(upgraded)
    assert f"{release.version} did not become healthy, 0.1.0 is active as before: " in line
    assert BROKEN[which] in line
    assert active(served) == answer(served) == "0.1.0"
    assert main_pid(served) == before
    assert state(served)["switch"] is None
    configured = served.run("dpkg-query", "-W", "-f", "${Status}", NAME).stdout
    assert configured == "install ok half-configured"
    assert history(served)[-1][1:3] == ["failed", release.version]
    assert BROKEN[which] in history(served)[-1][3]
    next_one = served.run("systemctl", "is-active", f"{NAME}-next", check=False).stdout
    assert next_one == "inactive\n"


def test_a_new_port_that_is_taken_leaves_the_old_one_serving(
    served: Machine, releases: Releases
) -> None:
    taken = Listener(served, 8080)
    try:
        upgraded = install(served, releases["other port"], check=False)
        assert upgraded.returncode == 1
        assert "Address already in use" in error(upgraded)
        assert active(served) == answer(served) == "0.1.0"
    finally:
        taken.end()
    served.run("dpkg", "--configure", "-a")
    assert active(served) == answer(served, 8080) == "0.4.0"


def test_releases_beyond_those_to_keep_are_removed_and_the_one_before_never(
    served: Machine, releases: Releases
) -> None:
    install(served, releases["exits at once"], check=False)
    assert served.path(f"{BASE}/releases/0.3.0").is_dir()
    for which in ("new", "other port", "old"):
        install(served, releases[which])
    kept = {path.name for path in served.path(f"{BASE}/releases").iterdir()}
    assert kept == {"0.1.0", "0.2.0", "0.4.0"}
    assert all(whole(served, version) for version in kept)


def test_rollback_walks_back_and_refuses_at_the_end(served: Machine, releases: Releases) -> None:
    for which in ("other port", "new"):
        install(served, releases[which])

    def rollback(*arguments: str) -> Result:
        return served.run(f"{NAME}-admin", "rollback", *arguments, check=False)

    assert "went from 0.2.0 to 0.4.0; before it: 0.1.0\n" in rollback().stdout
    assert active(served) == answer(served, 8080) == "0.4.0"
    assert "went from 0.4.0 to 0.1.0; before it: nothing\n" in rollback().stdout
    assert active(served) == answer(served) == "0.1.0"
    said = rollback()
    assert (said.returncode, error(said)) == (1, "error: there is no release before 0.1.0 here")
    rollback("--to", "0.2.0")
    assert active(served) == answer(served) == "0.2.0"
    assert status(served)["before"] == "0.1.0"
    unknown = rollback("--to", "0.9.0")
    assert unknown.returncode == 2
    assert "no release '0.9.0' is installed; there are: 0.1.0, 0.2.0, 0.4.0" in error(unknown)

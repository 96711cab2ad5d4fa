"""An older release does not replace a newer one by accident."""

import json

import pytest

from .conftest import NewMachine
from .machine import Machine
from .releases import NAME, Releases
from .service import BASE, active, answer, error, history, install, unpack


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine, releases: Releases) -> Machine:
    machine = new_machine("systemd")
    for which in ("old", "new"):
        unpack(machine, releases[which])
    return machine


@pytest.fixture
def upgraded(machine: Machine) -> Machine:
    """Return the machine with the new release active and the old one kept."""
    machine.run(f"/srv/0.1.0/bin/{NAME}-admin", "uninstall", "--purge")
    machine.run("/srv/0.1.0/install")
    machine.run("/srv/0.2.0/install")
    assert active(machine) == answer(machine) == "0.2.0"
    return machine


def rank(machine: Machine, tree: str, value: str) -> None:
    """Change the rank of a tree; an empty one removes it."""
    known = machine.path(f"{tree}/host/release.json")
    facts = json.loads(known.read_text()) | {"rank": value}
    known.chmod(0o644)
    known.write_text(json.dumps({key: fact for key, fact in facts.items() if fact != ""}))
    sums = "sha256sum $(sed 's/^[0-9a-f]*  //' SHA256SUMS) >s && mv s SHA256SUMS"
    machine.sh(f"cd {tree} && {sums}")


def test_an_older_release_is_refused_with_both_versions(upgraded: Machine) -> None:
    before = history(upgraded)
    said = upgraded.run("/srv/0.1.0/install", check=False)
    assert said.returncode == 1
    assert error(said).startswith("error: 0.1.0 is older than 0.2.0, which is active: nothing was")
    assert active(upgraded) == answer(upgraded) == "0.2.0"
    assert history(upgraded) == before


def test_it_can_be_allowed(upgraded: Machine) -> None:
    upgraded.run("/srv/0.1.0/install", "--allow-downgrade")
    assert active(upgraded) == answer(upgraded) == "0.1.0"


def test_rolling_back_needs_no_leave(upgraded: Machine) -> None:
    upgraded.run(f"{NAME}-admin", "rollback")
    assert active(upgraded) == answer(upgraded) == "0.1.0"
    upgraded.run("/srv/0.2.0/install")
    upgraded.run(f"{BASE}/releases/0.1.0/bin/{NAME}-admin", "activate")
    assert active(upgraded) == answer(upgraded) == "0.1.0"


def test_the_same_again_is_no_downgrade(upgraded: Machine) -> None:
    said = upgraded.run("/srv/0.2.0/install").stdout
    assert "0.2.0 is active already and healthy" in said


def test_the_source_date_tells_two_builds_of_a_version_apart(upgraded: Machine) -> None:
    now = json.loads(upgraded.read("/srv/0.2.0/host/release.json"))["rank"]
    for change, code in ((now[:-1], 1), (f"{now}9", 0)):
        upgraded.run("rm", "-rf", "/srv/other")
        upgraded.run("cp", "-R", "/srv/0.2.0", "/srv/other")
        rank(upgraded, "/srv/other", change)
        assert upgraded.run("/srv/other/install", check=False).returncode == code
    assert (active(upgraded) or "").startswith("0.2.0-")


def test_what_does_not_say_how_new_it_is_is_no_release(upgraded: Machine) -> None:
    upgraded.run("cp", "-R", "/srv/0.2.0", "/srv/unranked")
    rank(upgraded, "/srv/unranked", "")
    said = upgraded.run("/srv/unranked/install", check=False)
    assert said.returncode == 1
    assert error(said) == ("error: /srv/unranked is not a release: host/release.json has no 'rank'")
    assert active(upgraded) == answer(upgraded) == "0.2.0"


def test_a_package_manager_decides_for_itself(upgraded: Machine, releases: Releases) -> None:
    upgraded.run(f"/srv/0.1.0/bin/{NAME}-admin", "uninstall", "--purge")
    install(upgraded, releases["new"])
    install(upgraded, releases["old"])
    assert active(upgraded) == answer(upgraded) == "0.1.0"
    upgraded.run("dpkg", "--purge", NAME)

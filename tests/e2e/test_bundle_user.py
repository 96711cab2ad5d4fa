"""The bundle of a plain user: run, installed, upgraded, rolled back and removed without root."""

import pytest

from . import bundles
from .bundles import script, serving, temporary
from .conftest import NewMachine
from .machine import Machine
from .releases import NAME, Releases
from .service import Load, answer, error, put, whole
from .test_upgrade import BROKEN
from .user import User, add_user


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine) -> Machine:
    return new_machine("user")


@pytest.fixture(scope="module")
def user(machine: Machine) -> User:
    return add_user(machine, "op", lingering=True)


def carried(user: User, releases: Releases, which: str) -> str:
    """Return the path of the self-extracting file, where the user can read it."""
    inside = put(user.machine, releases[which].run)
    user.machine.run("chmod", "755", "/root")
    return inside


def left(user: User) -> list[str]:
    """Return all paths in a user's home folder that bear our name."""
    return sorted(user.run("find", user.home, "-xdev", "-name", f"*{NAME}*").stdout.split())


def test_it_runs_without_installing_from_media_that_are_somebody_elses(
    user: User, releases: Releases
) -> None:
    bundle = bundles.unpack(user.machine, releases["old"])
    run = script(bundle, "run")
    assert user.sh(f"{run} version").stdout.startswith(f"{NAME} 0.1.0+")
    become = f"setpriv --reuid={user.name} --regid={user.name} --init-groups"
    with serving(user.machine, f"{become} env HOME={user.home} {run}", "0.1.0", 8001):
        pass
    copies = f"{user.home}/.cache/{NAME}.bundle"
    foreign = user.run("find", copies, "-not", "-user", user.name, "-o", "-perm", "/022")
    assert foreign.stdout == ""
    assert temporary(user.machine) == set()
    user.run("rm", "-rf", copies)


def test_install_upgrade_under_load_broken_release_rollback_and_purge(
    user: User, releases: Releases
) -> None:
    said = user.run("sh", carried(user, releases, "old")).stdout
    assert f"{NAME}: 0.1.0 is active and healthy at http://127.0.0.1:8000\n" in said
    assert user.active() == answer(user.machine) == "0.1.0"
    assert whole(user.machine, "0.1.0", user.base)

    new, broken = carried(user, releases, "new"), carried(user, releases, "exits at once")
    bundle = bundles.unpack(user.machine, releases["new"])
    loads = {mode: Load(user.machine, mode) for mode in ("close", "keep-alive")}
    user.run("sh", new)
    assert user.active() == "0.2.0"
    refused = user.run("sh", broken, check=False)
    assert refused.returncode == 1
    assert BROKEN["exits at once"] in error(refused)
    assert "0.3.0 did not become healthy, 0.2.0 is active as before: " in error(refused)
    assert user.active() == "0.2.0"
    user.sh(script(bundle, "rollback"))
    assert user.active() == "0.1.0"
    seen = {mode: load.end() for mode, load in loads.items()}
    print(seen)
    assert seen["close"]["failed"] == seen["keep-alive"]["failed"] == 0, seen
    assert {release.split("+")[0] for release in seen["close"]["releases"]} == {"0.1.0", "0.2.0"}
    assert temporary(user.machine) == set()

    user.sh(script(bundle, "uninstall"))
    etc, data = f"{user.home}/.local/etc/{NAME}", f"{user.home}/.local/var/lib/{NAME}"
    assert left(user) == [etc, f"{etc}/{NAME}.env", data]
    user.sh(script(bundle, "uninstall", "--purge"))
    assert left(user) == []
    assert answer(user.machine, patience=2) is None


def test_where_no_systemd_runs_the_program_can_be_used(
    new_machine: NewMachine, releases: Releases
) -> None:
    user = add_user(new_machine("plain"), "op", lingering=False)
    for which in ("old", "new"):
        said = user.run("sh", carried(user, releases, which)).stdout
        assert "there is no systemd of the user op here: no service was started" in said
    program = f"{user.home}/.local/bin/{NAME}"
    assert user.run(program, "version").stdout.startswith(f"{NAME} 0.2.0+")
    bundle = bundles.unpack(user.machine, releases["new"])
    user.sh(script(bundle, "rollback"))
    assert user.run(program, "version").stdout.startswith(f"{NAME} 0.1.0+")
    user.sh(script(bundle, "uninstall", "--purge"))
    assert left(user) == []


def test_what_belongs_to_root_is_not_touched(
    machine: Machine, user: User, releases: Releases
) -> None:
    said = user.run("sh", carried(user, releases, "old"), "--prefix", "/srv/others", check=False)
    assert said.returncode == 1
    assert f"installing in /srv/others/opt/{NAME} needs root" in error(said)
    assert not machine.path("/srv/others").exists()
    assert temporary(machine) == set()

"""Machines without systemd: the program is installed and can be used."""

import pytest

from .conftest import NewMachine
from .machine import Machine
from .releases import NAME, Releases
from .service import BASE, active, error, install, unpack


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine) -> Machine:
    return new_machine("plain")


def test_the_package_says_that_no_service_was_started(machine: Machine, releases: Releases) -> None:
    said = install(machine, releases["old"]).stdout
    assert "0.1.0 is installed and can be used" in said
    assert "there is no systemd here: no service was started" in said
    assert machine.run(NAME, "version").stdout.startswith(f"{NAME} 0.1.0+")
    assert not machine.path(f"/etc/systemd/system/{NAME}.service").exists()
    status = machine.run(f"{NAME}-admin", "status").stdout
    assert "none: there is no systemd here" in status


def test_upgrade_rollback_and_purge(machine: Machine, releases: Releases) -> None:
    install(machine, releases["new"])
    assert machine.run(NAME, "version").stdout.startswith(f"{NAME} 0.2.0+")
    machine.run(f"{NAME}-admin", "rollback")
    assert active(machine) == "0.1.0"
    machine.run("dpkg", "--purge", NAME)
    assert not machine.path(BASE).exists()
    assert machine.run("id", NAME, check=False).returncode == 1


def test_a_program_that_may_not_be_run_where_it_was_unpacked_may_be_where_it_is_installed(
    machine: Machine, releases: Releases
) -> None:
    install(machine, releases["old"])
    machine.run("rm", "-rf", f"{BASE}/releases/0.2.0")
    tree = unpack(machine, releases["new"])
    machine.run("chmod", "-R", "a-x,a+X", f"{tree}/bin/{NAME}")  # as a file system may
    machine.run(f"{tree}/install")
    assert active(machine) == "0.2.0"
    assert machine.run(NAME, "version").stdout.startswith(f"{NAME} 0.2.0+")
    machine.run(f"{NAME}-admin", "rollback")


def test_a_program_that_does_not_start_is_not_switched_to(
    machine: Machine, releases: Releases
) -> None:
    install(machine, releases["old"])
    machine.run("cp", "-R", unpack(machine, releases["new"]), "/srv/broken")
    machine.sh(
        f"cd /srv/broken && rm bin/{NAME} && echo '#!/nowhere' >bin/{NAME} &&"
        f" sed -i '/  bin.{NAME}$/d' SHA256SUMS && sha256sum bin/{NAME} >>SHA256SUMS"
    )
    said = machine.run("/srv/broken/install", check=False)
    assert said.returncode == 1
    assert "0.2.0-" in error(said)
    assert " does not run here, nothing was changed: 'my-service version' says '" in error(said)
    assert active(machine) == "0.1.0"
    assert machine.run(NAME, "version").stdout.startswith(f"{NAME} 0.1.0+")

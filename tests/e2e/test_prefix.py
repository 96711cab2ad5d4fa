"""Installations below a prefix, for root and for a plain user."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from .conftest import NewMachine
from .machine import Machine, Result
from .releases import NAME, Releases
from .service import active, answer, error, history, unpack, whole
from .user import User, add_user

AWKWARD = "Ein schöner Ort/100% & mehr |x %n"
"""A prefix with spaces, other letters, and characters that are special to systemd or sed."""


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine, releases: Releases) -> Machine:
    """Return a machine on which the archives lie unpacked in /srv."""
    machine = new_machine("user")
    for which in ("old", "new", "exits at once"):
        unpack(machine, releases[which])
    add_user(machine, "op", lingering=True)
    return machine


@dataclass(frozen=True)
class Place:
    """A prefix, and who installs there."""

    run: Callable[..., Result]
    prefix: str
    units: str

    @property
    def base(self) -> str:
        """Return where the releases are."""
        return f"{self.prefix}/opt/{NAME}"

    @property
    def admin(self) -> str:
        """Return the command that administers them."""
        return f"{self.prefix}/bin/{NAME}-admin"


def traces(machine: Machine) -> list[str]:
    """Return every path that bears our name, without the archives and what the kernel shows."""
    found = machine.run("find", "/", "-xdev", "-name", f"*{NAME}*").stdout.splitlines()
    return [path for path in found if not path.startswith(("/srv/0.", "/root/", "/proc/"))]


@pytest.fixture(params=["root", "user"])
def place(request: pytest.FixtureRequest, machine: Machine) -> Place:
    if request.param == "root":
        return Place(machine.run, f"/srv/{AWKWARD}", "/etc/systemd/system")
    op = User(machine, "op")
    return Place(op.run, f"{op.home}/{AWKWARD}", f"{op.home}/.config/systemd/user")


def test_install_upgrade_failure_rollback_and_purge(place: Place, machine: Machine) -> None:
    place.run("/srv/0.1.0/install", "--prefix", place.prefix)
    assert active(machine, place.base) == answer(machine) == "0.1.0"
    verified = machine.run("systemd-analyze", "verify", "--recursive-errors=no",
                           f"{place.units}/{NAME}.service")  # fmt: skip
    assert verified.stderr == ""
    place.run("/srv/0.2.0/install", "--prefix", place.prefix)
    assert active(machine, place.base) == answer(machine) == "0.2.0"
    assert "healthy at" in place.run(place.admin, "status").stdout

    said = place.run("/srv/0.3.0/install", "--prefix", f"{place.prefix}/", check=False)
    assert "0.3.0 did not become healthy, 0.2.0 is active as before: the program" in error(said)
    assert history(machine, place.base)[-1][1:3] == ["failed", "0.3.0"]
    place.run(place.admin, "rollback")
    assert active(machine, place.base) == answer(machine) == "0.1.0"
    assert whole(machine, "0.1.0", place.base)
    assert place.run(f"{place.prefix}/bin/{NAME}", "version").stdout.startswith(f"{NAME} 0.1.0+")

    place.run(f"{place.base}/current/bin/{NAME}-admin", "uninstall", "--purge")
    assert traces(machine) == []
    left = machine.run("find", place.prefix, "-mindepth", "1").stdout.split("\n")
    assert left == [f"{place.prefix}/bin", ""]
    machine.run("rm", "-rf", place.prefix)


def test_configuration_and_data_lie_below_the_prefix(place: Place, machine: Machine) -> None:
    place.run("/srv/0.1.0/install", "--prefix", place.prefix)
    env = f"{place.prefix}/etc/{NAME}/{NAME}.env"
    place.run("sh", "-c", 'echo MY_SERVICE_LOG_LEVEL=debug >>"$0"', env)
    systemctl = "systemctl" if "/etc/" in place.units else "systemctl --user"
    runtime = "XDG_RUNTIME_DIR=/run/user/$(id -u)"
    place.run("sh", "-c", f"{runtime} {systemctl} restart {NAME}")
    assert answer(machine) == "0.1.0"
    shown = place.run("sh", "-c", f"{runtime} {systemctl} show -p MainPID --value {NAME}")
    environ = machine.read_live(f"/proc/{shown.stdout.strip()}/environ").split("\0")
    assert "MY_SERVICE_LOG_LEVEL=debug" in environ
    assert f"STATE_DIRECTORY={place.prefix}/var/lib/{NAME}" in environ
    # uninstall finds what it has to remove even where nothing is active
    machine.run("rm", f"{place.base}/current")
    place.run("/srv/0.1.0/bin/my-service-admin", "uninstall", "--prefix", place.prefix, "--purge")
    assert traces(machine) == []


def test_a_relative_prefix(machine: Machine) -> None:
    machine.run("sh", "-c", "mkdir -p /srv/r && cd /srv/r && /srv/0.1.0/install --prefix x/y")
    assert active(machine, f"/srv/r/x/y/opt/{NAME}") == answer(machine) == "0.1.0"
    machine.run(f"/srv/r/x/y/opt/{NAME}/current/bin/{NAME}-admin", "uninstall", "--purge")


def test_opt_may_be_a_link(machine: Machine) -> None:
    machine.run("sh", "-c", "rmdir /opt; mkdir /srv/opt && ln -s srv/opt /opt")
    machine.run("/srv/0.1.0/install")
    machine.run("/srv/0.2.0/install")
    machine.run(f"{NAME}-admin", "rollback")
    assert active(machine, f"/srv/opt/{NAME}") == answer(machine) == "0.1.0"
    assert not machine.path("/srv/etc").exists()
    machine.run(f"/opt/{NAME}/current/bin/{NAME}-admin", "uninstall", "--purge")
    machine.run("sh", "-c", "rm /opt; rmdir /srv/opt; mkdir /opt")


@pytest.mark.parametrize(
    ("prefix", "code", "says"),
    [
        ('/srv/a"b', 2, "the prefix '/srv/a\"b' has a quote, backslash, wildcard or control"),
        ("/srv/a*", 2, "the prefix '/srv/a*' has a quote, backslash, wildcard or control"),
        ("/srv/a\nb", 2, "the prefix '/srv/a"),
        ("/etc/passwd/x", 2, "the prefix '/etc/passwd/x' is not a folder"),
        ("/srv/nowhere/../x", 2, "there is no folder '/srv/nowhere/../x'"),
        ("", 2, "argument --prefix: it is empty (see"),
        ("/srv/linked", 2, "/srv/linked/opt is a link: give another --prefix"),
        ("/root/x", 1, "the service's user cannot enter /root: chmod o+x it, or give another"),
    ],
)
def test_a_prefix_that_cannot_be(prefix: str, code: int, says: str, machine: Machine) -> None:
    machine.run("sh", "-c", "mkdir -p /srv/linked && ln -sfn /srv /srv/linked/opt")
    said = machine.run("/srv/0.1.0/install", "--prefix", prefix, check=False)
    assert said.returncode == code
    assert says in error(said)
    assert traces(machine) == []

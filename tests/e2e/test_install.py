"""The Debian package on a machine with systemd: installed, configured, removed, purged."""

import re

import pytest

from .conftest import NewMachine
from .machine import Machine
from .releases import NAME, Releases
from .service import BASE, active, answer, error, eventually, install, main_pid

UNIT = f"/etc/systemd/system/{NAME}.service"
EXPOSURE = 2.0
"""The highest exposure level that `systemd-analyze security` may report."""
# What the system itself writes when users or units change, or packages are unpacked.
NOT_OURS = (
    "/etc/.pwd.lock", "/etc/group-", "/etc/gshadow-", "/etc/passwd-", "/etc/shadow-",
    "/etc/subgid-", "/etc/subuid-", "/opt", "/root/", "/srv/", "/var/cache/", "/var/lib/dpkg/",
    "/var/lib/systemd/", "/var/log/", "/tmp/systemd-private", "/var/tmp/systemd-private",
)  # fmt: skip


@pytest.fixture(scope="module")
def fresh(new_machine: NewMachine) -> Machine:
    return new_machine("systemd")


@pytest.fixture(scope="module")
def machine(fresh: Machine, releases: Releases) -> Machine:
    """Return a machine with the old release; /srv/before lists its files before that."""
    before = files(fresh)
    install(fresh, releases["old"])
    fresh.path("/srv/before").write_text("\n".join(sorted(before)))
    return fresh


def files(machine: Machine) -> set[str]:
    """Return every path on its disk."""
    listed = machine.run("find", "/", "-xdev", "-not", "-path", "/proc/*").stdout.splitlines()
    return {path for path in listed if not path.startswith(NOT_OURS)}


def test_there_is_no_network(machine: Machine) -> None:
    interfaces = machine.read_live("/proc/net/dev").splitlines()[2:]
    assert [line.split(":")[0].strip() for line in interfaces] == ["lo"]
    assert machine.reach("192.0.2.1") == "Network is unreachable"


def test_the_service_is_healthy_and_says_which_release_it_is(
    machine: Machine, releases: Releases
) -> None:
    assert active(machine) == answer(machine) == "0.1.0"
    version = machine.run(NAME, "version").stdout.strip()
    assert version.startswith(f"{NAME} 0.1.0+")
    status = machine.run(f"{NAME}-admin", "status").stdout
    assert "healthy at http://127.0.0.1:8000" in status
    assert version.split()[1] in status
    enabled = machine.run("systemctl", "is-enabled", f"{NAME}.service", f"{NAME}.socket").stdout
    assert enabled.split() == ["enabled", "enabled"]


def test_it_runs_as_a_user_of_its_own_and_hardened(machine: Machine) -> None:
    pid = main_pid(machine)
    assert machine.run("stat", "-c", "%U", f"/proc/{pid}").stdout.strip() == NAME
    status = machine.read_live(f"/proc/{pid}/status")
    assert "NoNewPrivs:\t1" in status
    assert "CapBnd:\t0000000000000000" in status
    said = machine.run("systemd-analyze", "security", "--offline=true", UNIT).stdout
    overall = said[said.index("Overall exposure level") :]
    assert float(overall.split(":")[1].split()[0]) <= EXPOSURE
    verify = ("systemd-analyze", "verify", "--recursive-errors=no", UNIT)
    assert machine.run(*verify).stderr == ""


def test_it_comes_back_after_a_crash_and_after_a_boot(machine: Machine) -> None:
    machine.run("systemctl", "kill", "--signal=KILL", NAME)
    restarts = ("systemctl", "show", "-p", "NRestarts", "--value", NAME)
    # Without a request, since that would start the service by its socket as well.
    eventually(lambda: machine.run(*restarts).stdout.strip() == "1", "a restart")
    assert answer(machine) == "0.1.0"
    machine.stop()
    machine.start()
    assert answer(machine) == "0.1.0"


def test_the_port_is_changed_by_a_drop_in(machine: Machine) -> None:
    dropin = machine.path(f"/etc/systemd/system/{NAME}.socket.d/port.conf")
    dropin.parent.mkdir()
    dropin.write_text("[Socket]\nListenStream=\nListenStream=0.0.0.0:9000\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", f"{NAME}.socket")
    machine.run("systemctl", "start", NAME)
    assert answer(machine, 9000) == "0.1.0"
    status = machine.run(f"{NAME}-admin", "status").stdout
    assert "healthy at http://127.0.0.1:9000" in status
    dropin.unlink()
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", f"{NAME}.socket")
    eventually(lambda: answer(machine) == "0.1.0", "the old port")


def test_a_wrong_setting_is_named_in_the_journal(machine: Machine) -> None:
    def log() -> str:
        return machine.run("journalctl", "--no-pager", "-o", "cat", "-u", NAME).stdout

    env = machine.path(f"/etc/{NAME}/{NAME}.env")
    before = env.read_text()
    try:
        env.write_text(before.replace("#MY_SERVICE_LOG_LEVEL=info", "MY_SERVICE_LOG_LEVEL=loud"))
        # The restart fails at once, since the service itself reports when it is ready.
        assert machine.run("systemctl", "restart", NAME, check=False).returncode == 1
        eventually(lambda: "error: MY_SERVICE_LOG_LEVEL is 'loud'" in log(), "the error")
    finally:
        env.write_text(before)
    eventually(lambda: answer(machine) == "0.1.0", "recovery without a restart by hand")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "the following arguments are required: COMMAND (see my-service-admin --help)"),
        (["stauts"], "invalid choice: 'stauts' (choose from 'activate', 'status', 'history', "),
        (["status", "now"], "unrecognized arguments: now"),
        (["rollback", "1"], "unrecognized arguments: 1"),
        (["rollback", "--to", "../x"], "no release '../x' is installed; there are: 0.1.0"),
    ],
)
def test_misuse_of_admin_is_one_line(machine: Machine, arguments: list[str], says: str) -> None:
    said = machine.run(f"{NAME}-admin", *arguments, check=False)
    assert said.returncode == 2
    assert says in error(said)
    assert said.stdout == ""


def test_rollback_without_anything_before_is_one_line(machine: Machine) -> None:
    said = machine.run(f"{NAME}-admin", "rollback", check=False)
    assert (said.returncode, error(said)) == (1, "error: there is no release before 0.1.0 here")


def test_help_of_admin(machine: Machine) -> None:
    text = machine.run(f"{NAME}-admin", "--help").stdout
    commands = ("activate", "status", "history", "rollback", "verify", "uninstall")
    assert all(re.search(rf"^ +{command} +\w", text, re.M) for command in commands)


def test_a_user_without_rights_may_ask_but_not_switch(machine: Machine) -> None:
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", f"{NAME}-admin")
    machine.run("systemctl", "restart", NAME)  # just restarted by itself, it is not healthy yet
    said = machine.run(*nobody, "status").stdout
    assert "healthy at http://127.0.0.1:8000" in said
    assert "more       only the user who installed it may see all: run it with sudo" in said
    for command in (["activate", f"{BASE}/package"], ["rollback"], ["uninstall"]):
        refused = machine.run(*nobody, *command, check=False)
        assert (refused.returncode, "needs root" in error(refused)) == (1, True), refused
    refused = machine.run(*nobody, "history", check=False)
    assert (
        error(refused)
        == "error: only the user who installed it may read the history: run it with sudo"
    )
    assert "0.1.0" in machine.run(f"{NAME}-admin", "history").stdout


def test_an_upgrade_keeps_the_settings_that_the_operator_has_edited(
    machine: Machine, releases: Releases
) -> None:
    """They stay even where the default changes, and dpkg cannot ask anybody."""
    env = machine.path(f"/etc/{NAME}/{NAME}.env")
    default = env.read_text()
    env.write_text("MY_SERVICE_LOG_LEVEL=debug\n")
    install(machine, releases["other default"])
    assert active(machine) == answer(machine) == releases["other default"].version
    assert env.read_text() == "MY_SERVICE_LOG_LEVEL=debug\n"
    environ = machine.read_live(f"/proc/{main_pid(machine)}/environ").split("\0")
    assert "MY_SERVICE_LOG_LEVEL=debug" in environ
    env.write_text(default)
    install(machine, releases["old"])


def test_installing_the_same_again_changes_nothing(machine: Machine, releases: Releases) -> None:
    pid = main_pid(machine)
    said = install(machine, releases["old"]).stdout
    assert "0.1.0 is active already and healthy" in said
    assert main_pid(machine) == pid


def test_remove_leaves_configuration_and_data_and_purge_leaves_nothing(
    machine: Machine, releases: Releases
) -> None:
    install(machine, releases["new"])
    machine.path(f"/var/lib/{NAME}/data").write_text("kept")
    machine.run("dpkg", "--remove", NAME)
    assert machine.read(f"/var/lib/{NAME}/data") == "kept"
    assert machine.path(f"/etc/{NAME}/{NAME}.env").is_file()
    assert not machine.path(BASE).exists()
    assert not machine.path(UNIT).exists()
    assert answer(machine, patience=2) is None
    machine.run("dpkg", "--purge", NAME)
    before = set(machine.read("/srv/before").splitlines())
    assert files(machine) - before == set()
    assert before - files(machine) == set()
    assert machine.run("id", NAME, check=False).returncode == 1
    units = machine.run("systemctl", "list-units", "--all", f"{NAME}*", "--no-legend").stdout
    assert units == ""


def test_a_removal_that_did_not_go_through_keeps_it_serving(
    machine: Machine, releases: Releases
) -> None:
    install(machine, releases["old"])
    machine.run(f"{BASE}/package/bin/{NAME}-admin", "uninstall")
    machine.run("/var/lib/dpkg/info/my-service.postinst", "abort-remove")
    assert answer(machine) == "0.1.0"


@pytest.mark.parametrize("which", ["exits at once", "never ready"])
def test_a_first_installation_that_fails_leaves_nothing_active(
    which: str, machine: Machine, releases: Releases
) -> None:
    machine.run("dpkg", "--purge", NAME, check=False)
    said = install(machine, releases[which], check=False)
    assert said.returncode == 1
    assert "did not become healthy and nothing is active" in error(said)
    assert active(machine) is None
    assert not machine.path(UNIT).exists()
    assert answer(machine, patience=2) is None
    install(machine, releases["old"])
    assert answer(machine) == "0.1.0"

"""Plain users, with a systemd of their own and without one."""

import pytest

from .conftest import NewMachine
from .killer import Killer, sample
from .machine import Machine
from .releases import HEALTH_SECONDS, NAME, Releases
from .service import Load, answer, end_trial, error, eventually, history, state, unpack, whole
from .test_upgrade import BROKEN
from .user import User, add_user, await_manager

WHICH = ("old", "new", "exits at once", "never ready")


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine, releases: Releases) -> Machine:
    """Return a machine on which the archives lie unpacked in /srv."""
    machine = new_machine("user")
    for which in WHICH:
        unpack(machine, releases[which])
    return machine


@pytest.fixture(scope="module")
def user(machine: Machine) -> User:
    return add_user(machine, "op", lingering=True)


@pytest.fixture(scope="module")
def killer(user: User) -> Killer:
    return Killer(user.machine, user.become)


@pytest.fixture
def served(user: User) -> User:
    """Return the user with the old release serving, and nothing on trial."""
    if user.active() != "0.1.0" or answer(user.machine) != "0.1.0":
        user.run("/srv/0.1.0/install", "--allow-downgrade")
    end_trial(user.machine, user.base)
    assert user.active() == answer(user.machine) == "0.1.0"
    return user


def activate(version: str) -> str:
    return f"/srv/{version}/bin/{NAME}-admin activate --allow-downgrade"


def named_after_us(user: User) -> set[str]:
    """Return every path that bears our name, without the archives and what the kernel shows."""
    found = user.machine.run("find", "/", "-xdev", "-name", f"*{NAME}*").stdout.split()
    return {path for path in found if not path.startswith(("/srv/", "/root/", "/proc/"))}


def is_still(user: User) -> bool:
    """Return whether nothing has to be undone, and nothing runs beside the service."""
    beside = user.ctl("is-active", f"{NAME}-next.service", check=False)
    return state(user.machine, user.base)["switch"] is None and beside in {"inactive", "failed"}


def assert_finished(user: User, version: str, where: str = "") -> None:
    """Check that a release is active, serving and whole, and that a killed run left nothing."""
    assert user.active() == answer(user.machine) == version, where
    assert whole(user.machine, version, user.base), where
    eventually(lambda: is_still(user), where)  # what ran beside is stopped without waiting


def settles(user: User, *versions: str, where: str) -> str:
    """Wait until a machine, left alone, serves one of these releases; return which."""

    def is_done() -> bool:
        now = user.active()
        return now in versions and is_still(user) and answer(user.machine, patience=3) == now

    try:
        eventually(is_done, "", HEALTH_SECONDS + 20)
    except AssertionError as error:
        log = user.ctl("status", NAME, check=False)
        raise AssertionError(f"{where}: does not settle\n{log}") from error
    return user.active() or ""


def test_it_serves_from_the_home_folder_in_the_users_own_systemd(
    user: User, releases: Releases
) -> None:
    said = user.run(f"{unpack(user.machine, releases['old'])}/install").stdout
    assert f"{NAME}: 0.1.0 is active and healthy at http://127.0.0.1:8000\n" in said
    assert f"{NAME}: {user.home}/.local/bin is not on your PATH" in said
    assert "session" not in said
    assert_finished(user, "0.1.0")
    assert all(path.startswith(f"{user.home}/") for path in named_after_us(user))
    theirs = user.machine.run("find", user.home, "-not", "-user", user.name).stdout
    assert theirs == ""
    pid = user.ctl("show", "-p", "MainPID", "--value", NAME)
    assert user.machine.run("stat", "-c", "%U", f"/proc/{pid}").stdout.strip() == user.name
    assert "NoNewPrivs:\t1" in user.machine.read_live(f"/proc/{pid}/status")
    status = user.run(user.admin, "status").stdout
    assert "healthy at http://127.0.0.1:8000" in status
    assert user.run(f"{user.home}/.local/bin/{NAME}", "version").stdout.startswith(f"{NAME} 0.1.0+")


def test_a_crash_within_the_trial_leads_back(served: User) -> None:
    served.run("/srv/0.2.0/install")
    assert served.active() == answer(served.machine) == "0.2.0"
    served.ctl("kill", "--kill-who=main", "--signal=KILL", NAME)
    assert settles(served, "0.1.0", where="a crash within the trial") == "0.1.0"
    assert history(served.machine, served.base)[-1][1:3] == ["returned", "0.2.0"]
    assert "0.2.0 failed on trial" in served.run(served.admin, "status").stdout


def test_it_comes_back_after_a_crash_and_after_a_boot(served: User) -> None:
    served.ctl("kill", "--signal=KILL", NAME)
    restarts = ("show", "-p", "NRestarts", "--value", NAME)
    eventually(lambda: served.ctl(*restarts) == "1", "a restart")
    assert answer(served.machine) == "0.1.0"
    served.machine.stop()
    served.machine.start()
    await_manager(served)
    eventually(lambda: answer(served.machine) == "0.1.0", "the service after a boot")


def test_no_request_fails_during_an_upgrade_and_a_rollback(served: User) -> None:
    loads = {mode: Load(served.machine, mode) for mode in ("close", "keep-alive")}
    served.run("/srv/0.2.0/install")
    assert_finished(served, "0.2.0")
    served.run(served.admin, "rollback")
    assert_finished(served, "0.1.0")
    for mode, load in loads.items():
        seen = load.end()
        print(mode, seen)
        assert seen["failed"] == 0, seen
        assert {release.split("+")[0] for release in seen["releases"]} == {"0.1.0", "0.2.0"}


@pytest.mark.parametrize("which", ["exits at once", "never ready"])
def test_a_broken_release_leaves_the_old_one_serving(
    which: str, served: User, releases: Releases
) -> None:
    release = releases[which]
    said = served.run(f"/srv/{release.version}/install", check=False)
    assert said.returncode == 1
    line = error(said)
    assert "did not become healthy, 0.1.0 is active as before: " in line
    assert BROKEN[which] in line
    assert_finished(served, "0.1.0")
    assert history(served.machine, served.base)[-1][1:3] == ["failed", release.version]


def test_an_upgrade_killed_at_any_step_is_done_or_undone_by_itself(
    served: User, killer: Killer
) -> None:
    steps = killer.steps(activate("0.2.0"))
    loads = [
        Load(served.machine, mode, workers=2, seconds=1800) for mode in ("close", "keep-alive")
    ]
    for step in sample(steps, 3, "a user's upgrade"):
        old = served.active() or ""
        new = "0.2.0" if old == "0.1.0" else "0.1.0"
        served.run("rm", "-rf", f"{served.base}/releases/{new}")
        where = f"{step}: {killer.kill(activate(new), step)}"
        settles(served, old, new, where=where)
        served.sh(activate(new))
        assert_finished(served, new, where)
    for seen in [load.end() for load in loads]:
        assert seen["failed"] == 0, seen


def test_power_lost_in_the_middle_brings_the_old_release_back(served: User, killer: Killer) -> None:
    wanted = f'rename("{served.base}/current.new"'
    (current,) = [step for step in killer.steps(activate("0.2.0")) if wanted in step.text]
    served.sh(activate("0.1.0"))
    end_trial(served.machine, served.base)
    run = killer.stop(activate("0.2.0"), current)
    served.machine.stop()
    run.communicate(timeout=10)
    served.machine.start()
    await_manager(served)
    settles(served, "0.1.0", where="power lost")
    assert_finished(served, "0.1.0", "power lost")


def test_it_says_that_the_service_ends_with_the_last_session(served: User) -> None:
    served.machine.run("rm", f"/var/lib/systemd/linger/{served.name}")
    said = served.run("/srv/0.2.0/install").stdout
    line = "it ends with your last session here, unless: sudo loginctl enable-linger op\n"
    assert f"{NAME}: {line}" in said
    served.machine.run("touch", f"/var/lib/systemd/linger/{served.name}")


def test_a_second_place_for_the_same_service_is_refused(served: User) -> None:
    said = served.run("/srv/0.2.0/install", "--prefix", f"{served.home}/b", check=False)
    assert said.returncode == 1
    assert f"{NAME} is installed in {served.base} already" in error(said)
    assert not served.machine.path(f"{served.home}/b").exists()
    assert_finished(served, "0.1.0")


def test_nobody_else_changes_it(served: User) -> None:
    for command in ("activate", "uninstall"):
        engine = f"{served.base}/current/bin/{NAME}-admin"
        said = served.machine.run(engine, command, check=False)
        assert said.returncode == 1
        assert error(said) == f"error: {served.base} belongs to op: run it as op"
    assert_finished(served, "0.1.0")


def test_without_a_systemd_it_is_installed_and_says_so(machine: Machine) -> None:
    other = add_user(machine, "other", lingering=False)
    said = other.run("/srv/0.1.0/install").stdout
    none = "there is no systemd of the user other here"
    assert f"{NAME}: 0.1.0 is installed and can be used; {none}: no service was started" in said
    assert other.run(f"{other.home}/.local/bin/{NAME}", "version").stdout.startswith(NAME)
    assert f"service    none: {none}" in other.run(other.admin, "status").stdout
    assert not machine.path(f"{other.home}/.config").exists()
    other.run("/srv/0.2.0/install")
    assert other.active() == "0.2.0"
    other.run(other.admin, "rollback")
    assert other.active() == "0.1.0"
    other.run(f"{other.base}/current/bin/{NAME}-admin", "uninstall", "--purge")
    left = machine.run("find", other.home, "-name", f"*{NAME}*").stdout
    assert left == ""


def test_where_a_systemd_comes_later_the_next_run_starts_the_service(
    served: User, machine: Machine
) -> None:
    served.run(f"{served.base}/current/bin/{NAME}-admin", "uninstall")
    late = add_user(machine, "late", lingering=False)
    late.run("/srv/0.1.0/install")
    machine.run("loginctl", "enable-linger", late.name)
    await_manager(late)
    late.run("/srv/0.1.0/install")
    assert_finished(late, "0.1.0")
    enabled = late.ctl("is-enabled", f"{NAME}.service", f"{NAME}.socket")
    assert enabled.split() == ["enabled", "enabled"]
    late.run(f"{late.base}/current/bin/{NAME}-admin", "uninstall", "--purge")


def test_retire_leaves_configuration_and_data_and_purge_leaves_nothing(served: User) -> None:
    data = f"{served.home}/.local/var/lib/{NAME}"
    served.sh(f"echo kept >{data}/data")
    served.run(f"{served.base}/current/bin/{NAME}-admin", "uninstall")
    assert not served.machine.path(served.base).exists()
    assert served.machine.read(f"{data}/data") == "kept\n"
    assert served.machine.path(f"{served.home}/.local/etc/{NAME}/{NAME}.env").is_file()
    assert answer(served.machine, patience=2) is None
    for _ in range(2):
        served.run("/srv/0.1.0/bin/my-service-admin", "uninstall", "--purge")
    assert named_after_us(served) == set()
    assert served.ctl("list-units", "--all", f"{NAME}*", "--no-legend") == ""

"""Settings that are switched together with a release, and come back together with it."""

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.soak import some

from . import bundles
from .conftest import NewMachine
from .killer import Killer, sample
from .machine import Machine, Result
from .releases import HEALTH_SECONDS, NAME, Releases
from .service import (
    BASE,
    active,
    answer,
    end_trial,
    error,
    eventually,
    history,
    main_pid,
    unpack,
)
from .test_kill import CURRENT, at, is_still
from .test_prefix import AWKWARD
from .user import User, add_user

ETC = f"/etc/{NAME}"
ENV, SECRETS = f"{NAME}.env", "secrets.env"
BAD = "MY_SERVICE_LOG_LEVEL=loud\n"
WHY = "the program ended with status 2: error: MY_SERVICE_LOG_LEVEL is 'loud'"


@dataclass(frozen=True)
class State:
    """The release that a machine runs, and the settings of that."""

    release: str | None
    env: str
    """The word in the settings; empty where there is none."""
    secret: str
    """The word in the secrets."""


OLD, NEW = State("0.1.0", "old", "old"), State("0.2.0", "new", "new")
OTHER = State("0.1.0", "new", "new")


def settings(machine: Machine, word: str, *, bad: bool = False, files: str = "both") -> str:
    """Make a folder of settings with a word in each file, and return its path."""
    folder = f"/srv/settings/{word}-{bad}-{files}"
    machine.run("mkdir", "-p", folder)
    if files != "secrets":
        machine.path(f"{folder}/{ENV}").write_text(f"WORD={word}\n{BAD if bad else ''}")
    if files != "env":
        machine.path(f"{folder}/{SECRETS}").write_text(f"SECRET={word}\n")
    return folder


def activate(version: str, folder: str) -> str:
    return f"/srv/{version}/bin/{NAME}-admin activate --allow-downgrade --settings {folder}"


def word_in(machine: Machine, file: str) -> str:
    path = machine.path(f"{ETC}/{file}")
    lines = path.read_text().splitlines() if path.exists() else []
    return "".join(
        line.partition("=")[2] for line in lines if line.startswith(("WORD=", "SECRET="))
    )


def on_disk(machine: Machine) -> State:
    return State(active(machine), word_in(machine, ENV), word_in(machine, SECRETS))


def running(machine: Machine) -> State:
    """Return what answers, and the settings in the environment of its process, if there is one."""
    release = answer(machine)
    environ = machine.run("cat", f"/proc/{main_pid(machine)}/environ", check=False).stdout.split(
        "\0"
    )
    known = dict(line.partition("=")[::2] for line in environ)
    return State(release, known.get("WORD", ""), known.get("SECRET", ""))


def assert_is(machine: Machine, state: State, where: str = "") -> None:
    """Check that a machine has and serves a state, with nothing left of a switch."""
    assert (on_disk(machine), running(machine)) == (state, state), where
    known = {ENV, SECRETS, "signing-key.pub"}
    if machine.path(f"{BASE}/.engine/undoable").exists():
        known.add(".switch")
    eventually(lambda: is_still(machine), where)  # what ran beside is stopped without waiting
    assert {path.name for path in machine.path(ETC).iterdir()} <= known, where


def settles(machine: Machine, states: tuple[State, ...], where: str) -> State:
    """Wait until a machine, left alone, has one of these states on the disk and serves it."""
    end = time.monotonic() + HEALTH_SECONDS + 20
    while True:
        live = running(machine)
        if live in states and on_disk(machine) == live and is_still(machine):
            return live
        log = f"{where}: {live}, {on_disk(machine)}"
        assert time.monotonic() < end, (
            f"{log}\n" + machine.sh(f"journalctl --no-pager -n 40; ls -la {BASE} {ETC}").stdout
        )
        time.sleep(0.2)


def bring_back(machine: Machine) -> None:
    """Make the old release with the old settings the only one, serving and not on trial."""
    machine.sh(activate("0.1.0", settings(machine, "old")))
    end_trial(machine)
    machine.sh(f"cd {BASE}/releases && rm -rf $(ls | grep -vxF 0.1.0)")
    assert_is(machine, OLD)


@pytest.fixture(scope="module")
def installed(new_machine: NewMachine, releases: Releases) -> Killer:
    """Return a machine on which the archives lie unpacked in /srv."""
    machine = new_machine("systemd")
    for which in ("old", "new", "exits at once"):
        unpack(machine, releases[which])
    return Killer(machine)


@pytest.fixture
def killer(installed: Killer) -> Killer:
    """Return that machine with the old release serving with the old settings."""
    bring_back(installed.machine)
    return installed


@pytest.fixture
def machine(killer: Killer) -> Machine:
    return killer.machine


# --- what arrives, and what comes back ------------------------------------------------------------


def test_settings_arrive_with_an_upgrade(machine: Machine) -> None:
    said = machine.sh(activate("0.2.0", settings(machine, "new"))).stdout
    assert "0.2.0 is active and healthy at http://127.0.0.1:8000, with the new settings" in said
    assert_is(machine, NEW)
    modes = machine.run("stat", "-c", "%a %U %G", f"{ETC}/{ENV}", f"{ETC}/{SECRETS}").stdout
    assert modes.splitlines() == ["640 root root", "600 root root"]


def test_one_file_leaves_the_other_alone(machine: Machine) -> None:
    machine.sh(activate("0.1.0", settings(machine, "new", files="secrets")))
    assert_is(machine, State("0.1.0", "old", "new"))
    machine.sh(activate("0.1.0", settings(machine, "new", files="env")))
    assert_is(machine, OTHER)


def test_the_same_again_restarts_nothing(machine: Machine) -> None:
    before = main_pid(machine), machine.path(f"{ETC}/{SECRETS}").stat().st_ino
    said = machine.sh(activate("0.1.0", settings(machine, "old"))).stdout
    assert "0.1.0 is active already and healthy" in said
    assert (main_pid(machine), machine.path(f"{ETC}/{SECRETS}").stat().st_ino) == before
    assert_is(machine, OLD)


def test_other_settings_alone_restart_the_service(machine: Machine) -> None:
    before = main_pid(machine)
    machine.sh(activate("0.1.0", settings(machine, "new")))
    assert main_pid(machine) != before
    assert_is(machine, OTHER)
    active_entries = [entry[2] for entry in history(machine) if entry[1] == "active"]
    assert active_entries[-1] == "0.1.0"


@pytest.mark.parametrize(
    ("version", "says"),
    [
        ("0.2.0", f"0.2.0 did not become healthy, 0.1.0 is active as before: {WHY}"),
        (
            "0.1.0",
            f"0.1.0 with the new settings did not become healthy, 0.1.0 is active as before: {WHY}",
        ),
    ],
    ids=["with a release", "alone"],
)
def test_bad_settings_bring_back_the_old_release_on_the_old_ones(
    version: str, says: str, machine: Machine
) -> None:
    said = machine.sh(activate(version, settings(machine, "new", bad=True)), check=False)
    assert said.returncode == 1
    assert says in error(said)
    assert_is(machine, OLD)
    assert history(machine)[-1][1:3] == ["failed", version]
    machine.run("systemctl", "restart", NAME)
    assert_is(machine, OLD)


def test_good_settings_with_a_bad_release_come_back_too(machine: Machine) -> None:
    said = machine.sh(activate("0.3.0", settings(machine, "new")), check=False)
    assert said.returncode == 1
    assert_is(machine, OLD)


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_where_there_was_no_such_file_there_is_none_again(version: str, machine: Machine) -> None:
    machine.run("rm", f"{ETC}/{ENV}", f"{ETC}/{SECRETS}")
    folder = settings(machine, "new", bad=True)
    assert machine.sh(activate(version, folder), check=False).returncode == 1
    assert list(machine.path(ETC).iterdir()) == []
    assert active(machine) == answer(machine) == "0.1.0"


def test_a_file_that_is_a_link_is_one_again(machine: Machine) -> None:
    machine.sh(f"mv {ETC}/{SECRETS} /srv/kept && ln -s ../../srv/kept {ETC}/{SECRETS}")
    folder = settings(machine, "new", bad=True)
    assert machine.sh(activate("0.1.0", folder), check=False).returncode == 1
    assert machine.path(f"{ETC}/{SECRETS}").is_symlink()
    assert machine.run("readlink", "-f", f"{ETC}/{SECRETS}").stdout.strip() == "/srv/kept"
    machine.run("rm", f"{ETC}/{SECRETS}")


def test_a_first_installation_that_fails_leaves_no_settings(machine: Machine) -> None:
    machine.run(f"/srv/0.1.0/bin/{NAME}-admin", "uninstall", "--purge")
    said = machine.sh(activate("0.1.0", settings(machine, "new", bad=True)), check=False)
    assert f"0.1.0 did not become healthy and nothing is active: {WHY}" in error(said)
    assert active(machine) is None
    assert list(machine.path(ETC).iterdir()) == []
    machine.sh(activate("0.1.0", settings(machine, "new")))
    assert_is(machine, OTHER)


def test_a_rollback_leaves_the_settings_alone(machine: Machine) -> None:
    machine.sh(activate("0.2.0", settings(machine, "new")))
    machine.run(f"{NAME}-admin", "rollback")
    assert_is(machine, OTHER)


def test_uninstalling_keeps_them_and_purging_does_not(killer: Killer) -> None:
    """Settings of a killed run, which were never seen to work, do not stay."""
    machine = killer.machine
    command = activate("0.1.0", settings(machine, "new"))
    (put,) = at(killer.steps(command), PUT)
    bring_back(machine)
    assert killer.kill(command, put) is not None
    admin = f"/srv/0.1.0/bin/{NAME}-admin"
    machine.run(admin, "uninstall")
    assert on_disk(machine) == State(None, "old", "old")
    assert {path.name for path in machine.path(ETC).iterdir()} == {ENV, SECRETS}
    machine.run(admin, "uninstall", "--purge")
    assert not machine.path(ETC).exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "'/srv/wrong' holds neither my-service.env nor secrets.env (--settings)"),
        (
            "secret.env",
            "'/srv/wrong/secret.env' is not a settings file: expected my-service.env and",
        ),
        ("secrets.env/", "'/srv/wrong/secrets.env' is not a file that can be read (--settings)"),
    ],
)
def test_a_folder_that_holds_something_else(name: str, says: str, machine: Machine) -> None:
    machine.sh("rm -rf /srv/wrong; mkdir /srv/wrong")
    if name:
        machine.sh(f"cd /srv/wrong && {'mkdir' if name.endswith('/') else 'touch'} {name}")
    said = machine.sh(activate("0.2.0", "/srv/wrong"), check=False)
    assert said.returncode == 2
    assert says in error(said)
    assert_is(machine, OLD)
    said = machine.sh(activate("0.2.0", "/srv/nowhere"), check=False)
    assert (said.returncode, error(said)) == (
        2,
        "error: there is no folder '/srv/nowhere' (--settings)",
    )


def test_a_disk_without_room_changes_nothing(machine: Machine) -> None:
    machine.run("mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=6", "tmpfs", ETC)
    try:
        folder = settings(machine, "new")
        said = machine.sh(activate("0.1.0", folder), check=False)
        assert said.returncode == 1
        assert error(said).startswith(f"error: could not write to {ETC}/.switch/")
        assert error(said).endswith(": no space left on device; nothing was changed")
        assert is_still(machine)
    finally:
        machine.run("umount", ETC)
    assert_is(machine, OLD)


# --- killed at any instant ------------------------------------------------------------------------


PUT = f'rename("{ETC}/.switch/next/{SECRETS}"'
"""The step that puts the last of the new settings in their place."""
HALF = f'rename("{ETC}/.switch/next/{ENV}"'


KILLED = [(version, bad) for bad in (False, True) for version in ("0.1.0", "0.2.0")]


@pytest.mark.parametrize(("version", "bad"), some(KILLED, 2, "killed switches of settings"))
def test_a_run_killed_at_any_step_leaves_all_old_or_all_new(
    version: str, bad: bool, killer: Killer
) -> None:
    """The machine serves, left alone or restarted, and the next run completes the switch.

    Every other kill is followed by a restart.
    """
    machine = killer.machine
    new = State(version, "new", "new")
    states = (OLD,) if bad else (OLD, new)
    command = activate(version, settings(machine, "new", bad=bad))
    steps = killer.steps(command)
    for number, step in enumerate(sample(steps, 3, f"settings {version} {bad}")):
        bring_back(machine)
        where = f"{step}: {killer.kill(command, step)}"
        if number % 2:
            machine.run("systemctl", "restart", "--no-block", NAME)
        settles(machine, states, where)
    again = machine.sh(command, check=False)
    assert again.returncode == (1 if bad else 0), again.stderr
    assert_is(machine, states[-1])


@pytest.mark.parametrize("bad", some([False, True], 1, "killed first installations with settings"))
def test_a_first_installation_killed_at_any_step(bad: bool, installed: Killer) -> None:
    """Nothing is active or everything is new, both at once and after a start of the service."""
    machine = installed.machine
    command = activate("0.1.0", settings(machine, "new", bad=bad))

    def remove() -> None:
        machine.run(f"/srv/0.1.0/bin/{NAME}-admin", "uninstall", "--purge")

    remove()
    steps = installed.steps(command)
    for step in sample(steps, 3, f"settings of a first installation {bad}"):
        remove()
        where = f"{step}: {installed.kill(command, step)}"
        if not bad:
            assert on_disk(machine) == OTHER or active(machine) is None, where
            machine.run("systemctl", "restart", NAME, check=False)
            live = running(machine)
            assert (live.env, live.secret) in {("new", "new"), ("", "")}, where
        again = machine.sh(command, check=False)
        assert again.returncode == (1 if bad else 0), f"{where}\n{again.stderr}"
        if bad:
            assert "did not become healthy and nothing is active" in error(again), where
            assert on_disk(machine) == State(None, "", ""), where
            assert list(machine.path(ETC).iterdir()) == [], where
        else:
            assert_is(machine, OTHER, where)


def test_power_lost_in_the_middle_brings_the_old_ones_back(killer: Killer) -> None:
    machine = killer.machine
    command = activate("0.2.0", settings(machine, "new"))
    steps = killer.steps(command)
    for text in (HALF, PUT, CURRENT):
        (step,) = at(steps, text)
        bring_back(machine)
        run = killer.stop(command, step)
        machine.stop()
        run.communicate(timeout=10)
        machine.start()
        settles(machine, (OLD,), text)
        assert_is(machine, OLD, text)


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_a_start_in_the_middle_of_a_switch_waits_for_whoever_makes_it(
    version: str, killer: Killer
) -> None:
    """While a run is alive, a start does not undo its switch; once the run is dead, it does.

    Meanwhile another run names the one at work, and the status shows an unfinished switch.
    """
    machine = killer.machine
    command = activate(version, settings(machine, "new"))
    (half,) = at(killer.steps(command), HALF)
    bring_back(machine)
    run = killer.stop(command, half)
    try:
        assert on_disk(machine) == State("0.1.0", "new", "old")
        holder = machine.read(f"{BASE}/.engine/lock")
        for seconds in ("0", "1"):
            begun = time.monotonic()
            said = machine.sh(f"DEPLOY_LOCK_SECONDS={seconds} {command}", check=False)
            assert f"error: another run is at work, {holder}: wait for it" in error(said)
            assert int(seconds) <= time.monotonic() - begun < int(seconds) + 2
        title = "0.1.0 with the new settings" if version == "0.1.0" else "0.2.0"
        status = machine.run(f"{NAME}-admin", "status", check=False).stdout
        assert f"unfinished the switch to {title}: going on, or interrupted\n" in status
        machine.run("systemctl", "restart", NAME)
        assert answer(machine) in {"0.1.0", version}  # the new one serves beside it already
        assert on_disk(machine) == State("0.1.0", "new", "old")
    finally:
        machine.sh(f"kill -9 {holder.split()[1]}")
        run.communicate(timeout=10)
    settles(machine, (OLD,), version)


# --- elsewhere ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shared(new_machine: NewMachine, releases: Releases) -> Machine:
    """Return a machine with a plain user, OpenSSH, and the archives in /srv."""
    machine = new_machine("user")
    for which in ("old", "new"):
        unpack(machine, releases[which])
    add_user(machine, "op", lingering=True)
    return machine


@pytest.mark.parametrize("who", ["root", "op"])
def test_below_a_prefix(who: str, shared: Machine) -> None:
    run = shared.run if who == "root" else User(shared, who).run
    prefix = f"/srv/{AWKWARD}" if who == "root" else f"/home/{who}/{AWKWARD}"
    manager = "" if who == "root" else "XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user"
    etc, base = f"{prefix}/etc/{NAME}", f"{prefix}/opt/{NAME}"

    def switch(version: str, word: str, *, bad: bool = False) -> Result:
        folder = settings(shared, word, bad=bad)
        line = (f"/srv/{version}/install", "--prefix", prefix, "--settings", folder)
        return run(*line, check=False)

    def is_now(version: str, word: str) -> None:
        assert active(shared, base) == answer(shared) == version
        show = f"{manager or 'systemctl'} show -p MainPID --value {NAME}"
        environ = shared.read_live(f"/proc/{run('sh', '-c', show).stdout.strip()}/environ")
        assert {f"WORD={word}", f"SECRET={word}"} <= set(environ.split("\0"))
        files = [f"{etc}/{ENV}", f"{etc}/{SECRETS}"]
        assert shared.read(files[1]) == f"SECRET={word}\n"
        modes = shared.run("stat", "-c", "%a %U", *files).stdout.splitlines()
        assert modes == [f"640 {who}", f"600 {who}"]

    assert switch("0.1.0", "old").returncode == 0
    is_now("0.1.0", "old")
    for version in ("0.1.0", "0.2.0"):
        assert f"0.1.0 is active as before: {WHY}" in error(switch(version, "new", bad=True))
        is_now("0.1.0", "old")
    assert switch("0.2.0", "new").returncode == 0
    is_now("0.2.0", "new")
    run(f"{base}/current/bin/{NAME}-admin", "uninstall", "--purge")
    assert not shared.path(etc).exists()


def test_a_bundle_passes_them_on(shared: Machine, releases: Releases) -> None:
    bundle = releases["old"]
    bundles.install(shared, bundle, "--settings", settings(shared, "old"))
    assert_is(shared, OLD)
    bad = bundles.install(shared, bundle, "--settings", settings(shared, "new", bad=True),
                          check=False)  # fmt: skip
    assert f"0.1.0 is active as before: {WHY}" in error(bad)
    assert_is(shared, OLD)
    nowhere = bundles.install(shared, bundle, "--settings", "/srv/nowhere", check=False)
    assert nowhere.returncode == 2
    assert "there is no folder '/srv/nowhere' (--settings)" in error(nowhere)
    shared.run(f"{BASE}/current/bin/{NAME}-admin", "uninstall", "--purge")


def test_what_was_built_here_needs_no_signature(shared: Machine, keys: Path) -> None:
    shared.run("mkdir", "-p", ETC)
    shared.path(f"{ETC}/signing-key.pub").write_text((keys / "ours.pub").read_text())
    built = (f"/srv/0.1.0/bin/{NAME}-admin", "activate", "--built-here")
    assert "it is not signed" in error(shared.run(*built[:2], check=False))
    shared.put(keys / "theirs.pub", "/srv")
    for also in (["--require-signature"], ["--key", "/srv/theirs.pub"]):
        said = shared.run(*built, *also, check=False)
        assert said.returncode == 2
        assert "--built-here asks for no signature" in error(said)
    assert active(shared) is None
    assert "origin" not in shared.run(*built).stdout
    assert active(shared) == answer(shared) == "0.1.0"
    shared.run(f"{BASE}/current/bin/{NAME}-admin", "uninstall", "--purge")


def test_the_status_tells_the_settings_by_their_digests(machine: Machine) -> None:
    def facts(*who: str) -> dict[str, str]:
        said = machine.run(*who, f"{NAME}-admin", "status", "--json", check=False)
        return dict(json.loads(said.stdout))

    def digest(file: str) -> str:
        return hashlib.sha256(machine.path(f"{ETC}/{file}").read_bytes()).hexdigest()

    known = facts()
    assert (known["settings"], known["secrets"]) == (digest(ENV), digest(SECRETS))
    assert len(known["commit"]) == 40
    assert known["release"].startswith(f"0.1.0+{known['commit'][:7]}")
    stranger = facts("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    assert (stranger["settings"], stranger["secrets"]) == ("", "")
    machine.run("rm", f"{ETC}/{SECRETS}")
    assert facts()["secrets"] == ""


def locked_by(machine: Machine, **environ: str) -> str:
    words = [f"{key}={value}" for key, value in environ.items()]
    machine.run("env", *words, f"{BASE}/current/bin/{NAME}-admin", "activate")
    text = machine.read(f"{BASE}/.engine/lock")
    assert text.endswith("Z"), text
    return text.partition(" of ")[2].partition(" since ")[0]


def test_a_lock_says_who_holds_it(machine: Machine) -> None:
    assert locked_by(machine) == "root"
    assert locked_by(machine, SUDO_USER="alice") == "alice"
    ssh = {"SUDO_USER": "alice", "SSH_CLIENT": "10.0.0.5 40022 22"}
    assert locked_by(machine, **ssh) == "alice from 10.0.0.5"
    assert locked_by(machine, SSH_CONNECTION="10.0.0.6 1 10.0.0.7 22") == "root from 10.0.0.6"
    assert locked_by(machine, DEPLOY_BY="alice@laptop", **ssh) == "alice@laptop"
    assert locked_by(machine, DEPLOY_BY="a\x1b[31m\nb\t\x7f") == "a?[31m b ?"
    assert locked_by(machine, DEPLOY_BY="x" * 99) == "x" * 60 + "…"
    assert locked_by(machine, DEPLOY_BY="\n") == "root"


@pytest.mark.parametrize("wrong", ["601", "-1", "1.5", "x"])
def test_how_long_to_wait_is_a_whole_number(wrong: str, machine: Machine) -> None:
    run = ("env", f"DEPLOY_LOCK_SECONDS={wrong}", f"{NAME}-admin", "activate")
    said = machine.run(*run, check=False)
    assert (said.returncode, error(said)) == (
        2,
        f"error: DEPLOY_LOCK_SECONDS is '{wrong}': expected a whole number from 0 to 600",
    )

"""Settings that go along with a release, and come back with it."""

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import bundles
from .conftest import NewMachine
from .killer import Killer, Turn, turns
from .machine import Machine, Result
from .releases import HEALTH_SECONDS, NAME, Releases
from .service import BASE, active, answer, error, eventually, history, unpack
from .test_kill import MACHINES, at_every_turn, on_trial
from .test_prefix import AWKWARD
from .user import User, add_user

ETC = f"/etc/{NAME}"
ENV, SECRETS = f"{NAME}.env", "secrets.env"
BAD = "MY_SERVICE_LOG_LEVEL=loud\n"
WHY = "the program ended with status 2: error: MY_SERVICE_LOG_LEVEL is 'loud'"


@dataclass(frozen=True)
class State:
    """What a machine runs, and on what."""

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


def main_pid(machine: Machine) -> str:
    return machine.run("systemctl", "show", "-p", "MainPID", "--value", NAME).stdout.strip()


def running(machine: Machine) -> State:
    """Ask the process itself, should there be one: what answers, and its environment."""
    release = answer(machine)
    environ = machine.run("cat", f"/proc/{main_pid(machine)}/environ", check=False).stdout.split(
        "\0"
    )
    known = dict(line.partition("=")[::2] for line in environ)
    return State(release, known.get("WORD", ""), known.get("SECRET", ""))


def assert_is(machine: Machine, state: State, where: str = "") -> None:
    """Check that a machine is and serves that, with nothing left of a switch."""
    assert (on_disk(machine), running(machine)) == (state, state), where
    assert not machine.path(f"{BASE}/.pending").is_symlink(), where
    left = {path.name for path in machine.path(ETC).iterdir()}
    assert left <= {ENV, SECRETS, "signing-key.pub"}, where


def settles(machine: Machine, states: tuple[State, ...], where: str) -> State:
    """Wait until a machine, left alone, is one of these and serves it, on the disk and live."""
    end = time.monotonic() + HEALTH_SECONDS + 15
    while True:
        live = running(machine)
        pending = machine.path(f"{BASE}/.pending").is_symlink()
        if live in states and on_disk(machine) == live and not pending:
            return live
        log = f"{where}: {live}, {on_disk(machine)}"
        assert time.monotonic() < end, (
            f"{log}\n" + machine.sh(f"journalctl --no-pager -n 40; ls -la {BASE} {ETC}").stdout
        )
        time.sleep(0.2)


def bring_back(machine: Machine) -> None:
    """Make the old release on the old settings the only one, and serving."""
    machine.sh(activate("0.1.0", settings(machine, "old")))
    machine.sh(f"cd {BASE}/releases && rm -rf $(ls | grep -vxF 0.1.0)")
    assert_is(machine, OLD)


@pytest.fixture(scope="module")
def killers(new_machine: NewMachine, releases: Releases) -> list[Killer]:
    """Return machines on which nothing is installed and the archives lie unpacked in /srv."""
    machines = [new_machine("systemd") for _ in range(MACHINES)]
    for machine in machines:
        for which in ("old", "new", "exits at once"):
            unpack(machine, releases[which])
    return [Killer(machine) for machine in machines]


@pytest.fixture
def killer(killers: list[Killer]) -> Killer:
    """Return one of them on which the old release serves on the old settings."""
    bring_back(killers[0].machine)
    return killers[0]


@pytest.fixture
def machine(killer: Killer) -> Machine:
    return killer.machine


# --- what comes along, and what comes back --------------------------------------------------------


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
        ("0.2.0", f"0.2.0 did not become healthy, 0.1.0 is active and healthy as before: {WHY}"),
        (
            "0.1.0",
            "0.1.0 with the new settings did not become healthy, 0.1.0 is active and healthy as"
            f" before: {WHY}",
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
    assert history(machine)[-1][1:3] in (["failed", version], ["active", "0.1.0"])
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
    machine.run("/srv/0.1.0/bin/my-service-admin", "uninstall", "--purge")
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


def test_retire_keeps_them_and_purge_does_not(killer: Killer) -> None:
    machine = killer.machine
    killer.run(activate("0.1.0", settings(machine, "new")), f"mv -T {ETC}/.settings/half "
               f"{ETC}/.settings/whole", outlive=True)  # fmt: skip
    assert word_in(machine, ENV) == "new"
    machine.run("/srv/0.1.0/bin/my-service-admin", "uninstall")
    assert on_disk(machine) == State(None, "old", "old")
    assert {path.name for path in machine.path(ETC).iterdir()} == {ENV, SECRETS}
    machine.run("/srv/0.1.0/bin/my-service-admin", "uninstall", "--purge")
    assert not machine.path(ETC).exists()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "'/srv/wrong' holds neither my-service.env nor secrets.env (--settings)"),
        ("secret.env", "'/srv/wrong/secret.env' is no settings: expected my-service.env and"),
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
        assert f"could not write to {BASE} or {ETC}, nothing was changed" in error(said)
        assert not machine.path(f"{BASE}/.pending").is_symlink()
    finally:
        machine.run("umount", ETC)
    assert_is(machine, OLD)


# --- killed at any instant ------------------------------------------------------------------------


SAME = ("sync", "flock", "ln -sfn", "mkdir -p", f"rm -f {BASE}/.reason", "systemctl reset-failed")
"""How steps begin that leave, for whoever comes later, what was there before them."""


def switch(killer: Killer, command: str) -> list[Turn]:
    """Return the ways to kill a run that make a difference, from where it prepares its settings."""
    assert killer.run(command, 0) is None
    steps = killer.steps()
    first = 1 + next(n for n, step in enumerate(steps) if f"{ETC}/.settings.new/old" in step)
    ways = turns(steps, first=first)
    return [way for way in ways if not steps[way[0] - 1].startswith(SAME)]


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"], ids=["alone", "with a release"])
@pytest.mark.parametrize("bad", [False, True], ids=["good", "bad"])
def test_a_run_killed_at_any_step_leaves_all_old_or_all_new(
    version: str, bad: bool, killers: list[Killer]
) -> None:
    """Left alone it serves, restarted too, and the next run ends what was begun.

    Every other kill is followed by a restart; which ones is different for each version.
    """
    for killer in killers:
        bring_back(killer.machine)
    ways = switch(killers[0], activate(version, settings(killers[0].machine, "new", bad=bad)))
    new = State(version, "new", "new")
    states = (OLD,) if bad else (OLD, new)

    restarted = ways[version == "0.1.0" :: 2]

    def test(killer: Killer, turn: Turn) -> None:
        machine = killer.machine
        bring_back(machine)
        command = activate(version, settings(machine, "new", bad=bad))
        where = f"{turn}: {killer.run(command, turn[0], outlive=turn[1])}"
        if turn in restarted:
            machine.run("systemctl", "restart", "--no-block", NAME)
            settles(machine, states, where)
        elif not bad:
            assert running(machine) in states, where
        again = machine.sh(command, check=False)
        assert again.returncode == (1 if bad else 0), f"{where}\n{again.stderr}"
        assert_is(machine, states[-1], where)

    at_every_turn(killers, ways, test)
    assert len(ways) > 10, ways


@pytest.mark.parametrize("bad", [False, True], ids=["good", "bad"])
def test_a_first_installation_killed_at_any_step(bad: bool, killers: list[Killer]) -> None:
    """Nothing is active or all is new, at once and after the service was started."""
    for killer in killers:
        killer.machine.run("/srv/0.1.0/bin/my-service-admin", "uninstall", "--purge")
    ways = switch(killers[0], activate("0.1.0", settings(killers[0].machine, "new", bad=bad)))

    def test(killer: Killer, turn: Turn) -> None:
        machine = killer.machine
        machine.run("/srv/0.1.0/bin/my-service-admin", "uninstall", "--purge")
        command = activate("0.1.0", settings(machine, "new", bad=bad))
        where = f"{turn}: {killer.run(command, turn[0], outlive=turn[1])}"
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

    at_every_turn(killers, ways, test)


PUT = f"mv -T {ETC}/.settings/half {ETC}/.settings/whole"
HALF = f"mv -fT {ETC}/.settings/new/{SECRETS} {ETC}/{SECRETS}"


@pytest.mark.parametrize(("at", "outlive"), [(HALF, False), (PUT, False), (PUT, True)])
def test_power_lost_in_the_middle_brings_the_old_ones_back(
    at: str, outlive: bool, killer: Killer
) -> None:
    machine = killer.machine
    command = activate("0.2.0", settings(machine, "new"))
    assert killer.run(command, at, outlive=outlive) == at
    machine.stop()
    machine.start()
    settles(machine, (OLD,), at)
    assert_is(machine, OLD, at)


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_a_start_in_the_middle_of_a_switch_is_no_trial_of_it(version: str, killer: Killer) -> None:
    machine = killer.machine
    command = activate(version, settings(machine, "new"))
    assert killer.run(command, HALF) == HALF
    assert on_disk(machine) == State("0.1.0", "new", "old")
    # As long as a run is alive, the service does not undo what it does.
    holder = machine.background("flock", f"{BASE}/.lock", "sleep", "3")
    time.sleep(0.3)
    said = machine.run("systemctl", "restart", NAME, check=False)
    assert said.returncode == 1
    assert machine.path(f"{BASE}/.pending").is_symlink()
    holder.communicate(timeout=10)
    settles(machine, (OLD,), version)


RESTART = f"timeout {HEALTH_SECONDS + 180} systemctl restart {NAME}.service"


@pytest.fixture
def slow(killer: Killer) -> Iterator[Killer]:
    """Return one on which a start takes four more seconds, after it has read its settings."""
    machine = killer.machine
    folder = f"/etc/systemd/system/{NAME}.service.d"
    machine.run("mkdir", folder)
    after = f"+{BASE}/current/bin/{NAME}-admin activate --after-start"
    machine.path(f"{folder}/slow.conf").write_text(
        f"[Service]\nExecStartPost=\nExecStartPost=/bin/sleep 4\nExecStartPost={after}\n"
    )
    machine.run("systemctl", "daemon-reload")
    yield killer
    machine.run("rm", "-r", folder)
    machine.run("systemctl", "daemon-reload")


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_a_start_from_before_the_switch_is_no_trial_of_it(version: str, slow: Killer) -> None:
    machine = slow.machine
    machine.run("systemctl", "restart", "--no-block", NAME)
    eventually(lambda: answer(machine, patience=1) == "0.1.0", "the old release's start")
    command = activate(version, settings(machine, "new", bad=True))
    assert slow.run(command, RESTART) == RESTART
    assert on_disk(machine) == State(version, "new", "new")
    time.sleep(5)
    settles(machine, (OLD,), version)


def test_a_start_from_before_the_way_back_is_no_trial_of_it(slow: Killer) -> None:
    machine = slow.machine
    command = activate("0.1.0", settings(machine, "new"))
    on_trial(machine, "0.1.0", command)
    assert slow.run(command, RESTART) == RESTART  # on its way back, to begin again
    assert (on_disk(machine), running(machine)) == (OLD, OTHER)
    time.sleep(5)
    settles(machine, (OLD,), "0.1.0")


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
        assert f"0.1.0 is active and healthy as before: {WHY}" in error(
            switch(version, "new", bad=True)
        )
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
    assert f"0.1.0 is active and healthy as before: {WHY}" in error(bad)
    assert_is(shared, OLD)
    nowhere = bundles.install(shared, bundle, "--settings", "/srv/nowhere", check=False)
    assert nowhere.returncode == 2
    assert "there is no folder '/srv/nowhere' (--settings)" in error(nowhere)
    shared.run(f"{BASE}/current/bin/{NAME}-admin", "uninstall", "--purge")


def test_what_was_built_here_needs_no_signature(shared: Machine, keys: Path) -> None:
    shared.run("mkdir", "-p", ETC)
    shared.path(f"{ETC}/signing-key.pub").write_text((keys / "ours.pub").read_text())
    built = ("/srv/0.1.0/bin/my-service-admin", "activate", "--built-here")
    assert "it is not signed" in error(shared.run(built[0], check=False))
    shared.put(keys / "theirs.pub", "/srv")
    for also in (["--require-signature"], ["--key", "/srv/theirs.pub"]):
        said = shared.run(*built, *also, check=False)
        assert said.returncode == 2
        assert "--built-here asks for no signature" in error(said)
    assert active(shared) is None
    assert "origin" not in shared.run(*built).stdout
    assert active(shared) == answer(shared) == "0.1.0"
    shared.run(f"{BASE}/current/bin/{NAME}-admin", "uninstall", "--purge")


def test_facts_tell_the_settings_by_their_digests(machine: Machine) -> None:
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
    text = machine.read(f"{BASE}/.lock")
    assert text.endswith("Z\n"), text
    return text.partition(" of ")[2].partition(" since ")[0]


def test_a_lock_says_who_holds_it(machine: Machine) -> None:
    assert locked_by(machine) == "root"
    assert locked_by(machine, SUDO_USER="alice") == "alice"
    ssh = {"SUDO_USER": "alice", "SSH_CLIENT": "10.0.0.5 40022 22"}
    assert locked_by(machine, **ssh) == "alice from 10.0.0.5"
    assert locked_by(machine, SSH_CONNECTION="10.0.0.6 1 10.0.0.7 22") == "root from 10.0.0.6"
    assert locked_by(machine, DEPLOY_BY="alice@laptop", **ssh) == "alice@laptop"
    assert locked_by(machine, DEPLOY_BY="a\x1b[31m\nb\t\x7f") == "a[31mb"
    assert locked_by(machine, DEPLOY_BY="x" * 99) == "x" * 60
    assert locked_by(machine, DEPLOY_BY="\n") == "root"


def test_who_is_refused_is_told_who_holds_it(machine: Machine) -> None:
    def again(seconds: str) -> Result:
        engine = f"{BASE}/current/bin/{NAME}-admin"
        run = ("env", f"DEPLOY_LOCK_SECONDS={seconds}", engine, "activate")
        return machine.run(*run, check=False)

    by = "process 4711 of alice from 10.0.0.5 since 2026-01-01T00:00:00Z"
    machine.path(f"{BASE}/.lock").write_text(f"{by}\n")
    machine.run("ln", "-s", "0.1.0", f"{BASE}/.pending")
    holder = machine.background("flock", f"{BASE}/.lock", "sleep", "6")
    time.sleep(0.3)
    try:
        for seconds in ("0", "1"):
            begun = time.monotonic()
            assert f"error: another run is at work, {by}: wait for it" in error(again(seconds))
            assert int(seconds) <= time.monotonic() - begun < int(seconds) + 2
        status = machine.run(f"{NAME}-admin", "status").stdout
        assert f"unfinished a switch is going on, {by}\n" in status
    finally:
        holder.communicate(timeout=10)
    for wrong in ("601", "-1", "1.5", "08", "x"):
        said = again(wrong)
        assert said.returncode == 2
        assert error(said) == (
            f"error: DEPLOY_LOCK_SECONDS is '{wrong}': expected a whole number from 0 to 600"
        )

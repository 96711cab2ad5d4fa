"""Disks that get full or read-only in the middle of a switch or a trial."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.soak import SOAK

from .conftest import NewMachine
from .faults import ADMIN, instead_of_systemctl, names, order
from .machine import Machine, Result
from .releases import NAME, Releases
from .service import BASE, active, answer, error, eventually, state, unpack, whole

# Breaks the disk at a turn: at this number of the calls of systemctl that change something.
AT_TURN = """
case $1 in start | stop | restart | kill | daemon-reload | --no-block)
    turn=$(($(cat /run/turn) + 1))
    echo $turn >/run/turn
    echo "$*" >>/run/turns
    [ $turn != {turn} ] || {{ {then}; }} ;;
esac
"""
FULL = {
    "blocks": "cat /dev/zero >/opt/filler 2>/dev/null",
    "inodes": "mkdir /opt/filler; n=0; while true >/opt/filler/$n; do n=$((n+1)); done 2>/dev/null",
}
"""The commands that fill the disk."""
MOST = 20
"""A switch has fewer turns than that."""
SOME = {"blocks": (1, 5, 6, 7), "inodes": (4, 6)}
"""The turns that a run tries if it does not try all: before them something is written."""


def mount(machine: Machine, *options: str | Path) -> None:
    """Mount /opt of a machine that does not run yet."""
    machine.path("/opt").mkdir(exist_ok=True)
    subprocess.run(["mount", *options, machine.path("/opt")], check=True)


def install(machine: Machine, releases: Releases) -> None:
    """Let 0.1.0 serve, with 0.6.0 at hand and older releases that nobody needs."""
    machine.run(f"{unpack(machine, releases['old'])}/install")
    machine.run(ADMIN, "activate", unpack(machine, releases["obeys"]))
    machine.run(ADMIN, "rollback")
    machine.sh(f"cd {BASE}/releases && for n in 7 8 9; do cp -al 0.1.0 0.0.$n; done")


@pytest.fixture(scope="module")
def small(new_machine: NewMachine, releases: Releases) -> Machine:
    """Return a machine whose /opt is a small disk in memory."""
    machine = new_machine("systemd")
    machine.stop()  # it sees what is mounted here before it starts
    mount(machine, "-t", "tmpfs", "-o", "size=1g,mode=0755", "tmpfs")
    machine.start()
    install(machine, releases)
    used = machine.sh("df --output=used,iused /opt | tail -1").stdout.split()
    limits = f"remount,nr_blocks={int(used[0]) // 4 + 1000},nr_inodes={int(used[1]) + 200}"
    subprocess.run(["mount", "-o", limits, machine.path("/opt")], check=True)
    return machine


@pytest.fixture
def served(small: Machine) -> Iterator[Machine]:
    """Return that machine with 0.1.0 serving, nothing on trial, and room on the disk."""
    back(small)
    yield small
    back(small)


def back(machine: Machine) -> None:
    order(machine)
    machine.sh("rm -rf /opt/filler")
    if active(machine) != "0.1.0" or answer(machine) != "0.1.0":
        machine.run(ADMIN, "activate", "--to", "0.1.0")
    assert answer(machine) == "0.1.0"


def switch(machine: Machine, turn: int, then: str) -> tuple[Result, bool]:
    """Switch to 0.6.0 while `then` happens at a turn; return whether the turn came."""
    machine.sh("echo 0 >/run/turn; rm -f /run/turns")
    with instead_of_systemctl(machine, AT_TURN.format(turn=turn, then=then)):
        said = machine.run(ADMIN, "activate", "--to", "0.6.0", check=False)
    return said, int(machine.read_live("/run/turn")) >= turn


def assert_one_serves(machine: Machine, where: str) -> None:
    """Check that the active release serves, also after a restart, and both releases are whole."""
    served = active(machine)
    assert served in {"0.1.0", "0.6.0"}, where
    assert answer(machine) == served, where
    assert whole(machine, "0.1.0"), where
    assert whole(machine, "0.6.0"), where
    machine.run("systemctl", "restart", NAME, seconds=40)
    assert answer(machine) == active(machine), where


@pytest.mark.parametrize("what", FULL)
def test_a_disk_that_is_full_from_some_step_of_a_switch_on(what: str, served: Machine) -> None:
    outcomes = {}
    for turn in range(1, MOST) if SOAK else SOME[what]:
        said, came = switch(served, turn, FULL[what])
        if not came:
            break
        where = f"{what}, turn {turn}: {said}"
        assert active(served) == ("0.1.0" if said.returncode else "0.6.0"), where
        outcomes[turn] = said.returncode
        assert_one_serves(served, where)  # the disk is still full
        back(served)
    turns = served.read_live("/run/turns").splitlines()
    for turn, code in outcomes.items():
        print(f"{what}, full from '{turns[turn - 1]}' on: exit code {code}")
    assert len(outcomes) >= len(SOME[what])


@pytest.mark.parametrize("what", FULL)
def test_a_failed_switch_is_undone_on_a_full_disk(what: str, served: Machine) -> None:
    order(served, v060="die unless held")  # it fails once it is the service itself
    switch(served, MOST, ":")
    turns = served.read_live("/run/turns").splitlines()
    begins = 1 + next(n for n, turn in enumerate(turns) if turn.startswith(f"restart {NAME}"))
    for turn in (begins, begins + 1):
        said, came = switch(served, turn, FULL[what])
        assert came, turns
        assert "0.1.0 is active and healthy as before" in error(said)
        assert active(served) == "0.1.0"
        assert state(served)["switch"] is None
        assert_one_serves(served, f"{what}, turn {turn}")
        served.sh("rm -rf /opt/filler")


def test_what_is_needed_is_not_pruned_where_the_history_cannot_be_written(served: Machine) -> None:
    # Nothing can be appended to a history that is a folder.
    served.sh(f"cd {BASE}/.engine && mv history kept && mkdir history")
    try:
        said = served.run(ADMIN, "activate", "--to", "0.6.0")
        assert "could not write the history" in said.stdout
        assert {"0.1.0", "0.6.0"} <= set(names(served))
        assert_one_serves(served, said.stdout)
    finally:
        served.sh(f"cd {BASE}/.engine && rmdir history && mv kept history")


class Disk:
    """A file system on a loop device, mounted as /opt, which an error makes read-only."""

    def __init__(self, machine: Machine, folder: Path) -> None:
        self._machine = machine
        self._image = folder / "image"
        self._device = Path()
        with self._image.open("wb") as made:
            made.truncate(400 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-e", "remount-ro", self._image], check=True)

    def mount(self) -> None:
        """Mount it while the machine does not run."""
        attach = ("losetup", "--find", "--show", str(self._image))
        said = subprocess.run(attach, check=True, capture_output=True, text=True).stdout
        self._device = Path(said.strip())
        mount(self._machine, "-o", "errors=remount-ro", self._device)

    def unmount(self) -> None:
        """Unmount it while the machine does not run, as soon as no process uses it any more."""
        subprocess.run(["umount", "--lazy", self._machine.path("/opt")], check=True)
        subprocess.run(["losetup", "--detach", self._device], check=True)

    def fail(self) -> None:
        """Let the kernel find an error in the file system."""
        Path(f"/sys/fs/ext4/{self._device.name}/trigger_fs_error").write_text("test")
        assert "Read-only" in self._machine.sh("touch /opt/x", check=False).stderr

    def mend(self) -> None:
        """Repair the file system as an operator does, and start the machine anew."""
        self._machine.stop()
        self.unmount()
        # On a copy, since the last processes of the machine may still use the image.
        mended = self._image.with_name(f"{self._image.name}.mended")
        subprocess.run(["cp", "--sparse=always", self._image, mended], check=True)
        self._image = mended
        subprocess.run(["fsck.ext4", "-fy", mended], check=False, capture_output=True)
        self.mount()
        self._machine.start()
        eventually(lambda: answer(self._machine) is not None, "it does not serve")


@pytest.fixture(scope="module")
def breakable(new_machine: NewMachine) -> Machine:
    """Return a machine whose /opt is a disk that can break."""
    return new_machine("systemd")


@pytest.fixture(scope="module")
def disk(
    breakable: Machine, releases: Releases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Disk]:
    """Return that disk."""
    breakable.stop()
    made = Disk(breakable, tmp_path_factory.mktemp("disk"))
    made.mount()
    breakable.start()
    install(breakable, releases)
    yield made
    breakable.stop()
    made.unmount()


def test_a_disk_that_breaks_during_a_trial_keeps_nobody_from_starting(
    breakable: Machine, disk: Disk
) -> None:
    breakable.run(ADMIN, "activate", "--to", "0.6.0")
    disk.fail()
    for begin in (("kill", "-s", "KILL"), ("restart",)):
        breakable.run("systemctl", *begin, NAME, seconds=40)
        eventually(lambda: answer(breakable) == active(breakable), f"it does not serve: {begin}")
    shown = breakable.run(ADMIN, "status", check=False)
    assert "0.6.0" in shown.stdout
    disk.mend()
    breakable.run(ADMIN, "activate", "--to", "0.1.0")
    assert answer(breakable) == "0.1.0"
    assert whole(breakable, "0.1.0")
    assert whole(breakable, "0.6.0")


def test_a_disk_that_breaks_during_a_switch_keeps_nobody_from_starting(
    breakable: Machine, disk: Disk
) -> None:
    wait = "case $1 in restart) touch /var/now; until ! touch /opt/x; do :; done ;; esac"
    now = breakable.path("/var/now")
    with instead_of_systemctl(breakable, wait):
        run = breakable.background(ADMIN, "activate", "--to", "0.6.0")
        eventually(now.exists, "it restarts nothing")
        disk.fail()
        _, said = run.communicate(timeout=60)
    now.unlink()
    assert run.returncode == 1
    assert "read-only file system" in said
    assert_one_serves(breakable, said)
    disk.mend()
    assert active(breakable) == answer(breakable) == "0.1.0"

"""A bundle on disks that fill up at every stage of its installation."""

import subprocess
from pathlib import Path

import pytest

from . import bundles
from .bundles import assert_untouched, script, temporary
from .conftest import NewMachine
from .machine import Machine
from .releases import NAME, Releases
from .service import BASE, active, answer, error, put

PARTS = (0.0, 0.002, 0.02, 0.1, 0.3, 0.5, 0.7, 0.85, 0.95, 0.98, 0.99, 0.995)
"""How much of what an upgrade needs is free."""
# Else it would be seen before anything is written that there is not enough.
LIE = """#!/bin/sh
case $* in -f*) echo '9999999 * 4096 / 1024' ;; *) exec /usr/bin/stat "$@" ;; esac
"""


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine, releases: Releases) -> Machine:
    """Return a machine whose /opt is a disk of its own, on which the old release serves."""
    machine = new_machine("systemd")
    machine.stop()  # it sees what is mounted here before it starts
    disk: list[str | Path] = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        "size=1g,mode=0755",
        "tmpfs",
        machine.path("/opt"),
    ]
    subprocess.run(disk, check=True)
    machine.start()
    stat = machine.path("/lie/stat")
    stat.parent.mkdir()
    stat.write_text(LIE)
    stat.chmod(0o755)
    bundles.install(machine, releases["old"])
    return machine


@pytest.fixture
def new(machine: Machine, releases: Releases) -> str:
    """Return the command line that upgrades and looks at no free room before."""
    bundle = bundles.unpack(machine, releases["new"])
    return f"PATH=/lie:$PATH {script(bundle, 'install')}"


def resize(machine: Machine, option: str) -> None:
    """Return the disk another size."""
    command: list[str | Path] = ["mount", "-o", f"remount,{option}", machine.path("/opt")]
    subprocess.run(command, check=True)


def used(machine: Machine, what: str) -> int:
    """Return how many blocks of 4 kB (`b`) or files (`i`) the disk holds."""
    total, free = {"b": ("%b", "%f"), "i": ("%c", "%d")}[what]
    shown = machine.run("stat", "-f", "-c", f"{total} {free}", "/opt").stdout.split()
    return int(shown[0]) - int(shown[1])


def needed(machine: Machine, new: str, what: str) -> tuple[int, int]:
    """Return what the disk holds before an upgrade, and what the upgrade adds; undo it."""
    before = used(machine, what)
    machine.sh(new)
    added = used(machine, what) - before
    machine.run(f"{NAME}-admin", "rollback")
    machine.sh(f"rm -rf {BASE}/releases/0.2.0")
    return before, added


@pytest.mark.parametrize(("what", "option"), [("b", "nr_blocks"), ("i", "nr_inodes")])
def test_a_disk_that_gets_full_in_an_upgrade(
    what: str, option: str, machine: Machine, new: str
) -> None:
    before, added = needed(machine, new, what)
    rooms = [int(added * part) for part in (PARTS if what == "b" else PARTS[::3])]
    refused = 0
    for room in [*rooms, *range(added - 8, added + 200)]:
        resize(machine, f"{option}={before + room}")
        said = machine.sh(new, check=False)
        resize(machine, f"{option}={before + 3 * added}")
        if said.returncode == 0:
            break
        refused += 1
        assert said.returncode == 1, (room, said)
        assert error(said).startswith("error: could not "), room
        assert said.stderr == f"{error(said)}\n"
        assert_untouched(machine, "0.1.0")
        machine.sh(f"rm -rf {BASE}/releases/0.2.0")
    assert refused > len(rooms)
    assert_untouched(machine, "0.2.0")
    machine.run(f"{NAME}-admin", "rollback")
    machine.sh(f"rm -rf {BASE}/releases/0.2.0")
    resize(machine, "size=1g,nr_inodes=1000000")


def test_what_is_too_little_is_seen_before_anything_is_written(
    machine: Machine, releases: Releases
) -> None:
    blocks = used(machine, "b") + 1000
    resize(machine, f"nr_blocks={blocks}")
    said = bundles.install(machine, releases["new"], check=False)
    resize(machine, "size=1g")
    assert said.returncode == 1
    assert f"/opt/{NAME} has 4000 kB free: {BASE} needs " in error(said)
    assert_untouched(machine, "0.1.0")


@pytest.mark.parametrize("megabytes", [0, 1, 16, 40])
def test_no_room_to_unpack(megabytes: int, machine: Machine, releases: Releases) -> None:
    file = put(machine, releases["new"].run)
    machine.sh(f"mkdir -p /mnt/t && mount -t tmpfs -o nr_blocks={megabytes * 256 + 1} t /mnt/t")
    try:
        said = machine.sh(f"TMPDIR=/mnt/t sh {file}", check=False)
        assert said.returncode == 1
        assert error(said).startswith("error: could not unpack to /mnt/t/")
        assert error(said).endswith("set TMPDIR to a folder with more")
        assert list(machine.sh("ls -A /mnt/t").stdout) == []
        assert_untouched(machine, "0.1.0")
        elsewhere = machine.sh(f"TMPDIR=/mnt/t sh {file} --extract /mnt/t/there", check=False)
        assert elsewhere.returncode == 1
        assert error(elsewhere).endswith("choose another folder")
        assert list(machine.sh("ls -A /mnt/t").stdout) == []
    finally:
        machine.run("umount", "/mnt/t")


@pytest.mark.parametrize("megabytes", [0, 5, 40])
def test_no_room_for_the_copy_that_is_run(
    megabytes: int, machine: Machine, releases: Releases
) -> None:
    run = script(bundles.unpack(machine, releases["old"]), "run")
    machine.sh(f"mkdir -p /mnt/t && mount -t tmpfs -o nr_blocks={megabytes * 256 + 1} t /mnt/t")
    try:
        said = machine.sh(f"HOME=/mnt/t {run} version")
        assert said.stdout.startswith(f"{NAME} 0.1.0+")
        assert f"{NAME}: the copy for this run is not kept: " in said.stderr
        assert machine.sh("find /mnt/t -type f").stdout == ""
        assert temporary(machine) == set()
        nowhere = machine.sh(f"HOME=/mnt/t TMPDIR=/mnt/t {run} version", check=False)
        assert nowhere.returncode == 1
        assert error(nowhere).startswith("error: ")
        assert machine.sh("find /mnt/t -type f").stdout == ""
    finally:
        machine.run("umount", "/mnt/t")
    assert active(machine) == answer(machine) == "0.1.0"

"""A bundle on disks that fill up at every stage of its installation."""

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from tests.soak import SOAK

from . import bundles
from .bundles import assert_untouched, check_in, rewrite, script, temporary, twin
from .conftest import NewMachine
from .machine import Machine
from .releases import NAME, Releases
from .service import BASE, active, answer, error, put

STEPS = {"b": 7, "i": 4}
"""How many steps the search for the smallest sufficient room takes; with less a disk gets full."""


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
    bundles.install(machine, releases["old"])
    return machine


@pytest.fixture
def new(machine: Machine, releases: Releases) -> str:
    """Return the command line that upgrades by a bundle which claims to need no room.

    Otherwise the engine would refuse before it writes anything.
    """
    inside, here = twin(machine, bundles.unpack(machine, releases["new"]), "small")
    facts, sums = (here / "Script/release" / name for name in ("host/release.json", "SHA256SUMS"))
    before = facts.read_bytes()
    after = re.sub(rb'"size_kb": \d+', b'"size_kb": 0', before)
    was, now = (hashlib.sha256(content).hexdigest() for content in (before, after))
    rewrite(facts, after)
    rewrite(sums, sums.read_text().replace(was, now).encode())
    check_in(here)
    return script(inside, "install")


def resize(machine: Machine, option: str) -> None:
    """Change the size of the disk."""
    command: list[str | Path] = ["mount", "-o", f"remount,{option}", machine.path("/opt")]
    subprocess.run(command, check=True)


def used(machine: Machine, what: str) -> int:
    """Return how many blocks of 4 kB (`b`) or files (`i`) the disk holds."""
    total, free = {"b": ("%b", "%f"), "i": ("%c", "%d")}[what]
    shown = machine.run("stat", "-f", "-c", f"{total} {free}", "/opt").stdout.split()
    return int(shown[0]) - int(shown[1])


@pytest.mark.parametrize(("what", "option"), [("b", "nr_blocks"), ("i", "nr_inodes")])
def test_a_disk_that_gets_full_in_an_upgrade(
    what: str, option: str, machine: Machine, new: str
) -> None:
    before = used(machine, what)
    machine.sh(new)
    added = used(machine, what) - before
    too_little, enough = 0, 3 * added

    def goes(room: int) -> bool:
        """Upgrade with `room` left; return whether it worked, check that else nothing changed."""
        go_back(machine)
        resize(machine, f"{option}={used(machine, what) + room}")
        said = machine.sh(new, check=False)
        resize(machine, "size=1g,nr_inodes=1000000")
        if said.returncode == 0:
            assert_untouched(machine, "0.2.0")
            return True
        assert said.returncode == 1, (room, said)
        assert error(said).startswith("error: could not "), room
        assert said.stderr == f"{error(said)}\n"
        assert_untouched(machine, "0.1.0")
        return False

    assert goes(enough)
    assert not goes(too_little)
    for _ in range(20 if SOAK else STEPS[what]):
        if enough - too_little > 1:
            room = (too_little + enough) // 2
            went = goes(room)
            too_little, enough = (too_little, room) if went else (room, enough)
    print(f"{added} are added, {enough} are enough")
    if SOAK:
        assert not any(goes(too_little * part // 50) for part in range(1, 50))
    go_back(machine)


def go_back(machine: Machine) -> None:
    """Make the old release serve, and remove the new one."""
    if active(machine) != "0.1.0":
        machine.run(f"{NAME}-admin", "rollback")
    machine.sh(f"rm -rf {BASE}/releases/0.2.0")


def test_what_is_too_little_is_seen_before_anything_is_written(
    machine: Machine, releases: Releases
) -> None:
    before = used(machine, "b")
    resize(machine, f"nr_blocks={before + 1000}")
    said = bundles.install(machine, releases["new"], check=False)
    assert said.returncode == 1
    found = re.search(rf"/opt/{NAME} has 4000 kB free: {BASE} needs (\d+) kB", error(said))
    assert found, said
    assert_untouched(machine, "0.1.0")
    # The room that the message asks for is enough.
    resize(machine, f"nr_blocks={before + int(found[1]) // 4}")
    bundles.install(machine, releases["new"])
    assert_untouched(machine, "0.2.0")
    resize(machine, "size=1g")
    go_back(machine)


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

"""Machines that lose power: another machine boots with what the disk had at some instant.

Everything that a machine writes lies on a journaling file system (an overlay's upper layer). The
image of that lies on a file system that can be frozen. So a copy of the image is what was on the
disk at one instant: taking it writes nothing, and what was only in memory is lost.
"""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.soak import SOAK, dice

from .faults import ADMIN, names
from .machine import Machine, pristine
from .releases import Releases
from .service import BASE, active, answer, unpack, whole

CUTS = 40 if SOAK else 3
"""How many switches lose power, besides those that lose it right after they report success."""
OLD, NEW = "0.1.0", "0.6.0"


def call(*command: str | Path) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@contextmanager
def mounted(image: Path, folder: Path) -> Iterator[None]:
    """Mount the file system in an image."""
    folder.mkdir(exist_ok=True)
    device = call("losetup", "--find", "--show", image)
    try:
        call("mount", "-t", "ext4", device, folder)
        try:
            yield
        finally:
            call("umount", "--lazy", folder)
    finally:
        call("losetup", "--detach", device)  # takes effect when no process uses it any more


@contextmanager
def on_disk(image: Path, folder: Path) -> Iterator[Machine]:
    """Yield a machine, not started, that writes to the file system in an image."""
    made = Machine(folder, booted=True)
    with mounted(image, folder / "disk"):
        for name in ("disk/upper", "disk/work", "root"):
            (folder / name).mkdir(exist_ok=True)
        layers = f"lowerdir={pristine('systemd')},upperdir={folder}/disk/upper"
        call("mount", "-t", "overlay", "-o", f"{layers},workdir={folder}/disk/work", "overlay",
             made.root)  # fmt: skip
        try:
            yield made
        finally:
            made.stop()
            made.remove_cgroups()
            call("umount", "--lazy", made.root)


@dataclass
class Bench:
    """A machine on a disk that can be copied at any instant."""

    folder: Path
    machine: Machine

    def cut(self, name: str) -> Path:
        """Copy what is on the machine's disk at this instant."""
        copy = self.folder / name
        call("fsfreeze", "--freeze", self.folder / "outer")
        try:
            call("cp", "--sparse=always", self.folder / "outer/image", copy)
        finally:
            call("fsfreeze", "--unfreeze", self.folder / "outer")
        return copy


def file_system(image: Path, megabytes: int) -> None:
    """Make an image with an ext4 file system, as an installer of Debian does."""
    with image.open("wb") as made:
        made.truncate(megabytes << 20)
    call("mkfs.ext4", "-q", "-F", image)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, releases: Releases) -> Iterator[Bench]:
    """Return a bench whose machine serves the old release, with the new one at hand."""
    folder = tmp_path_factory.mktemp("power")
    with ExitStack() as stack:
        # In memory: the tests only need what the inner file system has asked the disk to write.
        call("mount", "-t", "tmpfs", "-o", "size=4g", "tmpfs", folder)
        stack.callback(call, "umount", "--lazy", folder)
        file_system(folder / "outer.image", 1000)
        stack.enter_context(mounted(folder / "outer.image", folder / "outer"))
        file_system(folder / "outer/image", 700)
        (folder / "m").mkdir()
        machine = stack.enter_context(on_disk(folder / "outer/image", folder / "m"))
        machine.start()
        machine.run(f"{unpack(machine, releases['old'])}/install")
        unpack(machine, releases["obeys"])
        machine.run("sync")
        yield Bench(folder, machine)


def boots(bench: Bench, image: Path, expected: set[str], where: str) -> str:
    """Boot a machine with a copy as its disk; return the release that it serves."""
    folder = bench.folder / "other"
    folder.mkdir(exist_ok=True)
    with on_disk(image, folder) as other:
        other.start()
        served = answer(other)
        assert served in expected, f"{where}: {served} serves"
        assert active(other) == served, where
        for name in names(other):
            assert whole(other, name), f"{where}: {name}"
        assert OLD in names(other), where
        # The next switch works too.
        beyond = NEW if served == OLD else OLD
        tree = "/srv/0.6.0" if beyond == NEW else "/srv/0.1.0"
        if SOAK:
            other.run(ADMIN, "activate", tree, "--allow-downgrade")
            assert answer(other) == active(other) == beyond, where
    image.unlink()
    return served


def forth(machine: Machine) -> tuple[str, ...]:
    """Return the command that switches to the release that is not active."""
    if active(machine) == OLD:
        return (ADMIN, "activate", "/srv/0.6.0")
    return (ADMIN, "rollback", "--to", OLD)


def test_power_lost_when_success_was_told(bench: Bench) -> None:
    for expected in (NEW, OLD):
        bench.machine.run(*forth(bench.machine))
        image = bench.cut("told")
        assert active(bench.machine) == expected
        boots(bench, image, {expected}, f"right after {expected} was told to be active")


def test_power_lost_at_any_instant_of_a_switch(bench: Bench) -> None:
    chance = dice("power cuts")
    machine = bench.machine
    longest = 3.0
    for number in range(CUTS):
        old = active(machine) or ""
        command = forth(machine)
        if NEW in command[-1] and chance.random() < 0.5:
            machine.run("rm", "-rf", f"{BASE}/releases/{NEW}")
        begun = time.monotonic()
        run = machine.background(*command)
        instant = chance.uniform(0, longest)
        time.sleep(instant)
        told = run.poll() is not None
        image = bench.cut("cut")
        said = run.communicate(timeout=120)
        longest = min(longest, time.monotonic() - begun + 0.5)
        assert run.returncode == 0, said
        new = active(machine) or ""
        where = f"cut {number}, {instant:.3f} s after {' '.join(command)} had begun"
        served = boots(bench, image, {new} if told else {old, new}, where)
        print(f"{where}{', and was done' if told else ''}: {served} serves")

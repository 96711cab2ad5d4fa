"""What is refused with one clear line, before anything has changed."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import NewMachine
from .machine import Machine, Result
from .releases import NAME, Releases
from .service import BASE, error, put, unpack


@pytest.fixture(scope="module")
def machine(new_machine: NewMachine) -> Machine:
    return new_machine("plain")


def traces(machine: Machine) -> set[str]:
    """List everything on a machine that bears our name, but for what the test has put there."""
    named = f"*{NAME}*"
    found = machine.run("find", "/", "-xdev", "-name", named).stdout.split()
    return {path for path in found if not path.startswith(("/proc/", "/root/", "/srv/"))}


def refuse(machine: Machine, *command: str) -> str:
    """Run an installation that must be refused, and return the line that says why."""
    result: Result = machine.run(*command, check=False)
    assert result.returncode == 1, result.stdout
    assert traces(machine) == set()
    assert not machine.path("/opt").exists() or not any(machine.path("/opt").iterdir())
    return error(result)


Ways = dict[str, Callable[[Machine, Releases], tuple[str, ...]]]
WAYS: Ways = {
    "deb": lambda machine, releases: ("dpkg", "--install", put(machine, releases["old"].deb)),
    "archive": lambda machine, releases: (f"{unpack(machine, releases['old'])}/install",),
}


@pytest.mark.parametrize("way", WAYS)
def test_another_architecture(way: str, machine: Machine, releases: Releases) -> None:
    # uname is what says it; dpkg itself refuses a package of another architecture.
    real = machine.path("/usr/bin/uname")
    kept = real.rename(real.with_name("uname.real"))
    real.write_text("#!/bin/sh\necho riscv64\n")
    real.chmod(0o755)
    try:
        line = refuse(machine, *WAYS[way](machine, releases))
    finally:
        kept.rename(real)
    assert line == "error: this machine is riscv64: the program was built for x86_64"


@pytest.mark.parametrize("way", WAYS)
def test_a_full_disk(way: str, machine: Machine, releases: Releases) -> None:
    command = WAYS[way](machine, releases)
    machine.run("mkdir", "-p", "/opt")
    machine.run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", "/opt")
    try:
        line = refuse(machine, *command)
    finally:
        machine.run("umount", "/opt")
    assert re.fullmatch(r"error: /opt has 2048 kB free: /opt/my-service needs \d+ kB", line)


def test_no_root(machine: Machine, releases: Releases) -> None:
    command = WAYS["archive"](machine, releases)
    line = refuse(machine, "setpriv", "--reuid=65534", "--clear-groups", *command)
    assert line == "error: may not enter /root: run it with sudo, or give --prefix"
    elsewhere = ("--prefix", "/srv")
    line = refuse(machine, "setpriv", "--reuid=65534", "--clear-groups", *command, *elsewhere)
    assert line == (
        f"error: installing in /srv/opt/{NAME} needs root: run it with sudo, or give --prefix"
    )


@pytest.mark.parametrize("way", WAYS)
def test_a_glibc_that_is_too_old(way: str, new_machine: NewMachine, releases: Releases) -> None:
    old = new_machine("old")
    command = WAYS[way](old, releases)
    line = refuse(old, *command)
    assert re.fullmatch(
        r"error: this machine has glibc 2\.31: the program needs 2\.\d+ or newer", line
    )


def test_no_glibc(machine: Machine, releases: Releases) -> None:
    folder = unpack(machine, releases["old"])
    machine.path("/no-glibc").mkdir(exist_ok=True)
    for name in ("getconf", "ldd"):
        stub = machine.path(f"/no-glibc/{name}")
        stub.write_text("#!/bin/sh\necho 'musl libc' >&2\nexit 1\n")
        stub.chmod(0o755)
    line = refuse(machine, "sh", "-c", f"PATH=/no-glibc:$PATH {folder}/install")
    assert re.fullmatch(
        r"error: this machine has no glibc: the program needs glibc 2\.\d+ or newer", line
    )


Damage = Callable[[Path], None]


def flip(tree: Path) -> None:
    """Flip one bit of the program."""
    path = tree / "bin" / NAME
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def lose(tree: Path) -> None:
    """Remove a file."""
    (tree / "manifest.json").unlink()


def slip_in(tree: Path) -> None:
    """Add a file that the checksums do not name."""
    (tree / "bin" / "_internal" / "sitecustomize.py").write_text("import os\n")


def forget(tree: Path) -> None:
    """Remove the checksums themselves."""
    (tree / "SHA256SUMS").unlink()


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (flip, f"changed: bin/{NAME}"),
        (lose, "missing: manifest.json"),
        (slip_in, "not listed in SHA256SUMS: bin/_internal/sitecustomize.py"),
        (forget, "SHA256SUMS is missing"),
    ],
)
def test_a_damaged_tree(damage: Damage, says: str, machine: Machine, releases: Releases) -> None:
    good = unpack(machine, releases["old"])
    machine.run("rm", "-rf", "/srv/damaged")
    machine.run("cp", "-R", good, "/srv/damaged")
    damage(machine.path("/srv/damaged"))
    line = refuse(machine, "/srv/damaged/install")
    assert line == f"error: /srv/damaged is not whole, nothing was installed: {says}"


def test_a_damaged_package(machine: Machine, releases: Releases, tmp_path: Path) -> None:
    # dpkg sees a flipped byte in the packed data itself; a wrong file in a sound package does not
    # get past postinst.
    content = bytearray(releases["old"].deb.read_bytes())
    content[len(content) // 2] ^= 1
    flipped = tmp_path / "flipped.deb"
    flipped.write_bytes(content)
    said = machine.run("dpkg", "--install", put(machine, flipped), check=False)
    assert said.returncode == 1
    assert not machine.path(f"{BASE}/current").exists()
    machine.run("dpkg", "--purge", "--force-all", NAME, check=False)

    unpacked = tmp_path / "unpacked"
    subprocess.run(["dpkg-deb", "--raw-extract", releases["old"].deb, unpacked], check=True)
    flip(unpacked / "opt" / NAME / "package")
    rebuilt = tmp_path / "rebuilt.deb"
    subprocess.run(
        ["dpkg-deb", "-Znone", "--build", unpacked, rebuilt], check=True, capture_output=True
    )
    said = machine.run("dpkg", "--install", put(machine, rebuilt), check=False)
    assert said.returncode == 1
    assert f"nothing was installed: changed: bin/{NAME}" in error(said)
    assert not machine.path(f"{BASE}/current").exists()
    machine.run("dpkg", "--purge", NAME)
    assert traces(machine) == set()

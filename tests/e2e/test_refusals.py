"""What is refused with one clear line, before anything has changed."""

import re
import subprocess
from collections.abc import Callable, Iterator
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
    """Return every path on a machine that bears our name, without the test's own files."""
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


def put_archive(machine: Machine, releases: Releases) -> str:
    """Unpack an archive, and return the command that installs it."""
    return f"{unpack(machine, releases['old'])}/install"


def test_another_architecture(machine: Machine, releases: Releases) -> None:
    # For packages, dpkg and rpm check this themselves.
    line = refuse(machine, "setarch", "i686", put_archive(machine, releases))
    assert line == "error: this machine is i686: the program was built for x86_64"


@pytest.fixture
def full_disk(machine: Machine) -> Iterator[None]:
    """Leave 2 MB of room in /opt."""
    machine.run("mkdir", "-p", "/opt")
    machine.run("mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", "/opt")
    yield
    machine.run("umount", "/opt")


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk(machine: Machine, releases: Releases) -> None:
    line = refuse(machine, put_archive(machine, releases))
    assert re.fullmatch(r"error: /opt has 2048 kB free: /opt/my-service needs \d+ kB", line)


@pytest.mark.usefixtures("full_disk")
def test_a_package_on_a_full_disk(machine: Machine, releases: Releases) -> None:
    said = machine.run("dpkg", "--install", put(machine, releases["old"].deb), check=False)
    assert said.returncode == 1
    assert "No space left on device" in said.stderr
    assert traces(machine) == set()


def test_no_root(machine: Machine, releases: Releases) -> None:
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    command = put_archive(machine, releases)
    line = refuse(machine, *nobody, command)
    assert line == "error: may not look at /root/.local: run it with sudo, or give --prefix"
    line = refuse(machine, *nobody, command, "--prefix", "/srv")
    assert line == (
        f"error: installing in /srv/opt/{NAME} needs root: run it with sudo, or give --prefix"
    )


NEEDS = (
    r"error: what is in /srv/0\.1\.0 does not run here: it needs x86_64, glibc 2\.\d+ or newer and "
    r"a folder that programs may run from; this is x86_64, "
)


@pytest.mark.parametrize(("kind", "has"), [("old", r"glibc 2\.31"), ("busybox", "no glibc")])
def test_a_glibc_that_is_too_old_or_missing(
    kind: str, has: str, new_machine: NewMachine, releases: Releases
) -> None:
    machine = new_machine(kind)
    assert re.fullmatch(NEEDS + has, refuse(machine, put_archive(machine, releases)))
    if kind == "old":
        said = machine.run("dpkg", "--install", put(machine, releases["old"].deb), check=False)
        assert said.returncode == 1
        assert "my-service pre-depends on libc6 (>= 2." in said.stderr
        assert traces(machine) == set()


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
        (forget, "missing: SHA256SUMS"),
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
    # dpkg itself finds a flipped byte in the packed data; postinst refuses a wrong file in a sound
    # package.
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

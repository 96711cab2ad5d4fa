"""Bundles on machines: brought there, unpacked, and the scripts in them run."""

import gzip
import io
import shlex
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.deploy.build import publish
from tasks.deploy.build.self_extracting import onefile

from tests.support import PROJECT

from .machine import Machine, Result
from .releases import NAME, Release
from .service import BASE, active, answer, eventually, put, state, whole

START_SECONDS = 60
KEPT = {"back", "history", "lock", "state.json", "state.json.spare", "undoable"}
"""What the engine's folder holds when no switch is under way; a trial may be."""


def unpack(machine: Machine, release: Release, folder: str = "") -> str:
    """Unpack a release's archive unless it is there; return the bundle's path in the machine."""
    folder = folder or f"/srv/bundles/{release.version}"
    bundle = machine.path(f"{folder}/{NAME}")
    if not bundle.exists():
        bundle.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["tar", "-xzf", release.tar, "-C", bundle.parent], check=True)
    return f"{folder}/{NAME}"


def script(bundle: str, name: str, *arguments: str) -> str:
    """Return the command line that runs a script of a bundle."""
    return shlex.join(["sh", f"{bundle}/Script/{name}.sh", *arguments])


def install(machine: Machine, release: Release, *options: str, check: bool = True) -> Result:
    """Install or upgrade with the self-extracting file."""
    return machine.run("sh", put(machine, release.run), *options, check=check)


@contextmanager
def serving(machine: Machine, command: str, version: str, port: int) -> Iterator[None]:
    """Start a service by hand; check that a version answers, and in the end that it stops."""
    pid = f"/run/{port}.pid"
    started = machine.background("sh", "-c", f"echo $$ >{pid}; exec {command} serve --port {port}")

    def answers() -> bool:
        assert started.poll() is None, started.communicate()
        return answer(machine, port, patience=1) == version

    with started:
        try:
            eventually(answers, command, START_SECONDS)
            yield
            machine.sh(f"kill -TERM $(cat {pid})")
            said = started.communicate(timeout=40)
            assert started.returncode == 0, said
        finally:
            machine.sh(f"kill -KILL $(cat {pid})", check=False)


def temporary(machine: Machine) -> set[str]:
    """Return what lies in the folders for temporary files, without the system's own files."""
    found = machine.run("find", "/tmp", "/var/tmp", "-mindepth", "1", "-maxdepth", "1").stdout
    names = {line.rpartition("/")[2] for line in found.splitlines()}
    return {name for name in names if not name.startswith((".", "systemd-private-"))}


def assert_untouched(machine: Machine, version: str, base: str = BASE) -> None:
    """Check that a release serves and is whole, and that a failed run has left nothing."""
    assert active(machine, base) == answer(machine) == version
    assert whole(machine, version, base)
    assert names(machine, base) == {".engine", "current", "releases"}
    assert names(machine, f"{base}/.engine") <= KEPT
    assert state(machine, base)["switch"] is None
    assert temporary(machine) == set()


def names(machine: Machine, folder: str) -> set[str]:
    """Return the names of everything in a folder."""
    return {path.name for path in machine.path(folder).iterdir()}


def twin(machine: Machine, bundle: str, name: str) -> tuple[str, Path]:
    """Copy a bundle, to damage the copy; return its path in the machine, and here.

    The copy's files are hard links: replace them (`rewrite`), do not change them.
    """
    folder = f"/srv/{name}"
    machine.sh(f"rm -rf {folder} && mkdir {folder} && cp -al {bundle} {folder}/{NAME}")
    return f"{folder}/{NAME}", machine.path(f"{folder}/{NAME}")


def rewrite(path: Path, content: bytes) -> None:
    """Replace a file by one with another content."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def flip(path: Path, at: float = 0.5) -> None:
    """Flip one bit of a file, at this part of its length."""
    content = bytearray(path.read_bytes())
    content[int(len(content) * at)] ^= 1
    rewrite(path, bytes(content))


def check_in(bundle: Path) -> None:
    """Write a bundle's checksums anew, for the files that are in it now; keep its signature."""
    sums, signature = (bundle / "Script" / n for n in (publish.CHECKSUMS, publish.SIGNATURE))
    sums.unlink()
    kept = signature.read_bytes() if signature.exists() else None
    signature.unlink(missing_ok=True)
    publish.write_checksums(bundle, sums)
    if kept:
        signature.write_bytes(kept)


def piece(members: list[tarfile.TarInfo], content: bytes) -> bytes:
    """Return a piece of an archive with these members, exactly as they are.

    Every regular file has `content`. Another archive may follow, or the end of one.
    """
    buffer = io.BytesIO()
    archive = tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT)  # noqa: SIM115
    for member in members:
        member.size = len(content) if member.isreg() else 0
        archive.addfile(member, io.BytesIO(content))
    # Not closed: that would write the end of the archive.
    return gzip.compress(buffer.getvalue())


def single(payload: bytes) -> bytes:
    """Return the self-extracting file with another archive in it."""
    head = (PROJECT / "deploy/offline-source/head.sh").read_text(encoding="utf-8")
    return onefile(head, {"name": NAME}, payload)

"""Bundles on machines: brought there, unpacked, and the scripts in them run."""

import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from .machine import Machine, Result
from .releases import NAME, Release
from .service import answer, eventually, put

START_SECONDS = 60


def unpack(machine: Machine, release: Release, folder: str = "") -> str:
    """Unpack a release's archive unless it is there, and give the bundle's path in the machine."""
    folder = folder or f"/srv/bundles/{release.version}"
    bundle = machine.path(f"{folder}/{NAME}")
    if not bundle.exists():
        bundle.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["tar", "-xzf", release.tar, "-C", bundle.parent], check=True)
    return f"{folder}/{NAME}"


def script(bundle: str, name: str, *arguments: str) -> str:
    """Give the command line that runs a script of a bundle."""
    return shlex.join(["sh", f"{bundle}/Script/{name}.sh", *arguments])


def install(machine: Machine, release: Release, *options: str, check: bool = True) -> Result:
    """Install or upgrade by the file that unpacks itself."""
    return machine.run("sh", put(machine, release.run), *options, check=check)


@contextmanager
def serving(machine: Machine, command: str, version: str, port: int) -> Iterator[None]:
    """Start a service by hand and see that a version answers; stop it, and see that it obeys."""
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
    """List what lies in the folders for temporary files, but for the system's own."""
    found = machine.run("find", "/tmp", "/var/tmp", "-mindepth", "1", "-maxdepth", "1").stdout
    names = {line.rpartition("/")[2] for line in found.splitlines()}
    return {name for name in names if not name.startswith((".", "systemd-private-"))}

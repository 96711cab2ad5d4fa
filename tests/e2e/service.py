"""What tests ask an installed service, and do to it on its machine."""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypedDict

from .machine import Machine, Result
from .releases import NAME, Release

PORT = 8000
LOAD = Path(__file__).with_name("load.py")
BASE = f"/opt/{NAME}"


def install(machine: Machine, release: Release, *, check: bool = True) -> Result:
    """Install or upgrade by dpkg."""
    package = put(machine, release.deb)
    return machine.run("dpkg", "--install", package, check=check)


def ensure(machine: Machine, release: Release) -> None:
    """Make sure that a release serves, whatever served before."""
    if active(machine) != release.version or answer(machine) != release.version:
        install(machine, release)
    assert answer(machine) == release.version


def put(machine: Machine, path: Path) -> str:
    """Copy a file into the machine unless it is there."""
    inside = f"/root/{path.name}"
    return inside if machine.path(inside).exists() else machine.put(path)


def unpack(machine: Machine, release: Release) -> str:
    """Unpack the archive of a release and return its folder in the machine."""
    folder = f"/srv/{release.version}"
    if not machine.path(folder).exists():
        inside = put(machine, release.archive)
        machine.sh(f"mkdir {folder} && tar -xzf {inside} -C {folder} --strip-components=1")
    return folder


def active(machine: Machine, base: str = BASE) -> str | None:
    """Return the version that `current` names."""
    current = machine.path(f"{base}/current")
    return Path(current.readlink()).name if current.is_symlink() else None


def answer(machine: Machine, port: int = PORT, patience: float = 20) -> str | None:
    """Return the version that answers at /readyz, asked from here; None if it is not ready."""
    script = (
        "import json, sys, urllib.request as r\n"
        "opener = r.build_opener(r.ProxyHandler({}))\n"
        f"with opener.open('http://127.0.0.1:{port}/readyz', timeout={patience}) as answer:\n"
        "    print(json.load(answer)['version'])\n"
    )
    asked = machine.beside(sys.executable, "-c", script)
    said, _ = asked.communicate(timeout=patience + 10)
    return said.strip() or None


def eventually(happened: Callable[[], bool], what: str, seconds: float = 20) -> None:
    """Wait until something has happened."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, what
        time.sleep(0.1)


def whole(machine: Machine, version: str, base: str = BASE) -> bool:
    """Return whether every file of an installed release is as it should be."""
    script = f"cd '{base}/releases/{version}' && sha256sum -c SHA256SUMS >/dev/null"
    return machine.sh(script, check=False).returncode == 0


def history(machine: Machine, base: str = BASE) -> list[list[str]]:
    """Return the history: for each event its time, what happened, the release, and why."""
    events = [json.loads(line) for line in machine.read(f"{base}/.engine/history").splitlines()]
    return [[event.get(key, "") for key in ("time", "event", "release", "why")] for event in events]


def state(machine: Machine, base: str = BASE) -> dict[str, Any]:
    """Return the engine's state."""
    found: dict[str, Any] = json.loads(machine.read(f"{base}/.engine/state.json"))
    return found


def end_trial(machine: Machine, base: str = BASE) -> None:
    """End a release's trial at once, as when its time is over."""
    kept = machine.path(f"{base}/.engine/state.json")
    kept.write_text(json.dumps(state(machine, base) | {"trial": None}), encoding="utf-8")


def crash(machine: Machine) -> None:
    """Kill the service's process, as in a crash."""
    machine.run("systemctl", "kill", "--kill-who=main", "--signal=KILL", NAME)


def status(machine: Machine, admin: str = f"{NAME}-admin") -> dict[str, Any]:
    """Return the engine's status of the service."""
    found: dict[str, Any] = json.loads(machine.run(admin, "status", "--json", check=False).stdout)
    return found


def main_pid(machine: Machine, unit: str = NAME) -> str:
    """Return the number of the process that a service runs as; 0 where there is none."""
    return machine.run("systemctl", "show", "-p", "MainPID", "--value", unit).stdout.strip()


def error(result: Result) -> str:
    """Return the one line that says what went wrong; there must be exactly one."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, result.stderr
    return lines[0]


class Seen(TypedDict):
    """What load.py prints."""

    requests: int
    failed: int
    failures: list[str]
    releases: dict[str, int]
    longest: float


class Load:
    """Callers that ask the service again and again while a test does something."""

    def __init__(
        self, machine: Machine, mode: str, workers: int = 4, seconds: int = 120, pause: float = 0.02
    ) -> None:
        numbers = map(str, (workers, seconds, pause))
        self._process = machine.beside(sys.executable, LOAD, f"127.0.0.1:{PORT}", *numbers, mode)
        time.sleep(0.5)

    def end(self) -> Seen:
        """Stop asking and return what was seen."""
        time.sleep(0.5)
        said, wrong = self._process.communicate(timeout=60)
        assert not wrong, wrong
        seen: Seen = json.loads(said)
        return seen


class Listener:
    """Another program that listens on a port of the machine."""

    def __init__(self, machine: Machine, port: int) -> None:
        script = (
            "import socket, sys\n"
            f"sock = socket.create_server(('127.0.0.1', {port}))\n"
            "print('listening', flush=True)\n"
            "sys.stdin.read()\n"
        )
        self._process: subprocess.Popen[str] = machine.beside(sys.executable, "-c", script)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "listening\n"

    def end(self) -> None:
        """Free the port."""
        self._process.communicate(timeout=10)

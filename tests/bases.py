"""Bases of builds, which the tests' projects pass on: it takes half a minute to fill one.

The engine finds a base by a key that covers all that decides its bytes, so a test that needs
only some build may use what another test's build has filled.
"""

import fcntl
import subprocess
from pathlib import Path


class Bases:
    """A store of bases that parallel test processes share."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._projects: list[Path] = []

    def lend(self, project: Path) -> None:
        """Give a project all bases that there are; what it fills is passed on later."""
        self._store.mkdir(exist_ok=True)
        with (self._store / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for earlier in self._projects:
                self._take(earlier)
            for base in self._store.glob("*/base-*"):
                _copy(base, project / "build" / base.relative_to(self._store))
        self._projects.append(project)

    def _take(self, project: Path) -> None:
        for base in project.glob("build/*/base-*"):
            kept = self._store / base.relative_to(project / "build")
            if "." not in base.name and not kept.exists():  # one with a dot is not whole
                unfinished = kept.with_name(f".{kept.name}")
                _copy(base, unfinished)
                unfinished.rename(kept)


def _copy(folder: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", folder, target], check=True)

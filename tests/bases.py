"""Bases of builds, which the tests' projects pass on: it takes half a minute to fill one.

The engine finds a base by a key that covers all that decides its bytes, so a test that needs
only some build may use what another test's build has filled, now or in an earlier run. The tests
`test_a_quick_build_gives_the_bytes_of_a_full_one_elsewhere` fill one each time, and compare what
is built on it with what is built on a base that was kept.
"""

import fcntl
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tasks.deploy.build import bases

_KEPT = 12
"""How many bases of a quadrant stay when they are older than any run takes."""
_LONGEST_RUN = 4 * 3600


class Bases:
    """A store of bases that test processes and their successors share."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._projects: list[Path] = []

    def lend(self, project: Path) -> None:
        """Give a project all bases that there are, as links; what it fills is passed on by `take`.

        The engine never changes a base that is current. The project must stay where it is.
        """
        with self._exclusive():
            self._prune()
            for base in filter(bases.is_current, self._store.glob("*/base-*")):
                _lent(base).touch()
                link = project / "build" / base.relative_to(self._store)
                link.parent.mkdir(parents=True, exist_ok=True)
                if not link.is_symlink() and not link.exists():
                    link.symlink_to(base)
        if project not in self._projects:
            self._projects.append(project)

    def take(self) -> None:
        """Keep the bases that projects have filled."""
        new = [base for project in self._projects for base in self._filled(project)]
        if new:
            with self._exclusive():
                for base in new:
                    self._keep(base)

    def _filled(self, project: Path) -> Iterator[Path]:
        for base in project.glob("build/*/base-*"):
            whole = "." not in base.name  # the engine gives a base its name when it is whole
            if whole and not base.is_symlink() and not self._kept(base).exists():
                yield base

    def _kept(self, base: Path) -> Path:
        return self._store / base.parent.name / base.name

    def _keep(self, base: Path) -> None:
        kept = self._kept(base)
        unfinished = kept.with_name(f".{kept.name}")
        shutil.rmtree(unfinished, ignore_errors=True)  # left by a run that was killed
        kept.parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-a", base, unfinished], check=True)
        if not kept.exists():
            unfinished.rename(kept)

    def _prune(self) -> None:
        """Remove bases that this machine's libraries have outdated, and the longest unused ones.

        Those that were lent stay for as long as a run may take: others may run beside this one.
        """
        for quadrant in self._store.glob("*/"):
            found = sorted(quadrant.glob("base-*"), key=lambda base: -base.stat().st_mtime)
            for place, base in enumerate(found):
                lent = _lent(base).exists() and _age(_lent(base)) < _LONGEST_RUN
                unused = _age(base) > _LONGEST_RUN and place >= _KEPT
                if not lent and (unused or not bases.is_current(base)):
                    shutil.rmtree(base)
                    _lent(base).unlink(missing_ok=True)

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        self._store.mkdir(parents=True, exist_ok=True)
        with (self._store / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _lent(base: Path) -> Path:
    """Return the file that is touched when a base is lent."""
    return base.with_name(f".{base.name}.lent")


def _age(path: Path) -> float:
    """Return the seconds since a file or folder was touched."""
    return time.time() - path.stat().st_mtime

"""Metrics that several workers add up, in files of one folder. Standard library only."""

import os
import shutil
import tempfile
from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
"""Where prometheus_client, once it is imported, finds the folder."""


class Folder:
    """The folder, which the parent makes and removes; as long as it exists, counts only grow."""

    def __init__(self) -> None:
        place = os.environ.get("RUNTIME_DIRECTORY", "").partition(":")[0] or None
        self._path = Path(tempfile.mkdtemp(prefix="metrics-", dir=place))
        os.environ[VARIABLE] = str(self._path)

    def forget(self, pid: int) -> None:
        """Remove what only counts while the process `pid` lives."""
        for path in self._path.glob(f"gauge_live*_{pid}.db"):
            path.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove the folder."""
        del os.environ[VARIABLE]
        shutil.rmtree(self._path, ignore_errors=True)


def folder() -> Path | None:
    """Return the folder if this process is one of several workers."""
    found = os.environ.get(VARIABLE)
    return Path(found) if found else None


def pids(where: Path) -> list[int]:
    """Return the process ids of the workers that live, each of which has an open gauge."""
    return sorted(int(path.stem.rpartition("_")[2]) for path in where.glob("gauge_livesum_*.db"))

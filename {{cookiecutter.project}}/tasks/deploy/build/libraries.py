"""Notices when files of this machine that went into a base have been replaced."""

from collections.abc import Iterable, Mapping
from pathlib import Path


def seen(paths: Iterable[Path]) -> dict[str, list[int]]:
    """Return each file's size and date, which change when it is replaced, by its path."""
    return {str(path): _fingerprint(path) for path in paths}


def unchanged(files: Mapping[str, list[int]]) -> bool:
    """Return whether the files are still those that were `seen`."""
    return all(_fingerprint(Path(path)) == was for path, was in files.items())


def _fingerprint(path: Path) -> list[int]:
    try:
        status = path.stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]

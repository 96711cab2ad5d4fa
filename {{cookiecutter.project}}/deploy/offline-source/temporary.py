"""Make the temporary folders of a bundle's scripts, NAME.PID.*, and remove those of killed runs."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path


def make(name: str) -> Path:
    """Make a folder; raise `OSError` if that fails."""
    return Path(tempfile.mkdtemp(prefix=f"{name}.{os.getpid()}.", dir=_place()))


def sweep(name: str) -> None:
    """Remove this user's folders whose process is gone."""
    for folder in _place().glob(f"{name}.[0-9]*.*"):
        if not lives(folder.name.split(".")[1]) and _is_ours(folder):
            remove(folder)


def remove(folder: Path) -> None:
    """Remove a folder with its content; ignore errors."""
    shutil.rmtree(folder, ignore_errors=True)


def end_cleanly() -> None:
    """Make SIGHUP, SIGINT and SIGTERM exit with code 1, after the cleanup."""
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        if not is_ignored(number):
            signal.signal(number, lambda _, __: sys.exit(1))


def is_ignored(number: int) -> bool:
    """Return whether the caller wants a signal to be ignored, as nohup(1) does."""
    return signal.getsignal(number) == signal.SIG_IGN


def _place() -> Path:
    # mkdtemp() uses a name there that nobody else can take.
    return Path(os.environ.get("TMPDIR") or "/tmp")  # noqa: S108  # nosec B108


def _is_ours(folder: Path) -> bool:
    return not folder.is_symlink() and folder.is_dir() and folder.stat().st_uid == os.geteuid()


def lives(process: str) -> bool:
    """Return whether a process exists; assume so for anything that is not a number."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        pass
    return True

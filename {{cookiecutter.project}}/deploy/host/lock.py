"""Allow one run at a time. Only the owner can open the lock, and it ends with its process."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .errors import HostError, Misuse, one_line
from .place import user_name

PATIENCE = "DEPLOY_LOCK_SECONDS"
_MOST, _DIGITS = 600, 3
_PAUSE = 0.1


class Busy(HostError):  # noqa: N818 (it says what it is)
    """Another run holds the lock."""


def patience() -> int:
    """Return how many seconds to wait for another run, from DEPLOY_LOCK_SECONDS if it is set.

    Raises Misuse if its value is not a whole number in range.
    """
    given = os.environ.get(PATIENCE, "60")
    if not (given.isascii() and given.isdigit() and len(given) <= _DIGITS and int(given) <= _MOST):
        raise Misuse(f"{PATIENCE} is '{given}': expected a whole number from 0 to {_MOST}")
    return int(given)


@contextmanager
def held(file: Path, seconds: float) -> Iterator[int]:
    """Hold the lock and yield its descriptor; wait up to `seconds` for another holder.

    Raises Busy, with a message that names the holder and the time.
    """
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "r+b") as opened:
        until = time.monotonic() + seconds
        while not _taken(opened):
            if time.monotonic() >= until:
                opened.seek(0)
                holder = one_line(opened.read(200).decode(errors="replace"))
                raise Busy(
                    f"another run is at work, {holder}: wait for it or end it, then try again"
                )
            time.sleep(_PAUSE)
        _sign(opened)
        yield descriptor


def _taken(opened: BinaryIO) -> bool:
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sign(opened: BinaryIO) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    with suppress(OSError):  # a full disk: the holder's name is only for the message
        os.ftruncate(opened.fileno(), 0)
        os.pwrite(opened.fileno(), f"process {os.getpid()} of {by_whom()} since {now}".encode(), 0)


def by_whom() -> str:
    """Return who runs this: the value of DEPLOY_BY, else the user's name on this machine."""
    if said := one_line(os.environ.get("DEPLOY_BY", ""), 60):
        return said
    user = os.environ.get("SUDO_USER") or user_name(os.geteuid())
    origin = os.environ.get("SSH_CLIENT") or os.environ.get("SSH_CONNECTION") or ""
    return one_line(f"{user} from {origin.split()[0]}" if origin else user, 60)

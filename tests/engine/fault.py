"""What can go wrong at a call, and how a process ends without its own code running any more."""

import errno
import os
from dataclasses import dataclass

KILL, CUT, ERROR, LATE, FULL, READONLY, BLIND = (
    "kill", "cut", "error", "late", "full", "readonly", "blind",
)  # fmt: skip
"""In this order: the process or the machine ends before a call; the call fails; it fails though it
was done; from this call on the disk is full, or is read-only; one question gets no answer."""
KINDS = (KILL, CUT, ERROR, LATE, FULL, READONLY, BLIND)


class Killed(BaseException):
    """The process is gone, between two of its calls."""


class PowerCut(BaseException):
    """The machine is off."""


class Parked(BaseException):
    """The process waits for the lock."""


@dataclass
class Fault:
    """One thing to go wrong."""

    kind: str = ""
    at: int = 0
    """The number of the call, from 1; for a BLIND fault, the number of the question."""


def os_error(number: int, path: object = "/opt/demo") -> OSError:
    return OSError(number, os.strerror(number), str(path))


def broken() -> OSError:
    return os_error(errno.EIO)

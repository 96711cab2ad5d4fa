"""What can go wrong at a call, and the ends of a process that no code of its own sees."""

import errno
import os
from dataclasses import dataclass

KILL, CUT, ERROR, LATE, FULL, READONLY, BLIND = (
    "kill", "cut", "error", "late", "full", "readonly", "blind",
)  # fmt: skip
"""Before a call the process or the machine ends; or the call fails, or fails though it was done; or
from here on the disk is full, or cannot be written; or one question gets no answer."""
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
    """At which call, counted from one; a BLIND fault counts the questions instead."""


def os_error(number: int, path: object = "/opt/demo") -> OSError:
    return OSError(number, os.strerror(number), str(path))


def broken() -> OSError:
    return os_error(errno.EIO)

"""The history of switches, one JSON object a line. It is for people; no decision depends on it."""

import json
import time
from pathlib import Path

from .disk import Disk
from .errors import one_line
from .lock import by_whom

Event = dict[str, str]
ACTIVE, FAILED, RETURNED = "active", "failed", "returned"


def now() -> str:
    """Return the time of day in UTC, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class History:
    """The history on disk."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._file = folder / "history"
        self._disk = disk

    def add(self, event: str, release: str, why: str = "") -> bool:
        """Add a line; return whether that succeeded, because a full disk must not stop a switch."""
        entry = {"time": now(), "event": event, "release": release, "by": by_whom()}
        if why:
            entry["why"] = one_line(why)
        try:
            self._disk.append(self._file, json.dumps(entry).encode() + b"\n")
        except OSError:
            return False
        return True

    def events(self) -> list[Event]:
        """Return the readable events, the oldest first."""
        text = (self._disk.read(self._file) or b"").decode(errors="replace")
        return [event for line in text.splitlines() if (event := _event(line))]


def _event(line: str) -> Event | None:
    try:
        given = json.loads(line)
        return {str(key): str(value) for key, value in given.items()}
    except (ValueError, AttributeError):  # torn by a power cut
        return None

"""The engine's state: one small file, replaced atomically and synced before a result is reported.

`current` tells which release runs. The state adds whether a switch is under way, which release is
on trial, and where a rollback would go.
"""

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from .disk import Disk

FILE = "state.json"
_SIZE = 16384
"""Reserved bytes: enough for three lists of all installed releases, and a reason."""
_FORMAT = 1

Settings = dict[str, bool]
"""The settings files that a switch replaces, and whether each was there before."""


@dataclass(frozen=True)
class Change:
    """A switch that is under way or on trial: its new release, and what undoing it restores."""

    old: str
    """The release to go back to; empty on a first installation."""
    new: str
    before: tuple[str, ...] = ()
    """What `State.before` was with the old release."""
    settings: Settings = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The new release, as messages name it."""
        return f"{self.new} with the new settings" if self.old == self.new else self.new


@dataclass(frozen=True)
class Trial:
    """The time after a switch in which a failure leads to a rollback."""

    change: Change
    boot: str
    """The kernel's id of the boot that `ends` belongs to."""
    ends: float
    """Seconds since that boot."""


@dataclass(frozen=True)
class State:
    """Everything that the engine decides by, apart from `current`."""

    before: tuple[str, ...] = ()
    """The releases that rollbacks go to, the next one first."""
    recent: tuple[str, ...] = ()
    """The releases that were active, the latest first."""
    since: str = ""
    """When the active release became so."""
    switch: Change | None = None
    trial: Trial | None = None
    said: str = ""
    """The last event that happened unattended, for `status` to show."""
    restarts: int = 0
    """How often systemd had restarted the service when the active release became so."""

    def went_to(self, release: str, before: tuple[str, ...], since: str) -> "State":
        """Return the state in which `release` has become the active one."""
        recent = (release, *(each for each in self.recent if each != release))
        return replace(self, before=before, recent=recent, since=since, switch=None)


class States:
    """The state on disk."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._file = folder / FILE
        self._disk = disk

    def load(self) -> State:
        """Return the state; an empty one if there is none or it is not valid."""
        try:
            return _state(json.loads(self._disk.read(self._file) or b"{}"))
        except (ValueError, TypeError, KeyError, AttributeError):
            return State()

    def save(self, state: State) -> None:
        """Write the state; it is durable when this returns. Raises OSError."""
        content = json.dumps({"format": _FORMAT, **asdict(state)}, indent=1).encode()
        self._disk.write(self._file, content + b"\n", 0o600)

    def reserve(self) -> None:
        """Make sure that the next `save` succeeds on a full disk. Raises OSError."""
        self._disk.reserve(self._file, _SIZE)


def _state(given: dict[str, Any]) -> State:
    trial = given.get("trial")
    return State(
        before=tuple(given.get("before", ())),
        recent=tuple(given.get("recent", ())),
        since=str(given.get("since", "")),
        switch=_change(given.get("switch")),
        trial=Trial(_require(_change(trial["change"])), trial["boot"], trial["ends"])
        if trial
        else None,
        said=str(given.get("said", "")),
        restarts=int(given.get("restarts", 0)),
    )


def _change(given: dict[str, Any] | None) -> Change | None:
    if given is None:
        return None
    settings = dict(given["settings"])
    return Change(given["old"], given["new"], tuple(given["before"]), settings)


def _require(change: Change | None) -> Change:
    if change is None:
        raise ValueError("a trial of nothing")
    return change

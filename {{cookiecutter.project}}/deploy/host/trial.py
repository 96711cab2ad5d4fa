"""The time after a switch: what systemd calls to have an interrupted or failed one undone."""

from contextlib import suppress
from dataclasses import dataclass

from .installation import Installation
from .lock import Busy, held
from .state import Trial
from .switch import is_in_service, on_trial, recover, return_from_trial
from .systemd import SystemdError

LOCK = "lock"
_PAUSE = 1.0
_FAILURES = 3
"""So many health checks in a row must fail before a release is given up."""
_BETWEEN = {"activating", "deactivating", "inactive"}
_FOREVER = 10.0**9


def guard(this: Installation) -> None:
    """Undo what must not run before the service starts; called by systemd before every start.

    Where another run holds the lock, that one started the service and knows what it does.
    """
    try:
        with suppress(Busy), held(this.place.engine / LOCK, 0):
            recover(this, starting=True)
    finally:
        # Also where that failed: the watch tries it again.
        state = this.states.load()
        if state.switch or state.trial:
            with suppress(SystemdError):
                this.systemd.start(this.units.trial, wait=False)


def watch(this: Installation) -> None:
    """Watch the release on trial until its time is over, and go back where it fails.

    Begun before the switch, it waits for the lock, whose holder makes the switch or is killed.
    """
    seen = look(this, Seen())
    while seen:
        this.clock.sleep(_PAUSE)
        seen = look(this, seen)


@dataclass(frozen=True)
class Seen:
    """What the watch knows."""

    trial: Trial | None = None
    failures: int = 0
    """How many checks in that trial have failed in a row."""


def look(this: Installation, seen: Seen) -> Seen | None:
    """Look once at the release on trial; return None when there is nothing to watch any more."""
    trial = on_trial(this)
    failures = seen.failures if trial == seen.trial else 0
    if trial and failures < _FAILURES:
        if not _is_well(this, trial.change.new):
            return Seen(trial, failures + 1)
        if this.clock.seconds() < trial.ends:
            return Seen(trial)
    # Only now: a guard that finds the lock taken would let a release that has crashed start again.
    with held(this.place.engine / LOCK, _FOREVER):
        if trial and failures >= _FAILURES and trial == on_trial(this):
            return_from_trial(this, "it stopped being ready")
            return None
        recover(this)
        trial = on_trial(this)
        return Seen(trial) if trial else None


def _is_well(this: Installation, release: str) -> bool:
    # While it is being started again the guard decides; what does not run, somebody has stopped.
    if this.systemd.property(this.units.service, "ActiveState") in _BETWEEN:
        return True
    return is_in_service(this, release)

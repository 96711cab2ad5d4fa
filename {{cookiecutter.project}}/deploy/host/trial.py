"""The guard and the watch, which systemd runs to undo an interrupted or failed switch."""

from contextlib import suppress
from dataclasses import dataclass

from .installation import Installation
from .lock import Busy, held
from .state import Trial
from .switch import is_in_service, on_trial, recover, return_from_trial
from .systemd import SystemdError

LOCK = "lock"
_CALM = 5.0
"""Seconds between two health checks, each of which starts the program and costs processor time."""
_PAUSE = 1.0
"""Seconds until the next check after one that has failed."""
_FAILURES = 3
"""How many health checks in a row must fail before the switch to a release is undone."""
_BETWEEN = {"activating", "deactivating", "inactive"}
_FOREVER = 10.0**9


def guard(this: Installation) -> None:
    """Undo an interrupted switch or a failed trial; systemd calls this before every start.

    If another run holds the lock, that run started the service, and nothing is undone.
    """
    try:
        with suppress(Busy), held(this.place.engine / LOCK, 0):
            recover(this, starting=True)
    finally:
        # Start the watch even if that failed: it tries again.
        state = this.states.load()
        if state.switch or state.trial:
            with suppress(SystemdError):
                this.systemd.start(this.units.trial, wait=False)


@dataclass(frozen=True)
class Seen:
    """What the watch has seen so far."""

    trial: Trial | None = None
    failures: int = 0
    """How many checks in that trial have failed in a row."""


def watch(this: Installation) -> None:
    """Watch the release on trial until its time is over, and go back if it fails.

    Started before the switch, this waits for the lock until the run that switches ends.
    """
    seen = look(this, Seen())
    while seen:
        this.clock.sleep(_pause(this, seen))
        seen = look(this, seen)


def _pause(this: Installation, seen: Seen) -> float:
    if seen.failures or not seen.trial:
        return _PAUSE
    return max(min(_CALM, seen.trial.ends - this.clock.seconds()), 0.0)


def look(this: Installation, seen: Seen) -> Seen | None:
    """Check the release on trial once; return None if there is nothing left to watch."""
    trial = on_trial(this)
    failures = seen.failures if trial == seen.trial else 0
    if trial and failures < _FAILURES:
        if not _is_well(this, trial.change.new):
            return Seen(trial, failures + 1)
        if this.clock.seconds() < trial.ends:
            return Seen(trial)
    # Take the lock only now: a guard that finds it held would let a crashed release start again.
    with held(this.place.engine / LOCK, _FOREVER):
        if trial and failures >= _FAILURES and trial == on_trial(this):
            return_from_trial(this, "it stopped being ready")
            return None
        recover(this)
        trial = on_trial(this)
        return Seen(trial) if trial else None


def _is_well(this: Installation, release: str) -> bool:
    # The guard decides about restarts, and an inactive service was stopped on purpose.
    if this.systemd.property(this.units.service, "ActiveState") in _BETWEEN:
        return True
    return is_in_service(this, release)

"""The time after a switch: what systemd calls to have an interrupted or failed one undone."""

from .errors import HostError
from .installation import Installation
from .lock import held
from .switch import end_trial, is_in_service, recover, return_from_trial

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
        with held(this.place.engine / LOCK, 0):
            recover(this, starting=True)
            trial = this.states.load().trial
    except HostError:
        return
    if trial:
        this.systemd.start(this.units.trial, wait=False)


def watch(this: Installation) -> None:
    """Watch the release on trial until its time is over, and go back where it fails.

    Begun before the switch, it waits for the lock, whose holder makes the switch or is killed.
    """
    failures = 0
    while (counted := look(this, failures)) is not None:
        failures = counted
        this.clock.sleep(_PAUSE)


def look(this: Installation, failures: int) -> int | None:
    """Look once at the release on trial, after so many failed checks in a row.

    Return how many there are now; None when there is nothing to watch any more.
    """
    with held(this.place.engine / LOCK, _FOREVER):
        state = this.states.load()
        if state.switch:
            recover(this)
            return None
        if not state.trial:
            return None
        over = this.clock.seconds() >= state.trial.ends
        if over or state.trial.boot != this.clock.boot():
            end_trial(this)
            return None
        if failures >= _FAILURES:
            return_from_trial(this, "it stopped being ready")
            return None
    return 0 if _is_well(this, state.trial.change.new) else failures + 1


def _is_well(this: Installation, release: str) -> bool:
    # While it is being started again the guard decides; what does not run, somebody has stopped.
    if this.systemd.property(this.units.service, "ActiveState") in _BETWEEN:
        return True
    return is_in_service(this, release)

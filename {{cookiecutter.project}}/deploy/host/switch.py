"""Switch to a release, and undo a switch. Read this module from top to bottom.

    prepare     the hook of the new release, if it has one, prepares the data for it
    prove       NEXT runs the new release beside the old one; it must get ready with the right id
    share       NEXT accepts callers, from the same listening socket as the old one; a worker works
    remember    record in the state that a switch is under way, and what undoing it needs
    take over   replace settings, `current` and units; restart the service as the new release
    commit      record the success in the state; only then report it and begin the trial

NEXT is a temporary unit. Until `remember` nothing has changed: a failed or killed run leaves at
most NEXT running, and the watch, which is started first, stops it. From `remember` to `commit` the
state tells the next actor to undo the switch: another run, that watch, or the guard that runs
before every start of the service. After `commit` a failed trial is undone in the same way. NEXT
serves during a switch and while it is undone, so callers notice neither.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from . import retention
from .errors import HostError
from .history import ACTIVE, FAILED, RETURNED, now
from .installation import Installation
from .release import Release
from .state import Change, State, Trial
from .systemd import SystemdError

BACK = "back"
"""A link to the old release in the engine's folder. One rename makes it `current`, which works even
on a full disk."""
UNDOABLE = "undoable"
"""A file in the engine's folder while a switch or a trial may have to be undone. Without it, the
service starts without the guard."""
_AT_WORK = {"accepting", "working"}
"""What a service or a worker says of itself once it does its work."""
_MARGIN = 10.0
"""How much longer than its own limit a unit is waited for, in seconds."""
_ACCEPT_SECONDS = 10.0
_ENDED = {"failed", "inactive"}
_STOP_SECONDS = 180.0
"""More than a service may take to stop (TimeoutStopSec)."""
_TRIAL_SECONDS = 60
_PAUSE = 0.05


class SwitchError(HostError):
    """The switch failed; the message says what is active now, and why."""


@dataclass(frozen=True)
class Goal:
    """The release and the settings that a switch leads to."""

    release: str
    before: tuple[str, ...] | None = None
    """The releases that rollbacks go to from there; None if the old release comes first."""
    settings: Mapping[str, bytes] = field(default_factory=dict)
    """The settings files to replace."""


def switch(this: Installation, goal: Goal) -> None:
    """Make a release the active one. The caller holds the lock and has called `recover`.

    Raises SwitchError if the switch failed, and HostError if nothing was tried.
    """
    old, files = this.active, this.settings.other_than_now(goal.settings)
    _require_runs(this, goal.release)
    if old == goal.release and not files:
        _again(this, old)
        return
    change = _prepare(this, goal.release, files)
    try:
        _prove(this, change)
        _remember(this, change)
    except (HostError, OSError) as error:
        _leave(this, change, _why(this, error))
    try:
        _take_over(this, change)
        state = _commit(this, change, goal)
    except (HostError, OSError) as error:
        _give_up(this, change, _why(this, error))
    _settle(this, state)


def recover(this: Installation, *, starting: bool = False) -> None:
    """Undo an interrupted switch; undo, end or renew a trial as its time and state require.

    `starting` means that the service is about to start, and that this start completes the undoing.
    The caller holds the lock. Raises OSError if the disk cannot be written.
    """
    state = this.states.load()
    if state.switch:
        _undo_interrupted(this, state.switch, starting=starting)
    elif state.trial:
        _judge_trial(this, state.trial, starting=starting)
    elif not starting:
        _quietly_forget(this)
    _stop_next(this)


def on_trial(this: Installation) -> Trial | None:
    """Return the trial under way; None if it is being undone, or belongs to another boot."""
    state = this.states.load()
    trial = state.trial
    if not trial or state.switch or trial.boot != this.clock.boot():
        return None
    return None if _is_half_back(this, trial.change) else trial


def end_trial(this: Installation) -> None:
    """End the trial, so that the release stays. The caller holds the lock."""
    this.states.save(replace(this.states.load(), trial=None))
    _quietly_forget(this)


def return_from_trial(this: Installation, why: str) -> None:
    """Undo the switch to the release on trial, which has failed. The caller holds the lock."""
    state = this.states.load()
    if state.trial:
        change = state.trial.change
        this.history.add(RETURNED, change.new, why)
        _restart_old(this, change, f"{change.title} failed on trial: {why}")


def _again(this: Installation, release: str) -> None:
    """Check that the active release is in service, and restart it if it is not."""
    if not this.systemd.runs():
        this.say(f"{release} is installed and can be used{_without_service(this, '')}")
        return
    if is_in_service(this, release, this.asked_at(release)):
        this.say(f"{release} is active already and healthy")
        return
    try:
        _install_units(this, release)
        _restart(this, release)
    except (HostError, OSError) as error:
        why = _why(this, error)
        this.history.add(FAILED, release, why)
        raise SwitchError(f"{release} is active but not healthy: {why}") from error
    this.say(f"{release} is active and healthy{_at(this)}")


def _at(this: Installation) -> str:
    """Return where callers reach the service; empty for a program without callers."""
    return f" at {this.address}" if this.units.socket else ""


def _install_units(this: Installation, release: str) -> None:
    """Install a release's units, and enable them if there were none before."""
    are_new = not this.units.are_installed()
    this.units.install(release)
    # An operator may have disabled the units that were there before.
    if are_new:
        this.systemd.enable(*this.units.enabled)


def is_in_service(this: Installation, release: str, url: str = "") -> bool:
    """Return whether the service runs and is ready as a release, at `url` or its own socket."""
    try:
        if not this.systemd.is_active(this.units.service):
            return False
        this.programs.require_ready(release, url or this.own_socket, 0)
    except HostError:
        return False
    return True


def _require_runs(this: Installation, release: str) -> None:
    try:
        this.programs.require_runs(release)
    except HostError as error:
        this.history.add(FAILED, release, str(error))
        raise HostError(f"{release} does not run here, nothing was changed: {error}") from error


# --- the steps of a switch --------------------------------------------------------------------


def _prepare(this: Installation, new: str, files: Mapping[str, bytes]) -> Change:
    """Write all that is needed to switch and to undo that. Raises HostError if that fails."""
    try:
        if this.states.load().trial:
            end_trial(this)
    except OSError as error:
        raise HostError(f"{_not_written(this, error)}; nothing was changed") from error
    try:
        old = this.active
        change = Change(old, new, this.states.load().before, this.settings.prepare(files))
        if old:
            this.disk.point(this.place.engine / BACK, f"releases/{old}")
        this.disk.write(this.place.engine / UNDOABLE, b"", 0o600)
        this.states.reserve()
    except OSError as error:
        _quietly_forget(this)
        raise HostError(f"{_not_written(this, error)}; nothing was changed") from error
    return change


def _prove(this: Installation, change: Change) -> None:
    """Run the new release beside the old one until it is ready, and let it accept callers."""
    facts = this.facts(change.new)
    if not this.systemd.runs():
        return
    if change.old:
        with suppress(SystemdError):
            # The watch waits for the lock until the trial begins or this run is killed.
            this.systemd.start(this.units.trial, wait=False)
    else:
        this.units.install(change.new)
    _listen(this)
    # After an earlier switch NEXT may still finish requests, and systemd would start it after that.
    _stop_next(this, wait=True)
    if not _may_overlap(this, change):
        return
    settings = this.settings.next if change.settings else None
    _prepare_data(this, change, settings)
    this.units.write_next(facts, change.new, settings)
    try:
        this.systemd.start(this.units.next, seconds=facts.health_seconds + _ACCEPT_SECONDS)
        socket = this.place.health_socket(this.units.next)
        this.programs.require_ready(change.new, f"unix:{socket}", facts.health_seconds)
    except HostError as error:
        raise SwitchError(this.systemd.reason(this.units.next) or str(error)) from error
    if not facts.traits.has_socket:
        _share(this, facts, facts.health_seconds)
    elif this.units.same_socket(change.old, change.new):
        _share(this, facts, _ACCEPT_SECONDS)


def _may_overlap(this: Installation, change: Change) -> bool:
    """Return whether the two releases may run beside each other: both have to allow it."""
    with suppress(HostError):  # a damaged old release has nothing to say
        if change.old and not this.facts(change.old).overlap:
            return False
    return this.facts(change.new).overlap


def _prepare_data(this: Installation, change: Change, settings: Path | None) -> None:
    """Run the hook of the new release, unless that is older than the data may be.

    The hook reads its settings from the folder `settings`, if one is given.
    """
    facts, unit = this.facts(change.new), this.units.before
    if not facts.before_switch_seconds or _leads_back(this, change):
        return
    this.units.write_before(facts, change.new, settings)
    try:
        this.systemd.start(unit, seconds=facts.before_switch_seconds + _MARGIN)
    except SystemdError as error:
        why = this.systemd.reason(unit) or str(error)
        raise SwitchError(f"its before_switch hook failed: {why}") from error


def _leads_back(this: Installation, change: Change) -> bool:
    """Return whether the new release is older than the one that is active."""
    with suppress(HostError):  # a damaged old release has no rank
        return bool(change.old) and this.facts(change.new).rank < this.facts(change.old).rank
    return False


def _share(this: Installation, facts: Release, seconds: float) -> None:
    """Let the new release accept callers, or work, beside the old one."""
    this.systemd.signal(this.units.next, "SIGUSR1")
    until = this.clock.seconds() + seconds
    while this.systemd.property(this.units.next, "StatusText") not in _AT_WORK:
        has_ended = this.systemd.property(this.units.next, "ActiveState") in _ENDED
        if has_ended or this.clock.seconds() > until:
            raise SwitchError(this.systemd.reason(this.units.next) or facts.traits.silent)
        this.clock.sleep(_PAUSE)


def _listen(this: Installation) -> None:
    """Start the socket unit unless it is active. Raises SwitchError with the reason if it fails."""
    if not this.units.socket or this.systemd.is_active(this.units.socket):
        return
    try:
        this.systemd.start(this.units.socket)
    except SystemdError as error:
        why = this.systemd.socket_reason(this.units.socket)
        raise SwitchError(f"{this.units.socket} does not listen: {why}") from error


def _remember(this: Installation, change: Change) -> None:
    """Record in the state that there is a switch to undo from now on."""
    this.states.save(replace(this.states.load(), switch=change))
    this.states.reserve()


def _take_over(this: Installation, change: Change) -> None:
    """Make the service run the new release."""
    this.settings.put(change.settings)
    this.disk.point(this.place.current, f"releases/{change.new}")
    if this.systemd.runs():
        _install_units(this, change.new)
        to_stop = _STOP_SECONDS
        if not _may_overlap(this, change):
            # Nothing serves meanwhile: a start that hangs must not be given the stop time as well.
            this.systemd.stop(this.units.service, seconds=_STOP_SECONDS)
            _prepare_data(this, change, None)
            to_stop = _ACCEPT_SECONDS
        anew = not this.units.same_socket(change.old, change.new)
        _restart(this, change.new, anew=anew, to_stop=to_stop)
        if not change.old:
            this.systemd.enable(*this.units.enabled)


def _restart(
    this: Installation, release: str, *, anew: bool = False, to_stop: float = _STOP_SECONDS
) -> None:
    """Restart the service and wait until it is ready as `release`; `anew` restarts the socket, too.

    The running service may take `to_stop` seconds to stop.
    """
    service, socket = this.units.service, this.units.socket
    seconds = this.facts(release).health_seconds
    anew = bool(socket) and (anew or not this.systemd.is_active(socket))
    this.systemd.forget_failures(*this.units.enabled)
    if anew:
        # NEXT holds the socket that is to be opened anew.
        _stop_next(this, wait=True)
    try:
        # Use one call for both, so that a kill cannot come between them.
        units = (socket, service) if anew else (service,)
        this.systemd.restart(*units, seconds=seconds + to_stop)
    except SystemdError as error:
        if socket and not this.systemd.is_active(socket):
            why = this.systemd.socket_reason(socket)
            raise SwitchError(f"{socket} does not listen: {why}") from error
        raise SwitchError(this.systemd.reason(service) or str(error)) from error
    # The service has told systemd that it is ready: without NEXT, every answer is its own.
    _stop_next(this)
    this.programs.require_ready(release, this.asked_at(release), seconds)


def _commit(this: Installation, change: Change, goal: Goal) -> State:
    """Record durably that the new release is the active one, and begin its trial."""
    state = this.states.load()
    before = goal.before
    if before is None:
        before = (change.old, *change.before) if change.old != change.new else change.before
    trial = None
    seconds = this.facts(change.new).trial_seconds
    if change.old and seconds and this.systemd.runs():
        trial = Trial(change, this.clock.boot(), this.clock.seconds() + seconds)
    # The files that systemctl and the program have written must be durable, too.
    this.disk.sync()
    # Keep each name once: rollbacks then never go in a circle, and the state stays small.
    known = tuple(dict.fromkeys(name for name in before if this.has(name) and name != change.new))
    state = state.went_to(change.new, known, now())
    committed = replace(state, trial=trial, said="", restarts=this.restarts)
    this.states.save(committed)
    return committed


def _settle(this: Installation, state: State) -> None:
    """Report the success and clean up; a failure here does not undo the switch."""
    if not this.history.add(ACTIVE, this.active):
        this.say(f"could not write the history in {this.place.engine}")
    with suppress(OSError):
        this.states.reserve()
    if state.trial:
        with suppress(SystemdError):
            this.systemd.start(this.units.trial, wait=False)
    else:
        _quietly_forget(this)
    with suppress(OSError):
        retention.prune(this)
    _report(this, state)


def _report(this: Installation, state: State) -> None:
    release = this.active
    changed = state.trial.change.settings if state.trial else {}
    if this.systemd.runs():
        with_settings = ", with the new settings" if changed else ""
        this.say(f"{release} is active and healthy{_at(this)}{with_settings}")
    else:
        and_so = _without_service(this, ": no service was started")
        this.say(f"{release} is installed and can be used{and_so}")
    kept = [name for name in state.before if this.has(name)]
    if kept:
        this.say(f"{kept[0]} is kept; back to it: {this.place.name}-admin rollback")


def _without_service(this: Installation, then: str) -> str:
    """Return why no service runs, and what follows; empty for a program that has none."""
    return f"; {this.no_service()}{then}" if this.kind.has_service else ""


# --- the way back -----------------------------------------------------------------------------


def _leave(this: Installation, change: Change, why: str) -> None:
    """Clean up after a switch that failed before the take-over. Always raises SwitchError."""
    _record_failure(this, change, why)
    if not change.old:
        _abandon(this, change)
        raise SwitchError(f"{change.new} did not become healthy and nothing is active: {why}")
    _stop_next(this)
    with suppress(OSError):
        this.states.save(replace(this.states.load(), switch=None))
    _quietly_forget(this)
    raise SwitchError(
        f"{change.title} did not become healthy, {change.old} is active as before: {why}"
    )


def _give_up(this: Installation, change: Change, why: str) -> None:
    """Undo a switch that failed during the take-over. Always raises SwitchError."""
    _record_failure(this, change, why)
    if not change.old:
        _abandon(this, change)
        raise SwitchError(f"{change.new} did not become healthy and nothing is active: {why}")
    try:
        failure = _restart_old(this, change, "")
    except (HostError, OSError) as error:
        raise SwitchError(
            f"{change.title} did not become healthy: {why}; {change.old} could not be made the "
            f"active one again: {_why(this, error)}; that is tried again"
        ) from error
    if failure:
        raise SwitchError(
            f"{change.title} did not become healthy: {why}; "
            f"{change.old} is active again but not healthy: {failure}"
        )
    raise SwitchError(
        f"{change.title} did not become healthy, "
        f"{change.old} is active and healthy as before: {why}"
    )


def _record_failure(this: Installation, change: Change, why: str) -> None:
    settings = "with the new settings: " if change.old == change.new else ""
    this.history.add(FAILED, change.new, f"{settings}{why}")


def _restart_old(this: Installation, change: Change, said: str) -> str:
    """Make the service run the old release; return why it is not healthy, or an empty string.

    Raises OSError if the disk cannot be written, and HostError if systemd fails. The state is then
    unchanged, so that the next run, the watch or the guard tries again.
    """
    why, begun = "", this.systemd.property(this.units.service, "InvocationID")
    try:
        _put_back(this, change)
    except OSError:
        _stop_next(this)
        raise
    try:
        if this.systemd.runs():
            with suppress(OSError, SystemdError):  # the new release's units will do
                this.units.install(change.old)
            anew = not this.units.same_socket(change.old, change.new)
            _restart(this, change.old, anew=anew)
    except (HostError, OSError) as error:
        why = _why(this, error)
        if begun and begun == this.systemd.property(this.units.service, "InvocationID"):
            _stop_next(this)
            raise SwitchError(f"{change.new} was not ended: {why}") from error
    try:
        _forget_change(this, change, said)
    except OSError as error:  # the next run, the watch or the guard tries again
        why = why or _why(this, error)
    _stop_next(this)
    return why


def _undo_interrupted(this: Installation, change: Change, *, starting: bool) -> None:
    if not change.old:
        if not starting:
            this.say("an earlier installation was interrupted: beginning again")
            _abandon(this, change)
        return
    said = f"the switch to {change.title} was interrupted: went back to {change.old}"
    this.say(said)
    this.history.add(FAILED, change.new, "interrupted before it was seen healthy")
    if starting:
        _go_back_before_start(this, change, said)
    elif _has_not_stopped(this, change):
        _put_back(this, change)
        if this.systemd.runs():
            this.units.install(change.old)
        _forget_change(this, change, said)
    elif failure := _restart_old(this, change, said):
        this.say(f"{change.old} is active again but not healthy: {failure}")


def _has_not_stopped(this: Installation, change: Change) -> bool:
    """Return whether the old release has served without a stop, with its own settings."""
    is_untouched = this.active == change.old and not this.settings.are_put(change.settings)
    # The service reports its release, but not which settings it runs with.
    could_tell = change.old != change.new and not change.settings
    return (is_untouched or could_tell) and is_in_service(this, change.old)


def _is_half_back(this: Installation, change: Change) -> bool:
    """Return whether a run was killed while it undid a switch on trial."""
    return this.active != change.new or this.settings.are_back(change.settings)


def _judge_trial(this: Installation, trial: Trial, *, starting: bool) -> None:
    change = trial.change
    now_here = trial.boot == this.clock.boot()
    if _is_half_back(this, change):
        said = f"{change.title} failed on trial: went back to {change.old}"
        if starting:
            _go_back_before_start(this, change, said)
        elif failure := _restart_old(this, change, said):
            this.say(f"{change.old} is active again but not healthy: {failure}")
    elif (now_here and this.clock.seconds() >= trial.ends) or not (now_here or starting):
        end_trial(this)
    elif not starting or not this.has(change.old):
        return
    elif now_here:
        why = this.systemd.failure(this.units.service) or "it was restarted within its trial"
        this.history.add(RETURNED, change.new, why)
        said = f"{change.title} failed on trial: {why}; went back to {change.old}"
        this.say(said)
        _go_back_before_start(this, change, said)
    else:
        # The machine was rebooted: the switch was durable, so its trial begins again.
        seconds = _TRIAL_SECONDS
        with suppress(HostError):  # a damaged release needs a trial all the more
            seconds = this.facts(change.new).trial_seconds
        renewed = Trial(change, this.clock.boot(), this.clock.seconds() + seconds)
        this.states.save(replace(this.states.load(), trial=renewed))
        with suppress(OSError):
            this.states.reserve()


def _go_back_before_start(this: Installation, change: Change, said: str) -> None:
    """Make the start that is under way run the old release."""
    _put_back(this, change)
    with suppress(OSError, SystemdError):
        this.units.install(change.old)
    _forget_change(this, change, said)
    if not this.units.same_socket(change.old, change.new):
        # Do not wait: the restart includes the start that waits for this guard.
        this.systemd.restart(this.units.socket, this.units.service, wait=False)


def _put_back(this: Installation, change: Change) -> None:
    """Restore `current` and the settings; may be repeated safely."""
    back = this.place.engine / BACK
    if this.active != change.old:
        if this.disk.exists(back):
            this.disk.rename(back, this.place.current)
        else:
            this.disk.point(this.place.current, f"releases/{change.old}")
    this.settings.back(change.settings)


def _forget_change(this: Installation, change: Change, said: str) -> None:
    """Record that the old release is active, and that nothing is left to undo."""
    state = this.states.load()
    if this.active == change.old:
        before = tuple(name for name in change.before if name)
        since = state.since if state.switch else now()
        state = replace(state.went_to(change.old, before, since), restarts=this.restarts)
    this.states.save(replace(state, switch=None, trial=None, said=said or state.said))
    _quietly_forget(this)


def _abandon(this: Installation, change: Change) -> None:
    """Clean up after a failed first installation, so that nothing is active."""
    if this.systemd.runs():
        _stop_next(this, wait=True)
        with suppress(SystemdError):
            this.systemd.disable(*this.units.enabled)
        with suppress(SystemdError, OSError):
            this.units.remove()
        this.systemd.forget_failures(*this.units.enabled, this.units.next)
    with suppress(OSError):
        this.settings.back(change.settings)
        this.disk.remove(this.place.current)
        this.states.save(replace(this.states.load(), switch=None, trial=None))
        _quietly_forget(this)


def _stop_next(this: Installation, *, wait: bool = False) -> None:
    """Stop NEXT, which finishes its requests first, and a hook that was left."""
    if this.systemd.runs():
        units = (this.units.next, this.units.before)
        with suppress(SystemdError):
            this.systemd.stop(*units, seconds=_STOP_SECONDS, wait=wait)
        this.systemd.forget_failures(*units)


def _quietly_forget(this: Installation) -> None:
    """Remove what only an undoing needs; a later call removes what this one cannot."""
    with suppress(OSError):
        this.settings.forget()
        this.disk.remove(this.place.engine / BACK)
        this.disk.remove(this.place.engine / UNDOABLE)


def _why(this: Installation, error: Exception) -> str:
    return _not_written(this, error) if isinstance(error, OSError) else str(error)


def _not_written(this: Installation, error: OSError) -> str:
    # An error with two paths, such as that of a rename, names the target second.
    where = error.filename2 or error.filename or this.place.base
    return f"could not write to {Path(where)}: {(error.strerror or str(error)).lower()}"

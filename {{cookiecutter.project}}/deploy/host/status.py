"""Report what is active, whether it is healthy, and what else is installed."""

import hashlib
import json
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from . import release
from .errors import HostError, one_line
from .installation import Installation
from .release import SUMS
from .settings import ROOT_ONLY
from .state import State

_SETTLED_SECONDS = 60.0
"""A service that systemd restarted less than this long ago is not reported as healthy."""


@dataclass(frozen=True)
class Status:
    """The status of an installation."""

    name: str
    active: str
    release: str
    quadrant: str
    commit: str
    settings: str
    """The SHA-256 of the settings file; empty if it does not exist or may not be read."""
    secrets: str
    since: str
    before: str
    """The release that a rollback would go to."""
    releases: list[str]
    trial: str
    """What is on trial, and for how much longer; empty if nothing is."""
    said: str
    """The last event that happened unattended."""
    service: str
    """`healthy at URL`, `not healthy: WHY` or `none: WHY`."""
    restarts: int
    """How often systemd has restarted the service by itself since the last switch."""
    notes: list[str] = field(default_factory=list)

    @property
    def is_healthy(self) -> bool:
        """Whether the service is healthy, or there is no systemd to run it."""
        return not self.service.startswith("not healthy")


def status(this: Installation) -> Status:
    """Return the status. Raises HostError if nothing is active."""
    active = this.active
    if not active:
        raise HostError(f"no release of {this.place.name} is active here")
    state, manifest = _state(this), _manifest(this)
    restarts = max(this.restarts - state.restarts, 0)
    return Status(
        name=this.place.name,
        active=active,
        release=this.facts(active).release,
        quadrant=manifest.get("quadrant", ""),
        commit=manifest.get("commit", ""),
        settings=_digest(this, f"{this.place.name}.env"),
        secrets=_digest(this, ROOT_ONLY),
        since=state.since,
        before=next((name for name in state.before if this.has(name)), ""),
        releases=this.releases(),
        trial=_trial(this, state),
        said=state.said,
        service=health(this, active, restarts),
        restarts=restarts,
        notes=list(_notes(this, state)),
    )


def _state(this: Installation) -> State:
    """Return the state; an empty one if the user may not read it."""
    try:
        return this.states.load()
    except PermissionError:
        return State()


def health(this: Installation, active: str, restarts: int) -> str:
    """Return the service's health, checked at the address that callers use."""
    if not this.systemd.runs():
        return f"none: {this.no_service()}"
    try:
        url = this.asked_at(active)
        this.programs.require_ready(active, url, 0)
    except HostError as error:
        why = this.systemd.reason(this.units.service)
        return f"not healthy: {one_line(str(error))}{f' ({why})' if why else ''}"
    if why := _unsettled(this, restarts):
        return f"not healthy: {why}"
    return f"healthy at {url}"


def _unsettled(this: Installation, restarts: int) -> str:
    """Return why a service that keeps being restarted is not healthy; empty if it is stable."""
    entered = this.systemd.property(this.units.service, "ActiveEnterTimestampMonotonic")
    if not restarts or not entered.isdigit():
        return ""
    up = time.clock_gettime(time.CLOCK_MONOTONIC) - int(entered) / 1e6
    if up >= _SETTLED_SECONDS:
        return ""
    times = "once" if restarts == 1 else f"{restarts} times"
    return f"it has ended and was started again {times}, the last time {up:.0f} s ago"


def rows(status: Status) -> list[tuple[str, str]]:
    """Return the status as the lines of a table."""
    others = [name for name in status.releases if name != status.active]
    lines = [
        ("active", f"{status.active} ({status.release}), since {status.since or 'unknown'}"),
        ("also here", " ".join(others) or "nothing"),
        ("back to", status.before or ("nothing" if status.since else "unknown")),
    ]
    if status.trial:
        lines.append(("on trial", status.trial))
    if status.said:
        lines.append(("last", status.said))
    lines += [(note.partition(": ")[0], note.partition(": ")[2]) for note in status.notes]
    if status.restarts:
        lines.append(("restarts", f"{status.restarts} since the last switch"))
    return [*lines, ("service", status.service)]


def as_json(status: Status) -> str:
    """Return the status for programs, as JSON on one line."""
    return json.dumps(asdict(status))


def require_superseded(this: Installation, old: str) -> None:
    """Raise HostError if the package brought another release than `old` and it is not active.

    rpm succeeds even if the switch to a new package fails. It fails if the old package then
    refuses to be removed.
    """
    package = this.place.package
    try:
        is_old = release.read(package).release == old
    except HostError:
        return
    if this.active and not is_old and _differ(this):
        name = this.place.name
        raise HostError(f"the new release of {name} is not active (see {name}-admin history)")


def _differ(this: Installation) -> bool:
    """Return whether the package's release differs from the active one."""
    package, current = this.place.package, this.place.current
    return package.is_dir() and this.disk.read(package / SUMS) != this.disk.read(current / SUMS)


def _notes(this: Installation, state: State) -> list[str]:
    notes = []
    if not state.since:
        notes.append("more: only the user who installed it may see all: run it with sudo")
    if state.switch:
        notes.append(f"unfinished: the switch to {state.switch.title}: going on, or interrupted")
    if _differ(this):
        notes.append(f"package: {_version(this)}, which is not the active one (see history)")
    return notes


def _version(this: Installation) -> str:
    try:
        return release.read(this.place.package).version
    except HostError:
        return "no whole release"


def _trial(this: Installation, state: State) -> str:
    if not state.trial or state.trial.boot != this.clock.boot():
        return ""
    left = state.trial.ends - this.clock.seconds()
    if left <= 0:
        return ""
    change = state.trial.change
    back = "its old settings" if change.old == change.new else change.old
    return f"{change.title}, for {left:.0f} s more; a failure leads back to {back}"


def _manifest(this: Installation) -> dict[str, str]:
    try:
        found: dict[str, Any] = json.loads(
            this.disk.read(this.place.current / "manifest.json") or b"{}"
        )
    except (OSError, ValueError):
        return {}
    return {key: str(value) for key, value in found.items() if isinstance(value, str)}


def _digest(this: Installation, name: str) -> str:
    try:
        content = this.disk.read(this.place.etc / name)
    except OSError:
        return ""
    return "" if content is None else hashlib.sha256(content).hexdigest()

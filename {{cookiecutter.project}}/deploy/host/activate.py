"""Carry out `activate` and `rollback`: check the request, stage the release, and switch to it."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from . import account, lock, place, preflight, release, signature, staging
from . import tree as trees
from .errors import HostError, Misuse
from .installation import Installation
from .signature import Trust
from .staging import Origin
from .switch import Goal, recover, switch
from .trial import LOCK


@dataclass(frozen=True)
class Request:
    """The options of an activation, apart from the release itself."""

    settings: Mapping[str, bytes] = field(default_factory=dict)
    key: str = ""
    require_signature: bool = False
    built_here: bool = False
    allow_downgrade: bool = False


@contextmanager
def _plainly() -> Iterator[None]:
    """Turn an OSError into a HostError."""
    try:
        yield
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise HostError(f"could not read or write {error.filename or 'a file'}: {why}") from error


@_plainly()
def tree(this: Installation, source: Path, request: Request) -> None:
    """Install the release of a tree or a bundle, and switch to it. Raises HostError."""
    if source.parent == this.place.releases:
        installed(this, source.name, request)
        return
    facts = staging.facts_of(source)
    if facts.name != this.place.name:
        raise HostError(f"{source} is a release of {facts.name}, not of {this.place.name}")
    _require_kind(this, facts)
    _require_settings_fit(this, request)
    _require_place(this)
    trusted = signature.trust(this.place, request.key, required=request.require_signature)
    needed = staging.needed_kb(this, source, facts.size_kb)
    preflight.require_fit(facts, this.place, needed)
    with _alone(this):
        recover(this)
        if not request.allow_downgrade and source != this.place.package:
            _require_newer(this, facts)
        origin = Origin(source, trusted, facts, request.built_here)
        name = staging.stage(this, origin)
        _tell_of_origin(this, origin)
        account.prepare(this, name, f"{this.place.name}.env" in request.settings)
        switch(this, Goal(name, settings=request.settings))
        _keep_key(this, trusted)
        account.link_commands(this)
        account.tell_of_lingering(this)


@_plainly()
def installed(this: Installation, name: str, request: Request) -> None:
    """Switch to a release that is installed already. Raises HostError."""
    _require_installed(this, name)
    _require_settings_fit(this, request)
    preflight.require_fit(this.facts(name), this.place, 0)
    _require_place(this)
    with _alone(this):
        recover(this)
        _switch_to(this, Goal(name, _before(this, name), request.settings))


@_plainly()
def rollback(this: Installation, name: str) -> None:
    """Go back one release, or to the release `name`, and say which one is active now.

    Raises HostError if there is no release to go back to.
    """
    _require_place(this)
    if not this.active:
        raise HostError(f"nothing is installed in {this.place.base}")
    if name:
        _require_installed(this, name)
    with _alone(this):
        recover(this)
        goal = name or next(iter(_way_back(this)), "")
        if not goal:
            raise HostError(f"there is no release before {this.active} here")
        was = this.active
        _switch_to(this, Goal(goal, _before(this, goal)))
        left = _way_back(this)
        this.say(f"went from {was} to {goal}; before it: {', '.join(left) or 'nothing'}")


def _switch_to(this: Installation, goal: Goal) -> None:
    trees.require_whole(this.place.releases / goal.release, goal.release)
    account.prepare(this, goal.release, f"{this.place.name}.env" in goal.settings)
    switch(this, goal)
    account.link_commands(this)


def _way_back(this: Installation) -> list[str]:
    return [name for name in this.states.load().before if this.has(name) and name != this.active]


def _before(this: Installation, name: str) -> tuple[str, ...] | None:
    """Return the releases to roll back to from `name`; None if the active one comes first."""
    before = this.states.load().before
    if name == this.active:
        return before
    return before[before.index(name) + 1 :] if name in before else None


def _require_installed(this: Installation, name: str) -> None:
    if not this.has(name):
        there = ", ".join(this.releases()) or "none"
        raise Misuse(f"no release '{name}' is installed; there are: {there}")


def _require_kind(this: Installation, facts: release.Release) -> None:
    """Raise HostError for a release of another kind than the active one."""
    was = this.facts(this.active).kind if this.active else facts.kind
    if facts.kind != was:
        raise HostError(
            f"{facts.version} is of the kind '{facts.kind}', but {this.active}, which is active, "
            f"of '{was}': remove that first ({this.place.name}-admin uninstall)"
        )


def _require_settings_fit(this: Installation, request: Request) -> None:
    if request.settings and not this.kind.has_service:
        raise Misuse(f"{this.place.name} is a command and has no settings: leave out --settings")


def _require_place(this: Installation) -> None:
    place.require_owner(this.place)
    place.require_steady(this.place)
    if this.systemd.runs():
        this.systemd.require_answers()
        place.require_way_in(this.place)
        if other := this.units.other_prefix():
            name = this.place.name
            raise HostError(
                f"{name} is installed in {other / 'opt' / name} already, and there is one service "
                f"of that name: remove it first ({other / 'opt' / name}/current/bin/{name}-admin "
                "uninstall)"
            )


def _require_newer(this: Installation, facts: release.Release) -> None:
    """Raise HostError for a release older than the active one, by version and source date."""
    if this.active and facts.rank < this.facts(this.active).rank:
        raise HostError(
            f"{facts.version} is older than {this.active}, which is active: nothing was changed "
            "(--allow-downgrade installs it anyway)"
        )


def _keep_key(this: Installation, trusted: Trust) -> None:
    try:
        signature.keep(trusted, this.place, this.disk)
    except OSError:  # the switch has succeeded all the same
        this.say(f"could not keep the key: put it at {this.place.etc / signature.KEY_FILE}")


def _tell_of_origin(this: Installation, origin: Origin) -> None:
    trusted: Trust = origin.trusted
    # The package manager has checked its packages in its own way.
    if not (trusted.file or origin.built_here or origin.source == this.place.package):
        this.say(
            "its origin was not checked, because no key is known here (put the maker's public key "
            f"at {this.place.etc / signature.KEY_FILE})"
        )


@contextmanager
def _alone(this: Installation) -> Iterator[None]:
    """Hold the lock. Raises HostError if another run holds it, or if it cannot be written."""
    with ExitStack() as stack:
        try:
            this.place.base.mkdir(parents=True, exist_ok=True)
            # Another user may have created a missing folder meanwhile.
            place.require_steady(this.place)
            this.disk.folder(this.place.engine, 0o700)
            stack.enter_context(lock.held(this.place.engine / LOCK, lock.patience()))
        except OSError as error:
            why = (error.strerror or str(error)).lower()
            raise HostError(f"could not write to {this.place.base}: {why}") from error
        try:
            yield
        except HostError:
            _leave_no_trace(this)
            raise


def _leave_no_trace(this: Installation) -> None:
    """Remove the engine's folder if a refused first installation left nothing to remember."""
    if this.active or this.disk.names(this.place.releases) or this.history.events():
        return
    with suppress(OSError):
        this.disk.remove(this.place.engine)
        this.place.base.rmdir()
        if this.place.prefix:
            this.place.base.parent.rmdir()

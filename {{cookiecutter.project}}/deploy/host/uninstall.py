"""Remove the project from this machine; keep configuration and data unless told otherwise."""

from contextlib import ExitStack, suppress
from pathlib import Path

from . import account, lock, place
from .errors import HostError
from .installation import Installation
from .settings import Settings
from .systemd import SystemdError
from .trial import LOCK


def uninstall(this: Installation, user: str, *, purge: bool) -> None:
    """Remove the service and all releases, with `purge` also settings, data and the user.

    May be repeated safely. Raises HostError.
    """
    place.require_owner(this.place)
    if this.place.prefix is None and this.place.uid != 0:
        raise HostError(f"removing {this.place.name} needs root: run it with sudo")
    try:
        with ExitStack() as stack:
            if this.place.engine.is_dir():
                stack.enter_context(lock.held(this.place.engine / LOCK, lock.patience()))
            _remove(this)
            if purge:
                _purge(this, user)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise HostError(f"could not remove {error.filename}: {why}") from error


def _remove(this: Installation) -> None:
    if this.kind.has_service and not this.units.other_prefix():
        _remove_units(this)
    account.unlink_commands(this)
    # Do not keep the settings of an unfinished switch: they were never seen to work.
    if switch := this.states.load().switch:
        this.settings.back(switch.settings)
    # Remove `current` first, so that it never points to a partly removed release.
    for path in (this.place.current, this.place.releases, this.place.engine):
        this.disk.remove(path)
    if this.place.etc.is_dir():
        Settings(this.place, this.disk).forget()
    # Leave the package manager's own files, if there are any.
    _remove_empty(this.place.base)
    if this.place.prefix:
        _remove_empty(this.place.base.parent)


def _remove_units(this: Installation) -> None:
    units, systemd = this.units, this.systemd
    if not systemd.runs():
        for unit in (*units.enabled, units.guard, units.trial):
            this.disk.remove(this.place.units / unit)
        return
    with suppress(SystemdError):
        systemd.stop(units.trial, units.next, units.before)
    with suppress(SystemdError):
        # Use one call for both: the socket alone would start the service again.
        systemd.disable(*units.enabled)
    with suppress(SystemdError):
        units.remove()
    systemd.forget_failures(*units.enabled)


def _purge(this: Installation, user: str) -> None:
    where = this.place
    for path in (where.etc, where.data) if this.kind.has_service else (where.etc,):
        this.disk.remove(path)
    if where.prefix:
        for folder in ("etc", "var/lib", "var"):
            _remove_empty(where.prefix / folder)
    if not this.kind.has_service:
        return
    if not this.units.other_prefix():
        for unit in this.units.enabled:
            this.disk.remove(where.units / f"{unit}.d")
    if where.uid == 0:
        account.remove_user(user)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()

"""The paths of an installation on this machine, and which systemd runs it.

The system-wide installation lies in /opt, /etc and /var/lib; any other one lies below a prefix.
"""

import os
import pwd
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .errors import HostError, Misuse

_SYSTEM_UNITS = Path("/etc/systemd/system")
_NO_PREFIX = re.compile(r"[\"'\\*?\[\]\x00-\x1f\x7f]")
"""Characters that a path in a unit file cannot contain everywhere."""


@dataclass(frozen=True)
class Place:
    """The location of one installation."""

    name: str
    """The project's name, after which everything is named."""
    prefix: Path | None
    """The folder that it is installed below; None for the system-wide installation."""
    uid: int
    """The user who runs the engine."""
    home: Path
    """That user's home folder."""

    @property
    def base(self) -> Path:
        """The folder with the releases and `current`."""
        return self._below("opt")

    @property
    def etc(self) -> Path:
        """The folder with the settings."""
        return self._below("etc")

    @property
    def data(self) -> Path:
        """The folder with the running service's data."""
        return self._below("var/lib")

    @property
    def releases(self) -> Path:
        """The folder with one folder for each release."""
        return self.base / "releases"

    @property
    def current(self) -> Path:
        """The link to the active release."""
        return self.base / "current"

    @property
    def package(self) -> Path:
        """The release tree that belongs to the package manager."""
        return self.base / "package"

    @property
    def engine(self) -> Path:
        """The engine's own folder, which only its owner may read."""
        return self.base / ".engine"

    @property
    def commands(self) -> Path:
        """The folder in which the commands are linked."""
        return (self.prefix or Path("/usr/local")) / "bin"

    @property
    def of_user(self) -> bool:
        """Whether a user's own systemd manager runs the service."""
        return self.uid != 0 and (not self.base.is_dir() or self.base.stat().st_uid == self.uid)

    @property
    def units(self) -> Path:
        """The folder with the units."""
        if not self.of_user:
            return _SYSTEM_UNITS
        config = os.environ.get("XDG_CONFIG_HOME")
        return (Path(config) if config else self.home / ".config") / "systemd/user"

    @property
    def runtime(self) -> Path:
        """The folder in which systemd creates those of running services."""
        return self.user_runtime if self.of_user else Path("/run")

    @property
    def transient_units(self) -> Path:
        """The folder with the units that do not survive a reboot."""
        return self.runtime / f"systemd/{'user' if self.of_user else 'system'}"

    @property
    def user_runtime(self) -> Path:
        """The runtime folder of the user who runs the engine."""
        given = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent")
        is_own = given.is_dir() and given.stat().st_uid == self.uid
        return given if is_own else Path(f"/run/user/{self.uid}")

    def health_socket(self, unit: str) -> Path:
        """Return the path of the socket on which a unit's service answers health checks."""
        return self.runtime / unit.removesuffix(".service") / "health.sock"

    def _below(self, folder: str) -> Path:
        return (self.prefix or Path("/")) / folder / self.name


def find(name: str, tree: Path, prefix: str = "") -> Place:
    """Return the place below `prefix`; without one, the place that `tree` is installed in.

    For a tree that is not installed, return the system-wide place for root, else ``~/.local``.
    Raises Misuse for an invalid prefix.
    """
    uid = os.geteuid()
    home = _home(uid)
    if prefix:
        return Place(name, whole_path(prefix, name), uid, home)
    found = _installed_below(name, tree)
    if found is not None:
        return Place(name, None if found == Path("/") else found, uid, home)
    return Place(name, None if uid == 0 else whole_path(str(home / ".local"), name), uid, home)


def whole_path(prefix: str, name: str) -> Path | None:
    """Return a prefix without links and dots; None for the root folder, which is no prefix.

    Raises Misuse for an invalid prefix, and HostError for one that the user may not look at.
    """
    if _NO_PREFIX.search(prefix):
        raise Misuse(
            f"the prefix '{prefix}' has a quote, backslash, wildcard or control character in it"
        )
    if ".." in Path(prefix).parts and not Path(prefix).exists():
        raise Misuse(f"there is no folder '{prefix}'")
    path = Path(prefix).resolve()
    try:
        nearest = next(each for each in (path, *path.parents) if each.exists())
    except PermissionError as error:
        raise HostError(
            f"may not look at {error.filename}: run it with sudo, or give --prefix"
        ) from error
    if not nearest.is_dir():
        raise Misuse(f"the prefix '{prefix}' is not a folder")
    for folder in (path / "opt", path / "opt" / name):
        # The engine derives the prefix from the real path of its release.
        if path != Path("/") and folder.is_symlink():
            raise Misuse(f"{folder} is a link: give another --prefix")
    return None if path == Path("/") else path


def require_owner(place: Place) -> None:
    """Raise HostError if another user owns the installation."""
    if place.base.is_dir() and place.base.stat().st_uid != place.uid:
        owner = user_name(place.base.stat().st_uid)
        if owner == "root":
            raise HostError(f"changing {place.base} needs root: run it with sudo")
        raise HostError(f"{place.base} belongs to {owner}: run it as {owner}")


def require_steady(place: Place) -> None:
    """Raise HostError if another user could replace the installation's folder or one above it.

    That user would control what root, or the service, runs from there.
    """
    path = place.base
    for folder in _on_the_way(path):
        try:
            found = folder.lstat()
        except FileNotFoundError:
            continue
        if found.st_uid not in {0, place.uid}:
            owner = user_name(found.st_uid)
            raise HostError(f"{folder} belongs to {owner}, who could replace {path}: {_OTHER}")
        # In a sticky folder, such as /tmp, users can rename only what they own.
        is_open = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
        if is_open and not stat.S_ISLNK(found.st_mode):
            raise HostError(f"others may write to {folder} and could replace {path}: {_OTHER}")


def _on_the_way(path: Path) -> Iterator[Path]:
    """Yield every folder and link that a path leads through."""
    seen: set[Path] = set()
    ahead = [path]
    while ahead:
        for folder in (path := ahead.pop(), *path.parents):
            if folder in seen:
                continue
            seen.add(folder)
            yield folder
            if folder.is_symlink():
                ahead.append(folder.parent / folder.readlink())


_OTHER = "give another --prefix"


def require_way_in(place: Place) -> None:
    """Raise HostError for a prefix that the service's own user cannot enter."""
    if place.uid != 0 or place.prefix is None:
        return
    for folder in (place.base, *place.base.parents):
        if folder.is_dir() and not folder.stat().st_mode & stat.S_IXOTH:
            raise HostError(
                f"the service's user cannot enter {folder}: chmod o+x it, or give another --prefix"
            )


def user_name(uid: int) -> str:
    """Return the name of a user, or the number if it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _home(uid: int) -> Path:
    if given := os.environ.get("HOME"):
        return Path(given)
    try:
        return Path(pwd.getpwuid(uid).pw_dir)
    except KeyError:
        if uid == 0:
            return Path("/")
        raise HostError("HOME is not set: a user's installation needs it") from None


def _installed_below(name: str, tree: Path) -> Path | None:
    """Return the prefix of an installed tree, `/` if system-wide; None for any other tree."""
    base = {"package": tree.parent, "releases": tree.parent.parent}.get(
        "package" if tree.name == "package" else tree.parent.name
    )
    if base is None or base.name != name or base.parent.name != "opt":
        # /opt itself may be a link.
        return Path("/") if base is not None and base == Path("/opt", name).resolve() else None
    return Path("/") if base == Path("/opt", name).resolve() else base.parent.parent

"""Set up what a release needs on the machine: a user, folders, commands and their help."""

import os
import pwd
from contextlib import suppress
from pathlib import Path

from .commands import NOT_THERE, PATH, run
from .errors import HostError, last_line
from .installation import Installation

_SECONDS = 60.0
_SHARED = (
    "share/bash-completion/completions/{}",
    "share/fish/vendor_completions.d/{}.fish",
    "share/man/man1/{}.1",
    "share/zsh/site-functions/_{}",
)
"""Files that are linked at the same place below /usr/local, if a release has them."""


def prepare(this: Installation, release: str, has_settings: bool) -> None:
    """Make the folders, the user and the first settings that a service needs.

    Raises HostError, and OSError.
    """
    if not this.kind.has_service:
        return
    place, disk = this.place, this.disk
    place.data.mkdir(parents=True, exist_ok=True)
    place.etc.mkdir(parents=True, exist_ok=True)
    if place.uid == 0:
        _give_data(this, this.facts(release).user)
    place.data.chmod(0o750)
    settings = place.etc / f"{place.name}.env"
    default = disk.read(place.releases / release / "host" / settings.name)
    if not disk.exists(settings) and not has_settings and default is not None:
        disk.write(settings, default, 0o640)


def _give_data(this: Installation, user: str) -> None:
    if not _exists(user):
        said = _add(user, str(this.place.data))
        if not _exists(user):
            # Only a service needs the user, and small systems have no tool that adds one.
            if this.systemd.runs():
                raise HostError(f"could not create the system user '{user}': {said}")
            return
    found = pwd.getpwnam(user)
    os.chown(this.place.data, found.pw_uid, found.pw_gid)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _add(user: str, home: str) -> str:
    """Add a system user; return the command's error message."""
    done = run(("useradd", "--system", "--user-group", "--no-create-home", "--home-dir", home,
                "--shell", "/usr/sbin/nologin", user), _SECONDS)  # fmt: skip
    if done.returncode == NOT_THERE:  # busybox
        run(("addgroup", "-S", user), _SECONDS)
        done = run(("adduser", "-S", "-D", "-H", "-h", home, "-s", "/sbin/nologin", "-G", user,
                    user), _SECONDS)  # fmt: skip
    return last_line(done.stderr)


def remove_user(user: str) -> None:
    """Remove the system user. Raises HostError if that fails."""
    if _exists(user):
        done = run(("userdel", user), _SECONDS)
        if done.returncode == NOT_THERE:
            done = run(("deluser", user), _SECONDS)
        if _exists(user):
            said = last_line(done.stderr)
            raise HostError(f"could not remove the system user '{user}': {said}")


def link_commands(this: Installation) -> None:
    """Link the program, its admin command and its help, unless a package has installed them."""
    place, name = this.place, this.place.name
    if place.package.is_dir():
        return
    made = [path for path in _linked(this) if _link(this, path)]
    on_path = str(place.commands) in os.environ.get("PATH", PATH).split(":")
    if made and not on_path:
        this.say(f"{place.commands} is not on your PATH: {name} and {name}-admin are there")


def _linked(this: Installation) -> list[str]:
    """Return what may be linked: its path in a release, and below the folder with the links."""
    name = this.place.name
    return [f"bin/{name}", f"bin/{name}-admin", *(path.format(name) for path in _SHARED)]


def _link(this: Installation, path: str) -> bool:
    """Link a file of the active release; return whether the link is new."""
    link, end = this.place.commands.parent / path, this.place.current / path
    if not this.disk.exists(this.place.releases / this.active / path):
        _unlink(this, path)
        return False
    if this.disk.target(link) == str(end):
        return False
    if this.disk.exists(link) and not this.disk.target(link):
        this.say(f"{link} is there already and stays: call {end}")
        return False
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        this.disk.point(link, str(end))
    except OSError:
        this.say(f"could not make {link}: call {end}")
        return False
    return True


def unlink_commands(this: Installation) -> None:
    """Remove the links that `link_commands` made."""
    for path in _linked(this):
        _unlink(this, path)


def _unlink(this: Installation, path: str) -> None:
    link = this.place.commands.parent / path
    if this.disk.target(link).startswith(f"{this.place.base}/"):
        with suppress(OSError):
            this.disk.remove(link)


def tell_of_lingering(this: Installation) -> None:
    """Tell a plain user that the service ends with the last session, unless lingering is on."""
    if not (this.place.of_user and this.systemd.runs()):
        return
    user = pwd.getpwuid(this.place.uid).pw_name
    if not Path("/var/lib/systemd/linger", user).exists():
        this.say(f"it ends with your last session here, unless: sudo loginctl enable-linger {user}")

"""Check that the program can run on this machine, before anything is changed."""

import os
import re
from pathlib import Path

from .errors import HostError
from .place import Place
from .release import Release


def require_fit(release: Release, place: Place, needed_kb: int) -> None:
    """Raise HostError if the machine does not meet the needs of `release`."""
    folder = next(each for each in (place.base, *place.base.parents) if each.is_dir())
    _require_rights(folder, place)
    machine = os.uname().machine
    if machine != release.machine:
        raise HostError(f"this machine is {machine}: the program was built for {release.machine}")
    if release.glibc != "none":
        _require_glibc(release.glibc)
    free = free_kb(folder)
    if free < needed_kb:
        raise HostError(f"{folder} has {free} kB free: {place.base} needs {needed_kb} kB")


def free_kb(folder: Path) -> int:
    """Return the free kilobytes of the file system that holds a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize // 1024


def _require_rights(folder: Path, place: Place) -> None:
    if os.access(folder, os.W_OK | os.X_OK):
        return
    if place.uid == 0:
        raise HostError(f"{folder} cannot be written to, and {place.base} belongs there")
    raise HostError(f"installing in {place.base} needs root: run it with sudo, or give --prefix")


def _require_glibc(floor: str) -> None:
    found = re.fullmatch(r"glibc (\d+)\.(\d+).*", _libc())
    if not found:
        raise HostError(f"this machine has no glibc: the program needs glibc {floor} or newer")
    major, minor = (int(part) for part in floor.split(".")[:2])
    if (int(found[1]), int(found[2])) < (major, minor):
        raise HostError(
            f"this machine has glibc {found[1]}.{found[2]}: the program needs {floor} or newer"
        )


def _libc() -> str:
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (OSError, ValueError):
        return ""

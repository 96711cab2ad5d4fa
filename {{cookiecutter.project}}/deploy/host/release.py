"""Read the facts of a release tree from its ``host/release.json``."""

import json
import os
import re
import stat
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .errors import HostError

FACTS = "host/release.json"
SUMS = "SHA256SUMS"
SIGNATURE = "SHA256SUMS.sig"
_LARGEST = 1 << 24
"""The size limit of the facts and of the checksums of a release, in bytes."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_-]{0,99}")


@dataclass(frozen=True)
class Kind:
    """What the engine does with the releases of one kind of program."""

    has_service: bool
    """Whether systemd runs it, as a user of its own, with settings and data."""
    has_socket: bool
    """Whether callers reach it through a socket that systemd holds."""
    version: str
    """The argument with which its command says its release id."""
    silent: str = ""
    """What is wrong with one that was let to work beside the old release, and does not."""


KINDS = {
    "service": Kind(
        has_service=True, has_socket=True, version="version", silent="it does not accept callers"
    ),
    "worker": Kind(
        has_service=True, has_socket=False, version="version", silent="it gave no heartbeat in time"
    ),
    "cli": Kind(has_service=False, has_socket=False, version="--version"),
}


@dataclass(frozen=True)
class Release:
    """The facts of one release."""

    name: str
    """The project's name."""
    version: str
    """The version, which is also the name of its folder."""
    release: str
    """The release id that the running program reports."""
    rank: str
    """A key that sorts bytewise in the order of releases."""
    user: str
    """The system user that runs the service."""
    size_kb: int
    machine: str
    """The architecture, as uname(1) prints it."""
    glibc: str
    """The oldest glibc that it runs with, or `none` if it does not use the machine's."""
    keep_releases: int = 3
    health_seconds: int = 30
    """How long it may take to become ready, in seconds."""
    trial_seconds: int = 60
    """How long its trial lasts, in which a failure leads to a rollback."""
    overlap: bool = True
    """Whether it may run beside the previous release."""
    answers_callers: bool = True
    """Whether it tells its callers, and not only its health socket, if it is ready."""
    before_switch_seconds: int = 0
    """How long its hook may take that prepares the data for it; 0 if it has no such hook."""
    kind: str = "service"
    """What kind of program it is, of `KINDS`."""

    @property
    def traits(self) -> Kind:
        """What the engine does with it."""
        return KINDS[self.kind]


def read(tree: Path) -> Release:
    """Return the facts of a release tree. Raises HostError as `parse` does."""
    return parse(content(tree / FACTS), tree)


def content(path: Path) -> bytes | None:
    """Return the content of a plain file in an untrusted tree; None if it is no such file.

    Do not wait for a pipe, follow a link, or read a file without end.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        found = os.fstat(opened)
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
            return None
        with os.fdopen(opened, "rb", closefd=False) as file:
            return file.read(_LARGEST)
    finally:
        os.close(opened)


def parse(content: bytes | None, tree: Path) -> Release:
    """Return the facts in `content`, the facts file of the release `tree`.

    Raises HostError if the file, or a fact, is missing or invalid.
    """
    if content is None:
        raise HostError(f"{tree} is not a release: it has no {FACTS}")
    try:
        return _checked(dict(json.loads(content)))
    except (ValueError, TypeError) as error:
        raise HostError(f"{tree} is not a release: {FACTS} {error}") from error


def _checked(given: dict[str, Any]) -> Release:
    kinds = {field.name: field.type for field in fields(Release)}
    known = {key: value for key, value in given.items() if key in kinds}
    for key, value in known.items():
        if type(value) is not kinds[key] or (kinds[key] is int and value < 0):
            raise ValueError(f"has a wrong '{key}'")
    try:
        release = Release(**known)
    except TypeError:
        missing = [field.name for field in fields(Release)[:8] if field.name not in known]
        raise ValueError(f"has no '{missing[0]}'") from None
    if not _NAME.fullmatch(release.name):
        raise ValueError("has a wrong 'name'")
    if not _VERSION.fullmatch(release.version):
        raise ValueError("has a wrong 'version'")
    if release.kind not in KINDS:
        raise ValueError(f"has the kind '{release.kind}': expected one of {', '.join(KINDS)}")
    return release

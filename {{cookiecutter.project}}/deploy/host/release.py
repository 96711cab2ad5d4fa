"""What a release tree says of itself, in ``host/release.json``."""

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
"""More than the facts or the checksums of a release ever are, in bytes."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~_-]{0,99}")


@dataclass(frozen=True)
class Release:
    """The facts of one release."""

    name: str
    """The project's."""
    version: str
    """What its folder is called."""
    release: str
    """The release id, with which the running program answers."""
    rank: str
    """Sorts bytewise as releases do."""
    user: str
    """The system user that runs the service."""
    size_kb: int
    machine: str
    """As uname(1) says it."""
    glibc: str
    """The oldest that it runs on, or `none` where it asks nothing of the machine's."""
    keep_releases: int = 3
    health_seconds: int = 30
    """How long it may take to become ready."""
    trial_seconds: int = 60
    """How long the release before it stays ready to come back."""
    overlap: bool = True
    """Whether it may run beside the release before it."""


def read(tree: Path) -> Release:
    """Return the facts of a release tree. Raises HostError as `parse` does."""
    return parse(content(tree / FACTS), tree)


def content(path: Path) -> bytes | None:
    """Return what a file of a tree that others may have made holds; None where it is no such file.

    A pipe is not waited for, no link is followed, and what has no end is not read to it.
    """
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(opened, "rb") as file:
        found = os.fstat(opened)
        is_plain = stat.S_ISREG(found.st_mode) and found.st_size <= _LARGEST
        return file.read(_LARGEST) if is_plain else None


def parse(content: bytes | None, tree: Path) -> Release:
    """Return the facts that stand in `content`, which is the file of a release tree.

    Raises HostError where there is none, or one is of the wrong kind.
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
    return release

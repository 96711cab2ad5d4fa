"""Says what one lock means for the program: advisories, licences, and the size of its wheels."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from ..lib.console import TaskError, step
from ..lib.environment import ensure, interpreter
from ..lib.project import Project
from . import audit, installed, osv, wheels


@dataclass(frozen=True)
class Facts:
    """What one lock means for the program."""

    vulnerable: Mapping[str, audit.Vulnerability] | None
    """By their names; None where the advisory service does not answer."""
    accepted: frozenset[str]
    """The names of those that pyproject.toml accepts."""
    licences: Mapping[str, tuple[str, str]]
    """Versions and licences of the program's packages, by their names."""
    size: int | None
    """Bytes of the program's wheels; None where they cannot be had."""
    notes: tuple[str, ...] = ()
    """Why something is not known."""


def gather(users: Project, this: Project) -> Facts:
    """Return what the lock of `this` means; the tools come from the lock of `users`.

    Raises `TaskError`; also where the advisory service does not answer, if CI is set.
    """
    python, notes = interpreter(users), []
    own = ensure(this, python, wheels.CATEGORY)
    known, size = None, None
    try:
        known = _audited(users, this)
    except osv.NoAnswer as error:
        if os.environ.get("CI"):
            raise
        notes.append(f"not audited: {error}")
    try:
        with step("the size of the wheels"):
            size = wheels.size(this, own)
    except TaskError as error:
        notes.append(f"wheels not measured: {str(error).splitlines()[-1].strip()}")
    accepted = audit.accepted(this, known or ())
    return Facts(
        None if known is None else {each.name: each for each in known},
        frozenset(each.name for each in accepted),
        installed.licences(own),
        size,
        tuple(notes),
    )


def _audited(users: Project, this: Project) -> list[audit.Vulnerability]:
    tools = ensure(users, interpreter(users), audit.CATEGORY)
    with step("known vulnerabilities"):
        return audit.run(this, tools)

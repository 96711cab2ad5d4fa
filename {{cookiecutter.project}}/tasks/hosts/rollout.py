"""Brings the hosts of a target to a release, and says host by host what came of it."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..console import TaskError, closing
from ..project import Project
from .ansible import Outcome, play
from .targets import Target

_PLAYBOOK = "rollout.yml"


@dataclass(frozen=True)
class Act:
    """What is done on each host."""

    role: str
    """The role under deploy/ansible/roles/."""
    title: str
    variables: Mapping[str, Any]
    """What that role says it needs."""
    wanted: str = ""
    """The release id that hosts shall have; those that have it are left alone."""


def carry(artifact: Path, wanted: str, installer: list[str], *, older: bool) -> Act:
    """Give the act of carrying a file to a host and running its own installer there.

    `installer` is the command, in which `ROOM` stands for the folder with the file; an archive is
    unpacked there. `older`: also over a newer release.
    """
    options = ["--allow-downgrade"] if older else []
    variables = {"artifact": str(artifact), "installer": [*installer, *options]}
    return Act("carry", wanted, variables, wanted)


def roll_out(project: Project, target: Target, act: Act, *options: str) -> None:
    """Do it, batch by batch, and end at the first host that does not become healthy.

    Raises `TaskError` after the closing block where a host failed or could not be reached.
    """
    start = time.monotonic()
    variables = {
        "program": project.program,
        "wanted": act.wanted,
        "batches": target.batches,
        "act": act.role,
        **act.variables,
    }
    hosts = play(project, target, _PLAYBOOK, variables, *options)
    rows = {host: _line(facts, hosts) for host, facts in hosts.items()}
    rows["seconds"] = f"{time.monotonic() - start:.1f}"
    closing(f"{act.title} on {target.name}", rows)
    if failed := [host for host, facts in hosts.items() if _failed(facts)]:
        raise TaskError(f"{failed[0]}: {hosts[failed[0]]['reason']}")


def _failed(facts: Mapping[str, Any]) -> bool:
    return bool(facts["failures"] or facts["unreachable"])


def _line(facts: Mapping[str, Any], hosts: Outcome) -> str:
    before = _active(facts.get("before"))
    if facts["unreachable"]:
        return "not reached"
    if facts["failures"]:
        return f"failed, {before} as before: {facts['reason']}"
    if "after" in facts:
        return f"{before} -> {_active(facts['after'])}, {facts['after'].get('service', '')}"
    if any(map(_failed, hosts.values())):
        return f"{before}, not touched"
    return f"{before}, unchanged"


def _active(state: Any) -> str:
    return str((state or {}).get("active") or "nothing")

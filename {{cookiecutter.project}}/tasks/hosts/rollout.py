"""Brings the hosts of a target to a release, and says host by host what came of it."""

import getpass
import os
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..lib.console import TaskError, closing
from ..lib.project import Project
from .ansible import Outcome, play
from .targets import Target

_PLAYBOOK = "rollout.yml"
CHECK = ("--check", "--diff")
"""What makes Ansible show what it would change, and change nothing."""


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
    quadrant: str = ""
    health_seconds: int = 30
    returns: bool = False
    """Whether hosts go back, which those cannot where nothing is installed: they are left alone."""
    options: tuple[str, ...] = ()
    """Of Ansible: `CHECK`, or nothing."""


def roll_out(
    project: Project,
    target: Target,
    act: Act,
    explain: Callable[[Outcome], Iterable[str]] = lambda _: (),
) -> None:
    """Do it, batch by batch, and end at the first host that does not become healthy.

    What `explain` says of the outcome comes before the closing block. Raises `TaskError` after that
    block where a host failed, could not be reached, or has nothing to go back from; without any
    block where that holds for all of them.
    """
    start = time.monotonic()
    variables = {
        "program": project.program,
        "settings_prefix": project.prefix,
        "wanted": act.wanted,
        "quadrant": act.quadrant,
        "batches": target.batches,
        "health_url": target.health_url,
        "health_seconds": act.health_seconds,
        "deployed_by": _who(),
        "act": act.role,
        "returns": act.returns,
        **act.variables,
    }
    with _alone(project, target):
        hosts = play(project, target, _PLAYBOOK, variables, *act.options)
    bare = [host for host, facts in hosts.items() if act.returns and _is_bare(facts)]
    if len(bare) == len(hosts):
        raise TaskError(_nothing_on(target.name))
    for text in explain(hosts):
        print(text)
    rows = {host: _line(facts, hosts, act) for host, facts in hosts.items()}
    # Of a check nothing counts as changed but what Ansible has looked at itself.
    changed = [host for host, facts in hosts.items() if facts["changed"] or "after" in facts]
    rows["would change" if act.options else "changed"] = f"{len(changed)} of {len(hosts)} hosts"
    rows["seconds"] = f"{time.monotonic() - start:.1f}"
    closing(f"{'check of ' if act.options else ''}{act.title} on {target.name}", rows)
    if failed := [host for host, facts in hosts.items() if _failed(facts)]:
        raise TaskError(f"{failed[0]}: {hosts[failed[0]]['reason']}")
    if bare:
        raise TaskError(_nothing_on(", ".join(bare)))


@contextmanager
def _alone(project: Project, target: Target) -> Iterator[None]:
    """Hold the target against a second run from here; one from elsewhere is for hosts to refuse.

    Raises `TaskError` that says who holds it since when. However a run ends, it lets go.
    """
    import fcntl  # not on Windows, where Ansible does not run either

    project.build.mkdir(exist_ok=True)
    with (project.build / f".deploy-{target.name}").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise TaskError(f"another run is at work on {target.name}: {file.read()}") from None
        file.truncate(0)
        since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        file.write(f"process {os.getpid()} of {_who()} since {since}")
        file.flush()
        yield


def _who() -> str:
    return f"{getpass.getuser()}@{platform.node()}"


def _failed(facts: Mapping[str, Any]) -> bool:
    return bool(facts["failures"] or facts["unreachable"])


def _is_bare(facts: Mapping[str, Any]) -> bool:
    """Tell whether a host has answered that nothing is installed."""
    return not _failed(facts) and "before" in facts and not facts["before"].get("active")


def _nothing_on(place: str) -> str:
    return f"nothing is installed on {place}: there is nothing to go back to"


def _line(facts: Mapping[str, Any], hosts: Outcome, act: Act) -> str:
    before = _active(facts.get("before"))
    if facts["unreachable"]:
        return f"not reached, {before} before" if "before" in facts else "not reached"
    if facts["failures"]:
        return f"failed, {before} as before: {facts['reason']}"
    if "after" in facts and act.options:
        return f"{before} -> {act.wanted or 'the one before'}, would be changed"
    if "after" in facts:
        after, service = _active(facts["after"]), facts["after"].get("service", "")
        return f"{before} -> {after}, {service}, {facts['seconds']:.1f} s"
    if any(map(_failed, hosts.values())):
        return f"{before}, not touched"
    return f"{before}, unchanged"


def _active(state: Any) -> str:
    return str((state or {}).get("active") or "nothing")

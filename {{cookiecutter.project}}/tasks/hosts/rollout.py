"""Brings the hosts of a target to a release, and reports the outcome of each."""

import getpass
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ..lib.console import TaskError, closing
from .ansible import play
from .outcome import HostOutcome, HostState, Outcome
from .settings import HostSettings

_PLAYBOOK = "rollout.yml"
CHECK = ("--check", "--diff")
"""The options with which Ansible shows what it would change, and changes nothing."""


@dataclass(frozen=True)
class Act:
    """What is done on each host."""

    role: str
    """The role under deploy/ansible/roles/."""
    title: str
    variables: Mapping[str, Any]
    """The variables that the role needs."""
    wanted: str = ""
    """The release id that hosts must have; hosts that have it already are left alone."""
    quadrant: str = ""
    health_seconds: int = 30
    returns: bool = False
    """Whether hosts go back; those on which nothing is installed cannot, and are left alone."""
    options: tuple[str, ...] = ()
    """Ansible's options: `CHECK`, or none."""
    compare: Callable[[str], str] | None = None
    """Returns what differs from a commit that hosts have; called in a check only."""


def roll_out(target: HostSettings, act: Act) -> None:
    """Do an act batch by batch; stop at the first host that does not become healthy.

    Raises `TaskError` after the closing block where a host failed, could not be reached, or has
    nothing to go back to; without the block where no host has anything to go back to.
    """
    start = time.monotonic()
    with _alone(target):
        hosts = play(target, _PLAYBOOK, _variables(target, act), *act.options)
    bare = [host for host, outcome in hosts.items() if act.returns and _is_bare(outcome)]
    if len(bare) == len(hosts):
        raise TaskError(_nothing_on(target.name))
    for text in _differences(hosts, act):
        print(text)
    rows = {host: _line(outcome, hosts, act) for host, outcome in hosts.items()}
    # In a check Ansible does not count a switch as a change, but reports the state after it.
    changed = [host for host, outcome in hosts.items() if outcome.changes or outcome.after]
    rows["would change" if act.options else "changed"] = f"{len(changed)} of {len(hosts)} hosts"
    rows["seconds"] = f"{time.monotonic() - start:.1f}"
    closing(f"{'check of ' if act.options else ''}{act.title} on {target.name}", rows)
    if failed := [host for host, outcome in hosts.items() if not outcome.is_well]:
        raise TaskError(f"{failed[0]}: {hosts[failed[0]].reason}")
    if bare:
        raise TaskError(_nothing_on(", ".join(bare)))


def _variables(target: HostSettings, act: Act) -> dict[str, Any]:
    return {
        "program": target.project.program,
        "settings_prefix": target.project.prefix,
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


@contextmanager
def _alone(target: HostSettings) -> Iterator[None]:
    """Lock the target against a second run from this folder; hosts refuse one from elsewhere.

    Raises `TaskError` that says who holds the lock since when. The lock ends with the run, however
    that ends.
    """
    import fcntl  # not on Windows, where Ansible does not run either

    build = target.project.build
    build.mkdir(exist_ok=True)
    with (build / f".deploy-{target.name}").open("a+", encoding="utf-8") as file:
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


def _differences(hosts: Outcome, act: Act) -> Iterator[str]:
    """Yield for each commit that is on hosts what differs from the one to deploy."""
    if act.compare:
        there = {outcome.before.commit for outcome in hosts.values() if outcome.before}
        yield from filter(None, map(act.compare, sorted(there - {""})))


def _is_bare(outcome: HostOutcome) -> bool:
    """Return whether a host has answered that nothing is installed."""
    return outcome.is_well and outcome.before is not None and not outcome.before.active


def _nothing_on(place: str) -> str:
    return f"nothing is installed on {place}: there is nothing to go back to"


def _line(outcome: HostOutcome, hosts: Outcome, act: Act) -> str:
    before = _active(outcome.before)
    if outcome.is_unreached:
        return f"not reached, {before} before" if outcome.before else "not reached"
    if outcome.is_failed:
        return f"failed, {before} as before: {outcome.reason}"
    if outcome.after and act.options:
        return f"{before} -> {act.wanted or 'the one before'}, would be changed"
    if outcome.after:
        after = f"{_active(outcome.after)}, {outcome.after.service}"
        return f"{before} -> {after}, {outcome.seconds:.1f} s"
    if not all(other.is_well for other in hosts.values()):
        return f"{before}, not touched"
    return f"{before}, unchanged"


def _active(state: HostState | None) -> str:
    return (state.active if state else "") or "nothing"

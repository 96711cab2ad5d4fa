"""`deploy.status`, `deploy.history`, `deploy.rollback`: what works on every target."""

from typing import Any

from invoke.context import Context

from ..hosts.ansible import play
from ..hosts.rollout import Act, roll_out
from ..hosts.targets import Target, find
from ..lib import project
from ..lib.console import TaskError, closing
from ..lib.task import task
from .settings import read

_TO = "A target of invoke.yaml."


@task(help={"to": _TO})
def status(context: Context, to: str) -> None:
    """Ask each host of a target which release it runs, since when, and whether it is healthy."""
    this = project.load()
    hosts = play(this, _target(context, to), "look.yml", {"program": this.program})
    closing(f"status of {to}", {host: _state(facts) for host, facts in hosts.items()})
    ill = [host for host, facts in hosts.items() if not _well(facts)]
    if ill:
        raise TaskError(f"not healthy: {', '.join(ill)}")


@task(help={"to": _TO})
def history(context: Context, to: str) -> None:
    """Ask each host of a target what was activated when, and what failed and why."""
    this = project.load()
    hosts = play(this, _target(context, to), "history.yml", {"program": this.program})
    for host, facts in hosts.items():
        lines = facts.get("history") or [facts["reason"] or "nothing was ever activated here"]
        print(f"\n{host}")
        for line in lines:
            print(f"  {line}")
    if unreached := [host for host, facts in hosts.items() if facts["unreachable"]]:
        raise TaskError(f"not reached: {', '.join(unreached)}")


@task(help={"to": _TO, "release": "Go to this one (default: the one before the active one)."})
def rollback(context: Context, to: str, release: str = "") -> None:
    """Switch the hosts of a target back, in the same batches as a deployment."""
    this, target = project.load(), _target(context, to)
    settings = read(target.over(context.config.get("deploy", {})))
    variables = {"rollback_to": release}
    seconds = settings.health_seconds
    act = Act("rollback", "rollback", variables, health_seconds=seconds, returns=True)
    roll_out(this, target, act)


def _target(context: Context, name: str) -> Target:
    return find(project.load(), context.config.get("deploy", {}), name)


def _state(facts: dict[str, Any]) -> str:
    state = facts.get("state") or {}
    if facts["unreachable"]:
        return f"not reached: {facts['reason']}"
    if facts["failures"]:
        return f"failed: {facts['reason']}"
    if not state.get("active"):
        return "nothing is installed"
    quadrant, since = state["quadrant"] or "unknown", state["since"] or "unknown"
    return f"{state['active']} ({quadrant}) since {since}, {state['service']}"


def _well(facts: dict[str, Any]) -> bool:
    service = str((facts.get("state") or {}).get("service", ""))
    return service.startswith(("healthy", "none"))

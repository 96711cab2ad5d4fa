"""`hosts.setup`: brings fresh hosts to the state that deployments build on."""

import time
from collections.abc import Mapping
from typing import Any

from invoke.context import Context

from ..lib import project
from ..lib.console import TaskError, closing
from ..lib.task import task
from .ansible import play
from .targets import find

_PLAYBOOK = "setup.yml"


@task(
    help={
        "to": "A target of invoke.yaml.",
        "check": "Show what would change, with differences, and change nothing.",
    }
)
def setup(context: Context, to: str, check: bool = False) -> None:
    """Bring the hosts of a target to the state that deployments build on."""
    start = time.monotonic()
    this = project.load()
    target = find(this, context.config.get("deploy", {}), to)
    variables = {"program": this.program, "user": this.user, "quadrant": target.quadrant}
    options = ("--check", "--diff") if check else ()
    hosts = play(this, target, _PLAYBOOK, variables, *options)
    rows = {host: _line(facts, "to make" if check else "made") for host, facts in hosts.items()}
    rows["seconds"] = f"{time.monotonic() - start:.1f}"
    closing(f"{'check' if check else 'setup'} of {to}", rows)
    for host, facts in hosts.items():
        if facts["failures"] or facts["unreachable"]:
            raise TaskError(f"{host}: {facts['reason']}")


def _line(facts: Mapping[str, Any], done: str) -> str:
    """Say what came of one host; all of them were tried, unless the inventory itself is wrong."""
    if facts["unreachable"]:
        return f"not reached: {facts['reason'].removeprefix('cannot be reached: ')}"
    if facts["failures"]:
        return f"failed: {facts['reason']}"
    if "set_up" not in facts:
        return "not touched"
    changes = facts["changed"]
    if not changes:
        return "nothing to change"
    return f"{changes} {'change' if changes == 1 else 'changes'} {done}"

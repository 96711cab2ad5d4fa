"""`hosts.setup`: brings fresh hosts to the state that deployments build on."""

import time

from invoke.context import Context

from ..lib import project
from ..lib.console import TaskError, closing
from ..lib.task import task
from .ansible import play
from .outcome import HostOutcome
from .settings import find

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
    settings = find(this, context.config.get("deploy", {}), to)
    variables = {"program": this.program, "user": this.user, "quadrant": settings.quadrant}
    options = ("--check", "--diff") if check else ()
    hosts = play(settings, _PLAYBOOK, variables, *options)
    rows = {host: _line(came, "to make" if check else "made") for host, came in hosts.items()}
    rows["seconds"] = f"{time.monotonic() - start:.1f}"
    closing(f"{'check' if check else 'setup'} of {to}", rows)
    for host, outcome in hosts.items():
        if not outcome.is_well:
            raise TaskError(f"{host}: {outcome.reason}")


def _line(outcome: HostOutcome, done: str) -> str:
    """Return one host's line; a host is not touched only where the inventory itself is wrong."""
    if outcome.is_unreached:
        return f"not reached: {outcome.reason.removeprefix('cannot be reached: ')}"
    if outcome.is_failed:
        return f"failed: {outcome.reason}"
    if not outcome.is_set_up:
        return "not touched"
    changes = outcome.changes
    if not changes:
        return "nothing to change"
    return f"{changes} {'change' if changes == 1 else 'changes'} {done}"

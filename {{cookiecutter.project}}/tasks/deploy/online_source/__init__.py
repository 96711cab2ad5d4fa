"""`deploy.online-source`: hosts with a network make a release of one commit by themselves."""

import datetime as dt
import tempfile
from collections.abc import Iterator
from pathlib import Path

from invoke.context import Context

from ...hosts import targets
from ...hosts.ansible import Outcome
from ...hosts.rollout import roll_out
from ...lib import end_of_life, lock, project, revision
from ...lib.console import TaskError, closing, step
from ...lib.environment import Environment, ensure, interpreter
from ...lib.task import task
from ..build.plan import Plan
from ..delivery import act
from ..settings import Settings, read
from .commit import Commit, difference, find
from .kit import FOLDER, pack

QUADRANT = "online-source"
_CATEGORY = "deploy"


@task(
    help={
        "to": "The target of invoke.yaml whose hosts get it.",
        "ref": "A tag, branch or commit (default: the commit that is checked out).",
        "allow-downgrade": "Also over a newer release.",
        "check": "Show what would change on the hosts, with diffs, and change nothing.",
        "dry-run": "Print the plan and ask no host.",
    }
)
def online_source(  # noqa: PLR0913 (an option each)
    context: Context,
    to: str,
    *,
    ref: str = "",
    allow_downgrade: bool = False,
    check: bool = False,
    dry_run: bool = False,
) -> None:
    """Bring the hosts of a target to one commit, which they fetch and install by themselves."""
    deploy, this = context.config.get("deploy", {}), project.load()
    target = targets.find(this, deploy, to, QUADRANT)
    settings = read(target.over(deploy))
    commit = find(this, target.repository, ref)
    tools = ensure(this, interpreter(this), _CATEGORY)
    with tempfile.TemporaryDirectory() as work:
        with step(f"{commit.ref} from {commit.shown}"):
            plan = _plan(commit, tools, settings, Path(work))
        if dry_run:
            _describe(commit, plan, target)
            return
        kit = pack(commit, plan, tools, Path(work))
        program = plan.project.program
        options = ["--allow-downgrade"] if allow_downgrade else []
        variables = {
            "source_kit": str(kit),
            "source_installer": [f"ROOM/{program}/install.py", *options],
            "python_wanted": plan.project.python,
            "python_here": str(plan.interpreter.path),
        }
        roll_out(
            this,
            target,
            act("source", plan, variables, check=check),
            lambda hosts: _differences(this, commit, hosts) if check else (),
        )


def _differences(this: project.Project, commit: Commit, hosts: Outcome) -> Iterator[str]:
    """Yield for each commit that is on hosts what differs from the one to deploy."""
    there = {str((facts.get("before") or {}).get("commit") or "") for facts in hosts.values()}
    for old in sorted(there - {"", commit.id}):
        yield f"\n{old[:12]} -> {commit.id[:12]}"
        yield difference(this, old, commit.id)


def _plan(commit: Commit, tools: Environment, settings: Settings, work: Path) -> Plan:
    """Get the commit, and decide whether it may be deployed.

    Raises `TaskError` where it cannot be fetched, its lock does not fit its Pipfile, or its Python
    is past its end of life where the settings refuse that.
    """
    folder = work / "checkout"
    folder.mkdir()
    fetched = project.load(commit.check_out(folder))
    if not (fetched.root / FOLDER).is_dir():
        raise TaskError(f"{commit.ref} has no {FOLDER}: it cannot be deployed in this way")
    try:
        lock.require_fitting(fetched.lock)
    except lock.LockError as error:
        raise TaskError(f"{commit.ref}: {error}") from error
    refuse = settings.end_of_life == "refuse"
    end_of_life.check(fetched.python, dt.date.today(), refuse=refuse)
    this = revision.current(fetched)
    return Plan(QUADRANT, fetched, this, tools.interpreter, settings, "linux")


def _describe(commit: Commit, plan: Plan, target: targets.Target) -> None:
    rows = {
        "release": plan.revision.release,
        "ref": f"{commit.ref}, commit {commit.id}",
        "from": commit.shown,
        "python": plan.project.python,
        "hosts": f"{target.name} ({target.inventory.name}), 1 and then {target.batch} at a time",
    }
    closing(f"plan of deploy.{QUADRANT}", rows)

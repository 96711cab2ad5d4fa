"""`deploy.online-source`: hosts with a network make a release of one commit by themselves."""

import datetime as dt
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path

from invoke.context import Context

from ...hosts.settings import HostSettings
from ...lib import end_of_life, lock, project, pythons, revision
from ...lib.console import TaskError, closing, step
from ...lib.environment import Environment, ensure, interpreter
from ...lib.task import task
from .. import targets
from ..build.plan import Plan
from ..delivery import FOLDER, rollout
from ..settings import Settings, read
from .commit import Commit, difference, find
from .kit import SCRIPTS_FOLDER, pack

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
    target = targets.hosts(this, deploy, to, QUADRANT)
    settings = read(targets.over(deploy, to))
    commit = find(this, target.settings.repository, ref)
    tools = ensure(this, interpreter(this), _CATEGORY)
    with tempfile.TemporaryDirectory() as work:
        with step(f"{commit.ref} from {commit.shown}"):
            plan = replace(_plan(commit, tools, settings, Path(work)), keeper=this)
        if dry_run:
            _describe(commit, plan, target.settings)
            return
        kit = pack(commit, plan, tools, Path(work))
        program = plan.project.program
        options = ["--allow-downgrade"] if allow_downgrade else []
        means = {
            "source_kit": str(kit),
            "source_installer": [f"{FOLDER}/{program}/install.py", *options],
            "python_wanted": plan.project.python,
            "python_here": str(plan.interpreter.path),
        }
        compare = partial(_difference, this, commit) if check else None
        target.roll_out(rollout("source", plan, means, check=check, compare=compare))


def _difference(this: project.Project, commit: Commit, old: str) -> str:
    if old == commit.id:
        return ""
    return f"\n{old[:12]} -> {commit.id[:12]}\n{difference(this, old, commit.id)}"


def _plan(commit: Commit, tools: Environment, settings: Settings, work: Path) -> Plan:
    """Fetch the commit, and return its plan if it may be deployed.

    Raises `TaskError` where it cannot be fetched, its lock does not fit its Pipfile, or its Python
    is past its end of life where the settings refuse that.
    """
    folder = work / "checkout"
    folder.mkdir()
    fetched = project.load(commit.check_out(folder))
    if not (fetched.root / SCRIPTS_FOLDER).is_dir():
        raise TaskError(f"{commit.ref} has no {SCRIPTS_FOLDER}: it cannot be deployed in this way")
    try:
        pythons.require_usable(fetched)
    except lock.LockError as error:
        raise TaskError(f"{commit.ref}: {error}") from error
    refuse = settings.end_of_life == "refuse"
    end_of_life.check(fetched.python, dt.date.today(), refuse=refuse)
    this = revision.current(fetched)
    return Plan(QUADRANT, fetched, this, tools.interpreter, settings, "linux")


def _describe(commit: Commit, plan: Plan, target: HostSettings) -> None:
    rows = {
        "release": plan.revision.release,
        "ref": f"{commit.ref}, commit {commit.id}",
        "from": commit.shown,
        "python": plan.project.python,
        "hosts": f"{target.name} ({target.inventory.name}), 1 and then {target.batch} at a time",
    }
    closing(f"plan of deploy.{QUADRANT}", rows)

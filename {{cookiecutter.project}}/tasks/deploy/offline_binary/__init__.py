"""`deploy.offline-binary`: a program that needs nothing on the machine it is carried to."""

import platform
from dataclasses import replace

from invoke.context import Context

from ...lib import project
from ...lib.console import TaskError
from ...lib.task import task
from ..build.plan import decide
from ..delivery import HELP, carry, destination
from . import build


@task(
    help={
        "onefile": "Make one executable file instead of an archive and packages.",
        "python": "Build with this Python (X.Y) instead of the one in .python-version.",
        "dry-run": "Print the plan and change nothing.",
        **HELP,
    }
)
def offline_binary(  # noqa: PLR0913 (an option each)
    context: Context,
    *,
    onefile: bool = False,
    python: str = "",
    to: str = "",
    allow_downgrade: bool = False,
    check: bool = False,
    dry_run: bool = False,
) -> None:
    """Build a program, an archive, a .deb and an .rpm that need nothing on the target."""
    this = project.load()
    if onefile and platform.system() == "Windows":
        raise TaskError("--onefile makes a file for sh, which Windows does not have")
    if onefile and to:
        raise TaskError("--onefile makes a program to start, not one to install: leave out --to")
    deploy = context.config.get("deploy", {})
    goal = destination(
        this, deploy, build.QUADRANT, to, allow_downgrade=allow_downgrade, check=check
    )
    plan = replace(decide(build.QUADRANT, this, goal.settings, python=python), onefile=onefile)
    if dry_run:
        build.describe(plan)
        return
    build.build(plan)
    carry(plan, plan.dist / f"{plan.stem}.tar.gz", [f"ROOM/{plan.stem}/install"], goal)

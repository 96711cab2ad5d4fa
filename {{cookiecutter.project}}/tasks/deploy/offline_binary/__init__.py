"""`deploy.offline-binary`: a program that needs nothing on the machine where it runs."""

import platform
from dataclasses import replace

from invoke.context import Context

from ...lib import project
from ...lib.console import TaskError
from ...lib.task import task
from .. import delivery
from ..build.plan import decide
from ..delivery import FOLDER, HELP, deliver
from . import build, package


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
        raise TaskError(
            "--onefile makes a file for sh, which Windows does not have: leave it out, the archive "
            "has a program that starts without an installation"
        )
    if onefile and to:
        raise TaskError("--onefile makes a program to start, not one to install: leave out --to")
    if to and platform.system() != "Linux":
        raise TaskError(
            f"--to is '{to}': hosts run Linux, and what is built here runs on {platform.system()}"
        )
    deploy = context.config.get("deploy", {})
    destination = delivery.find(
        this, deploy, build.QUADRANT, to, allow_downgrade=allow_downgrade, check=check
    )
    plan = decide(build.QUADRANT, this, destination.settings, python=python)
    plan = replace(plan, onefile=onefile)
    if dry_run:
        build.describe(plan)
        return
    made = build.build(plan)
    deliver(plan, made.archive, [f"{FOLDER}/{made.top}/{package.INSTALL}"], destination)

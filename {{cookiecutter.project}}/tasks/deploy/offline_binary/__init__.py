"""`deploy.offline-binary`: a program that needs nothing on the machine it is carried to."""

import platform
from dataclasses import replace

from invoke.context import Context

from ... import project
from ...console import TaskError
from ...task import task
from ..plan import plan
from ..settings import read
from . import build


@task(
    help={
        "onefile": "Make one executable file instead of an archive and packages.",
        "python": "Build with this Python (X.Y) instead of the one in .python-version.",
        "dry-run": "Print the plan and change nothing.",
    }
)
def offline_binary(
    context: Context, onefile: bool = False, python: str = "", dry_run: bool = False
) -> None:
    """Build a program, an archive, a .deb and an .rpm that need nothing on the target."""
    settings = read(context.config.get("deploy", {}))
    if onefile and platform.system() == "Windows":
        raise TaskError("--onefile makes a file for sh, which Windows does not have")
    what = replace(plan(build.QUADRANT, project.load(), settings, python=python), onefile=onefile)
    (build.describe if dry_run else build.build)(what)

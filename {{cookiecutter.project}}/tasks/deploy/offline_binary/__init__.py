"""`deploy.offline-binary`: a program that needs nothing on the machine it is carried to."""

import platform
from dataclasses import replace

from invoke.context import Context

from ... import project
from ...console import TaskError
from ...hosts.rollout import carry, roll_out
from ...hosts.targets import find
from ...task import task
from ..plan import plan
from ..settings import read
from . import build


@task(
    help={
        "onefile": "Make one executable file instead of an archive and packages.",
        "python": "Build with this Python (X.Y) instead of the one in .python-version.",
        "to": "Also install it on the hosts of this target of invoke.yaml.",
        "allow-downgrade": "With --to: also over a newer release.",
        "dry-run": "Print the plan and change nothing.",
    }
)
def offline_binary(  # noqa: PLR0913 (an option each)
    context: Context,
    *,
    onefile: bool = False,
    python: str = "",
    to: str = "",
    allow_downgrade: bool = False,
    dry_run: bool = False,
) -> None:
    """Build a program, an archive, a .deb and an .rpm that need nothing on the target."""
    deploy, this = context.config.get("deploy", {}), project.load()
    if allow_downgrade and not to:
        raise TaskError("--allow-downgrade says what hosts may do: it needs --to")
    if onefile and platform.system() == "Windows":
        raise TaskError("--onefile makes a file for sh, which Windows does not have")
    if onefile and to:
        raise TaskError("--onefile makes a program to start, not one to install: leave out --to")
    target = find(this, deploy, to, build.QUADRANT) if to else None
    what = replace(plan(build.QUADRANT, this, read(deploy), python=python), onefile=onefile)
    (build.describe if dry_run else build.build)(what)
    if target and not dry_run:
        archive = what.target / f"{what.stem}.tar.gz"
        act = carry(
            archive, what.revision.release, [f"ROOM/{what.stem}/install"], older=allow_downgrade
        )
        roll_out(this, target, act)

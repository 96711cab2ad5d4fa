"""`deploy.offline-source`: a bundle for a machine with neither Python nor network."""

from invoke.context import Context

from ...lib import project
from ...lib.console import TaskError
from ...lib.task import task
from .. import delivery
from ..build.plan import decide, here
from ..delivery import FOLDER, HELP, deliver
from . import build
from .interpreter_source import PLATFORMS


@task(
    help={
        "platform": "Build for another system, such as linux-aarch64 (default: this one).",
        "python": "Carry this Python (X.Y) instead of the one in .python-version.",
        "dry-run": "Print the plan and change nothing.",
        **HELP,
    }
)
def offline_source(  # noqa: PLR0913 (an option each)
    context: Context,
    *,
    platform: str = "",
    python: str = "",
    to: str = "",
    allow_downgrade: bool = False,
    check: bool = False,
    dry_run: bool = False,
) -> None:
    """Build a self-extracting bundle that needs no Python and no network on the target."""
    deploy, this = context.config.get("deploy", {}), project.load()
    destination = delivery.find(
        this, deploy, build.QUADRANT, to, allow_downgrade=allow_downgrade, check=check
    )
    system = _system(platform)
    plan = decide(build.QUADRANT, this, destination.settings, python=python, system=system)
    if dry_run:
        build.describe(plan)
        return
    made = build.build(plan)
    deliver(plan, made.single, ["sh", f"{FOLDER}/{made.single.name}"], destination)


def _system(wanted: str) -> str:
    system = wanted or here()
    if system in PLATFORMS:
        return system
    given = f"--platform is '{wanted}'" if wanted else f"this machine is {system}"
    raise TaskError(f"{given}: bundles are for {', '.join(PLATFORMS)} (see --platform)")

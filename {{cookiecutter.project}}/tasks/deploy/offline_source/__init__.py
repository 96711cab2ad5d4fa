"""`deploy.offline-source`: a bundle for a machine with neither Python nor network."""

from invoke.context import Context

from ... import project
from ...console import TaskError
from ...task import task
from ..plan import here, plan
from ..settings import read
from . import build
from .source import PLATFORMS


@task(
    help={
        "platform": "Build for another system, such as linux-aarch64 (default: this one).",
        "python": "Carry this Python (X.Y) instead of the one in .python-version.",
        "dry-run": "Print the plan and change nothing.",
    }
)
def offline_source(
    context: Context, platform: str = "", python: str = "", dry_run: bool = False
) -> None:
    """Build a self-extracting bundle that needs no Python and no network on the target."""
    settings = read(context.config.get("deploy", {}))
    system = _system(platform)
    what = plan(build.QUADRANT, project.load(), settings, python=python, system=system)
    (build.describe if dry_run else build.build)(what)


def _system(wanted: str) -> str:
    system = wanted or here()
    if system in PLATFORMS:
        return system
    given = f"--platform is '{wanted}'" if wanted else f"this machine is {system}"
    raise TaskError(f"{given}: bundles are for {', '.join(PLATFORMS)} (see --platform)")
